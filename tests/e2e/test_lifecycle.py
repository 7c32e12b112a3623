"""The real process among those that start, watch and stop it: sd_notify, sockets, its log."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.shell import WAIT_S, environment
from tests.hostile.recorder import recording
from tests.world.managed import World, ask, end, systemd_program
from tests.world.processes import ROOT, free_port
from tests.world.running import listening


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


async def test_ready(world: World) -> None:
    """READY=1 comes once both ports answer and the ledger is there; STOPPING=1 before the end."""
    port = free_port()
    config = world.write(f"127.0.0.1:{port}")
    async with world.started("-m", "sidecar", "run", "--config", config) as child:
        ready = await world.manager.next(child)
        answered = await ask(port, f"127.0.0.1:{port}")
        listens = await ask(world.admin, f"127.0.0.1:{world.admin}")
        ledger = (world.folder / "state" / "ledger.db").exists()
        child.send_signal(signal.SIGTERM)
        stopping = await world.manager.next(child)
        await child.communicate()

    assert f"READY=1\nSTATUS=serving http://127.0.0.1:{port}/v1, admin" == ready.rpartition(" ")[0]
    assert (200, 404, True) == (answered, listens, ledger)
    assert ("STOPPING=1", 0) == (stopping.partition("\n")[0], child.returncode)


async def test_reload(world: World) -> None:
    """SIGHUP is told as a reload, and its end as READY=1, also where the file cannot be read."""
    config = world.write(f"127.0.0.1:{free_port()}")
    async with world.started("-m", "sidecar", "run", "--config", config) as child:
        told = [await world.manager.next(child)]
        for text in (config.read_text(), "version: 2\n"):
            config.write_text(text)
            child.send_signal(signal.SIGHUP)
            told += [await world.manager.next(child), await world.manager.next(child)]
        await end(child)
    states = [message.partition("\n")[0] for message in told]

    assert ["READY=1", *("RELOADING=1", "READY=1") * 2] == states
    assert "\nMONOTONIC_USEC=" in told[1]


async def test_hung_loop(world: World) -> None:
    """While the event loop hangs, no thread of ours tells the watchdog that all is well."""
    port = free_port()
    config = world.write(f"127.0.0.1:{port}")
    command = ("-m", "tests.world.hanging_sidecar", config)
    async with world.started(*command, WATCHDOG_USEC="200000") as child:
        told = [await world.manager.next(child), await world.manager.next(child)]
        asking = asyncio.create_task(ask(port, f"127.0.0.1:{port}"))
        while told[-1] != "GOES ON":
            told.append(await world.manager.next(child))
        told.append(await world.manager.next(child))
        status = await asking
        await end(child)

    assert (200, True, "WATCHDOG=1") == (status, told[0].startswith("READY=1"), told[1])
    assert ["HANGS", "GOES ON", "WATCHDOG=1"] == told[told.index("HANGS") :]


@pytest.mark.parametrize("names", ["data:admin", "admin:data", "-"])
async def test_sockets_handed_over(world: World, names: str) -> None:
    """Sockets that listen already are served on, under their own addresses, and bound by nobody."""
    data, admin = free_port(), free_port()
    config = world.write("127.0.0.1:1")
    ports = [str(admin), str(data)] if names == "admin:data" else [str(data), str(admin)]
    run = (sys.executable, "-m", "sidecar", "run", "--config", str(config))
    launcher = ("-m", "tests.world.handing_over", names, *ports, "--", *run)
    async with world.started(*launcher) as child:
        ready = await world.manager.next(child)
        status = await ask(data, f"127.0.0.1:{data}")
        other_host = await ask(data, "127.0.0.1:1")
        page = await ask(admin, f"127.0.0.1:{admin}")
        said = await end(child)

    assert f"serving http://127.0.0.1:{data}/v1, admin http://127.0.0.1:{admin}/" in ready
    assert (200, 404) == (status, page)
    assert other_host not in {200, 401}
    assert 1 == len(world.upstream.requests)
    assert [] == [line for line in said if "Traceback" in line]


async def test_request_before_the_start(world: World) -> None:
    """What connects while the sidecar is still starting waits, and is served."""
    data = free_port()
    config = world.write("127.0.0.1:1")
    run = (sys.executable, "-m", "sidecar", "run", "--config", str(config))
    launcher = ("-m", "tests.world.handing_over", "data", str(data), "--", *run)
    async with world.started(*launcher) as child:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    status = await ask(data, f"127.0.0.1:{data}")
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)
        await end(child)

    assert 200 == status


async def test_unix_socket_handed_over(world: World) -> None:
    """A Unix socket is served by the users of its callers, and its file is left to its maker."""
    path = world.folder / "data.sock"
    config = world.write(f"unix:{path}", callers="")
    run = (sys.executable, "-m", "sidecar", "run", "--config", str(config))
    launcher = ("-m", "tests.world.handing_over", "data", str(path), "--", *run)
    async with world.started(*launcher) as child:
        ready = await world.manager.next(child)
        status = await ask(path, "localhost", token="anything")
        await end(child)

    assert f"serving unix:{path}" in ready
    assert (200, True) == (status, path.is_socket())


async def test_systemd_socket_activate(world: World) -> None:
    """systemd's own launcher starts the sidecar at the first connection, which is then served."""
    data, admin = free_port(), free_port()
    config = world.write("127.0.0.1:1")
    program, libraries = systemd_program("systemd-socket-activate")
    child = await asyncio.create_subprocess_exec(
        program,
        *("--listen", f"127.0.0.1:{data}", "--listen", f"127.0.0.1:{admin}"),
        *("--fdname", "data:admin", "--setenv", f"HOME={world.folder}"),
        *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
        cwd=ROOT,
        env={**environment(world.folder), **libraries},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await listening(data)
        status = await ask(data, f"127.0.0.1:{data}")
        page = await ask(admin, f"127.0.0.1:{admin}")
    finally:
        said = await end(child)

    assert (200, 404) == (status, page)
    assert 1 == len(world.upstream.requests)
    assert [True] == [
        f"serving http://127.0.0.1:{data}/v1" in each for each in said if "serving" in each
    ]


async def test_log_lines(world: World) -> None:
    """Where stderr is no terminal every line of a run is one JSON object, whatever is asked."""
    port = free_port()
    config = world.write(f"127.0.0.1:{port}")
    run = ("-m", "sidecar", "run", "--config", config)
    async with world.started(*run, SIDECAR_LISTN="127.0.0.1:1") as child:
        await world.manager.next(child)
        await ask(port, f"127.0.0.1:{port}")
        await ask(port, "evil\\nline", token="x")
        await ask(port, f"127.0.0.1:{port}", token="x\ty")
        lines = await end(child)
    events = [json.loads(line) for line in lines]

    assert {"timestamp", "level", "event"} <= set.intersection(*(set(each) for each in events))
    told = [each["event"] for each in events]
    assert ("serving", ["stopping", "stopped"]) == (told[0], told[-2:])
    assert 1 == len([each for each in events if "SIDECAR_LISTN" in each.get("message", "")])
