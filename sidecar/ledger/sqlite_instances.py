"""Which processes have the ledger open, and which of them are gone.

Each holds a lock on a file of its own, ``<ledger>.instances/<instance>.lock``, for as long as it
lives. The lock falls with its process, however that ends, so a lock that can be taken, or a
file that is not there, means death. Looking takes a shared lock: two that look at once must not
take each other for the owner. Network file systems keep no such locks; a ledger is a local file.
The file also keeps its owner's mark (sqlite_marks), and outlives it for as long as that is needed.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_marks

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_PAUSE_S = 0.01


class Instances:
    """The lock files beside one ledger, as seen by one of its instances."""

    def __init__(self, ledger: Path, own: str, lock_wait_s: float) -> None:
        if _NAME.fullmatch(own) is None:
            raise LedgerError(f"not an instance id, which is also the name of a file: {own!r}")
        self.own = own
        self._ledger = ledger
        self._directory = sqlite_marks.directory_of(ledger)
        self._lock_wait_s = lock_wait_s
        self._lock: int | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time makes a ledger, or comes to one."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            self._wait_for(directory)
            yield
        finally:
            os.close(directory)

    def join(self, last_event: int) -> None:
        """Be alive from now on; clears away what the dead left. Call it ``alone``.

        ``last_event``: how far the ledger has come, no less than any mark that is cleared away.
        """
        if self.is_alive(self.own):
            raise LedgerError(f"another process has the ledger open as {self.own!r}")
        self._lock = os.open(self._file(self.own), os.O_RDWR | os.O_CREAT, 0o600)
        self._wait_for(self._lock)
        # Before the marks of the dead go: what they knew may still be in the log alone.
        self.record(last_event)
        for left in self._directory.glob("*.lock"):
            if not self.is_alive(left.stem):
                left.unlink(missing_ok=True)

    def record(self, last_event: int) -> None:
        """Remember outside of the ledger that it has come as far as this event."""
        assert self._lock is not None
        sqlite_marks.write(self._lock, last_event)

    def is_alive(self, instance: str) -> bool:
        """Whether this instance can still finish what it holds. Its own always can."""
        if instance == self.own and self._lock is not None:
            return True
        try:
            looked_at = os.open(self._file(instance), os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(looked_at, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(looked_at)
        return False

    def is_held(self, holder: str | None) -> bool:
        """Whether somebody who lives holds it; the holding of the dead has ended."""
        return holder is not None and self.is_alive(holder)

    def living(self) -> tuple[str, ...]:
        """Every instance that has the ledger open, in the order of their names."""
        known = sorted(left.stem for left in self._directory.glob("*.lock"))
        return tuple(instance for instance in known if self.is_alive(instance))

    def leave(self) -> None:
        """Go in peace: the lock falls, and its file goes, unless its mark is still of use."""
        if self._lock is not None:
            try:
                # Others may have kept the log from being folded into the ledger.
                if not self._has_log():
                    self._file(self.own).unlink(missing_ok=True)
            finally:
                self.abandon()

    def abandon(self) -> None:
        """Let the lock fall, as it does when the process dies."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _has_log(self) -> bool:
        try:
            return Path(f"{self._ledger}-wal").stat().st_size > 0
        except FileNotFoundError:
            return False

    def _file(self, instance: str) -> Path:
        return self._directory / f"{instance}.lock"

    def _wait_for(self, descriptor: int) -> None:
        for _ in range(1 + int(self._lock_wait_s / _PAUSE_S)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_PAUSE_S)
            else:
                return
        raise LedgerError(f"{self._directory} stayed locked by another process")
