"""What a service manager is told, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.service.notify import Notifier
from tests.world.fakes import NOON, FakeClock

OWN = os.getpid()


class Manager:
    """Whoever listens at an address, and what it was told."""

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        self.socket.setblocking(False)
        self.name = name

    def told(self) -> list[str]:
        """Every message since the last look."""
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4_096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = f"@sidecar-test-{OWN}" if request.param == "abstract" else str(tmp_path / "notify")
    manager = Manager(name)
    yield manager
    manager.socket.close()


def test_states(manager: Manager) -> None:
    """Each state is one message, at a path and at an abstract name, with a status for people."""
    notifier = Notifier(manager.name)
    notifier.ready("serving")
    notifier.stopping("ending")

    assert ["READY=1\nSTATUS=serving", "STOPPING=1\nSTATUS=ending"] == manager.told()


def test_reloading(manager: Manager) -> None:
    """A reload tells when it began, by the clock that the manager reads."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    Notifier(manager.name).reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    state, moment, _ = manager.told()[0].splitlines()

    assert "RELOADING=1" == state
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= after


def test_nobody_asked(tmp_path: Path) -> None:
    """Without a socket nothing is told, and a manager that has gone is no fault of ours."""
    quiet = Notifier.take({}, OWN)
    quiet.ready("serving")
    Notifier(str(tmp_path / "gone")).ready("serving")


def test_taken(manager: Manager) -> None:
    """Who asked is taken out of the environment, so that no child tells in our name."""
    environ = {
        "NOTIFY_SOCKET": manager.name,
        "WATCHDOG_USEC": "4000000",
        "WATCHDOG_PID": str(OWN),
        "HOME": "/",
    }
    Notifier.take(environ, OWN).ready("serving")

    assert {"HOME": "/"} == environ
    assert 1 == len(manager.told())


async def told_in(manager: Manager, clock: FakeClock, environ: dict[str, str]) -> int:
    """How often the watchdog was told until ten seconds had passed."""
    notifier = Notifier.take({"NOTIFY_SOCKET": manager.name, **environ}, OWN)
    watching = asyncio.create_task(notifier.watch(clock))
    while not watching.done() and (clock.now() - NOON).total_seconds() < 10:
        await asyncio.sleep(0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    messages = manager.told()
    assert {"WATCHDOG=1"} >= set(messages)
    return len(messages)


@pytest.mark.parametrize(
    ("environ", "times"),
    [
        ({"WATCHDOG_USEC": "4000000"}, 5),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(OWN)}, 5),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
    ids=["ours", "by pid", "of another process", "no number", "none"],
)
async def test_watchdog(manager: Manager, environ: dict[str, str], times: int) -> None:
    """The watchdog is told at once, and twice in each period that was asked for, of us alone."""
    assert times == await told_in(manager, FakeClock(), environ)
