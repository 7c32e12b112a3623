"""Several workers among those that start, watch and stop them: sockets, sd_notify, start errors."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.shell import WAIT_S, environment
from tests.e2e.test_start_errors import starting
from tests.hostile.recorder import recording
from tests.world.managed import World, ask, end
from tests.world.processes import ROOT, free_port

WORKERS = "3"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    # A socket's path is short, and pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="x402-") as name:
        async with recording() as upstream:
            world = World(Path(name), upstream)
            try:
                yield world
            finally:
                world.manager.close()


async def processes(world: World) -> list[int]:
    """The workers that serve."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{world.admin}/status") as response:
            return [each["process"] for each in (await response.json())["workers"]]


async def test_ready(world: World) -> None:
    """READY=1 comes once all workers serve, SIGHUP is told of, and STOPPING=1 before the end."""
    port = free_port()
    config = world.write(f"127.0.0.1:{port}")
    run = ("-m", "sidecar", "run", "--config", config, "--workers", WORKERS)
    async with world.started(*run) as child:
        told = [await world.manager.next(child)]
        statuses = {await ask(port, f"127.0.0.1:{port}") for _ in range(12)}
        serving = await processes(world)
        child.send_signal(signal.SIGHUP)
        told += [await world.manager.next(child), await world.manager.next(child)]
        child.send_signal(signal.SIGTERM)
        told.append(await world.manager.next(child))
        await child.communicate()

    serves = f"READY=1\nSTATUS=serving http://127.0.0.1:{port}/v1, admin"
    assert told[0].startswith(serves)
    assert told[0].endswith(", 3 workers")
    assert ({200}, 3) == (statuses, len(set(serving)))
    assert ["RELOADING=1", "READY=1", "STOPPING=1"] == [
        message.partition("\n")[0] for message in told[1:]
    ]
    assert 0 == child.returncode


async def test_watchdog(world: World) -> None:
    """While one worker hangs, the watchdog is not told that all is well; afterwards it is."""
    port = free_port()
    config = world.write(f"127.0.0.1:{port}")
    run = ("-m", "sidecar", "run", "--config", config)
    environ = {"WATCHDOG_USEC": "400000", "SIDECAR_WORKERS": WORKERS}
    async with world.started(*run, **environ) as child:
        told = [await world.manager.next(child), await world.manager.next(child)]
        hung = (await processes(world))[1]
        os.kill(hung, signal.SIGSTOP)
        # What was on its way may still come; then nothing does, for several periods.
        with suppress(TimeoutError):
            for _ in range(4):
                async with asyncio.timeout(2):
                    told.append(await world.manager.next(child))
        while_hung = len(told) - 2
        os.kill(hung, signal.SIGCONT)
        told.append(await world.manager.next(child))
        await end(child)

    assert told[0].startswith("READY=1")
    assert {"WATCHDOG=1"} == set(told[1:])
    assert while_hung < 4


async def test_sockets_handed_over(world: World) -> None:
    """Sockets that listen already are accepted from by all workers, and by the one admin port."""
    data, admin = free_port(), free_port()
    config = world.write("127.0.0.1:1")
    world.admin = admin
    run = (sys.executable, "-m", "sidecar", "run", "--config", str(config), "--workers", WORKERS)
    launcher = ("-m", "tests.world.handing_over", "data:admin", str(data), str(admin), "--", *run)
    async with world.started(*launcher) as child:
        ready = await world.manager.next(child)
        statuses = {await ask(data, f"127.0.0.1:{data}") for _ in range(12)}
        page = await ask(admin, f"127.0.0.1:{admin}")
        await end(child)

    assert f"serving http://127.0.0.1:{data}/v1, admin http://127.0.0.1:{admin}/" in ready
    assert ({200}, 404) == (statuses, page)


async def test_unix_socket(world: World) -> None:
    """On a Unix socket all workers know who connects, and its file goes with the last of them."""
    path = world.folder / "data.sock"
    config = world.write(f"unix:{path}", callers="")
    run = ("-m", "sidecar", "run", "--config", config, "--workers", WORKERS)
    async with world.started(*run) as child:
        ready = await world.manager.next(child)
        statuses = {await ask(path, "localhost", token="anything") for _ in range(12)}
        mode = path.stat().st_mode & 0o777
        await end(child)

    assert f"serving unix:{path}" in ready
    assert ({200}, 0o600, False) == (statuses, mode, path.exists())


async def test_workers_are_refused(world: World) -> None:
    """A second sidecar on a port that workers share is refused, and says who has it."""
    port = free_port()
    config = world.write(f"127.0.0.1:{port}")
    run = ("-m", "sidecar", "run", "--config", config, "--workers", WORKERS)
    async with world.started(*run) as child:
        await world.manager.next(child)
        second = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, *map(str, run), "--admin", f"127.0.0.1:{free_port()}"],
            cwd=ROOT,
            env=environment(world.folder),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        still = await ask(port, f"127.0.0.1:{port}")
        await end(child)

    assert (2, 200) == (second.returncode, still)
    assert second.stderr.startswith(f"listen: 127.0.0.1:{port} is taken by pid ")


def failed_start(folder: Path, *flags: str) -> tuple[int, list[str]]:
    """How a start that fails ends, and what it says."""
    run = [sys.executable, "-m", "sidecar", "run", "--config", str(folder / "sidecar.yaml")]
    ended = subprocess.run(
        [*run, "--workers", WORKERS, *flags],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert "" == ended.stdout
    return ended.returncode, ended.stderr.splitlines()


def test_secret_is_missing(tmp_path: Path) -> None:
    """What only a worker can find wrong is said once, and its status is that of the whole."""
    folder = starting(tmp_path)
    (folder / "api.key").unlink()
    status, lines = failed_start(folder)

    assert 2 == status
    assert 1 == len(lines)
    assert lines[0].startswith("routes.up.api_key: ")


def test_too_many_workers(tmp_path: Path) -> None:
    """The number of workers is a mistake of the config like any other."""
    folder = starting(tmp_path)

    assert (2, ["--workers: out of range: 65; use a whole number from 1 to 64"]) == failed_start(
        folder, "--workers", "65"
    )
    assert (2, ["--workers: not a whole number; use a whole number from 1 to 64"]) == failed_start(
        folder, "--workers", "many"
    )
