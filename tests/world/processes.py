"""Programs that a test starts, waits for and stops; and the ports that they are told to use."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
WORLD = ROOT / ".world"
INSTALL = "run `bash tests/world/install.sh`"

# Below the range that the system hands to outgoing connections: those would take a port
# between our look and the moment when the program listens.
PORTS = range(18_000, 32_000)
START_WAIT_S = 30.0
STOP_WAIT_S = 10.0
LOG_TAIL = 4_000

# A byte for each port: whoever locks it has the port until its process ends.
CLAIMS = Path(tempfile.gettempdir()) / f"sidecar-test-ports-{os.getuid()}"

_handed_out: set[int] = set()
_claims = CLAIMS.open("ab")


class NotInstalledError(Exception):
    """Something that the tests need is not on this machine."""


def installed(path: Path) -> Path:
    """This path under .world/, if it is there. NotInstalledError says what to run."""
    if not path.exists():
        raise NotInstalledError(f"{path.relative_to(ROOT)} is missing: {INSTALL}")
    return path


def free_port() -> int:
    """A loopback port that nobody listens on, and that no process of any tests was given before.

    Seconds pass before a program listens. Were its port given to another test in between, the
    other's server would answer in its place.
    """
    for _ in range(1_000):
        port = random.choice(PORTS)
        if port not in _handed_out and _claimed(port) and _is_free(port):
            _handed_out.add(port)
            return port
    raise RuntimeError("no free port")


def _claimed(port: int) -> bool:
    """Whether this process has the port now, and no other one had it."""
    try:
        fcntl.lockf(_claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a connection of ours that has just been closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wait_until(true: Callable[[], bool], what: str, wait_s: float = START_WAIT_S) -> None:
    """Come back as soon as ``true()`` is. AssertionError names what did not happen in time."""
    deadline = time.monotonic() + wait_s
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {wait_s:g} s"
        time.sleep(0.05)


class Process:
    """A program that runs until it is stopped. Its output goes to ``log``."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = log.stem
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def id(self) -> int:
        """Its number, as the kernel knows it."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._popen.poll()

    def output(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def wait_for_port(self, port: int) -> None:
        """Come back once it listens. AssertionError has its output if it does not."""

        def listens() -> bool:
            assert self.exit_code is None, f"{self.name} ended:\n{self.output()}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        try:
            wait_until(listens, f"{self.name} listens on {port}")
        except AssertionError:
            self.stop()
            raise

    def wait(self, wait_s: float = STOP_WAIT_S) -> int:
        """Its exit code, once it has ended."""
        return self._popen.wait(wait_s)

    def stop(self) -> int:
        """Ask it to end, and make it end if it does not. Its exit code."""
        if self.exit_code is None:
            self._popen.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._popen.send_signal(signal.SIGKILL)
        self._popen.wait(STOP_WAIT_S)
