"""The real ledger on a real file, without its thread: commits take virtual time, and some fail."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_writer import BATCH_MAX, Writer, _answer, _Job

COMMIT_S = (0.0, 0.001, 0.01, 0.05)
SLOW_COMMIT_S = (0.5, 2.0, 5.0)


class Disk:
    """How the disk of the machine does."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.failing = 0.0  # how many of the commits fail
        self.slow = 0.0  # how many take very long
        self.unsure = 0.0  # how many of the failing ones are written all the same
        self.has_failed = False

    def takes_s(self) -> float:
        """How long the next commit takes."""
        chosen = SLOW_COMMIT_S if self._random.random() < self.slow else COMMIT_S
        return self._random.choice(chosen)

    def fails(self) -> bool:
        """Whether the next commit does."""
        fails = self._random.random() < self.failing
        self.has_failed = self.has_failed or fails
        return fails

    def writes_all_the_same(self) -> bool:
        """Whether a commit that fails has happened."""
        return self.unsure > 0 and self._random.random() < self.unsure


class _FaultyConnection:
    """A connection on a disk that may be full when it commits; the rest is SQLite's."""

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT" and self._disk.fails():
            if self._disk.writes_all_the_same():
                self._connection.execute(statement)
                raise _fault("disk I/O error", sqlite3.SQLITE_IOERR)
            raise _fault("database or disk is full", sqlite3.SQLITE_FULL)
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _fault(says: str, code: int) -> sqlite3.OperationalError:
    fault = sqlite3.OperationalError(says)
    fault.sqlite_errorcode = code
    return fault


class VirtualWriter(Writer):
    """The writer's own transactions and group commits, one after the other in virtual time."""

    def __init__(
        self,
        path: Path,
        instance: str,
        disk: Disk,
        on_commit: Callable[[], None],
        on_fault: Callable[[str], None],
    ) -> None:
        super().__init__(path, lambda: open_books(path, instance, 5.0), lambda sentence: None)
        self._disk = disk
        self._on_commit = on_commit
        self._on_fault = on_fault
        self._busy = False
        self._dead = False
        self._books: Books | None = None

    async def start(self) -> None:
        """Open the books at once."""
        books = self._open_books()
        faulty = _FaultyConnection(books.connection, self._disk)
        books.connection = cast("sqlite3.Connection", faulty)
        self._books = books

    def kill(self) -> None:
        """What is queued is not written, and what is held is free."""
        if not self._dead:
            self._dead = True
            assert self._books is not None
            self._books.abandon()

    def _put(self, work: Any, *, writes: bool) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, writes, future))
        self._next()
        return future

    def _next(self) -> None:
        if self._busy or self._dead or self._jobs.empty():
            return
        jobs = [self._jobs.get() for _ in range(min(BATCH_MAX, self._jobs.qsize()))]
        self._busy = True
        asyncio.get_running_loop().call_later(self._disk.takes_s(), self._commit, jobs)

    def _commit(self, jobs: list[_Job]) -> None:
        self._busy = False
        if self._dead:
            return
        assert self._books is not None
        self._transact(self._books, jobs)
        _answer(jobs)
        for job in jobs:
            # On a good disk the ledger refuses only moves that should not have been tried.
            if job.fault is not None and not self._disk.has_failed:
                self._on_fault(f"the ledger refused: {job.fault}")
        if any(job.writes for job in jobs):
            self._on_commit()
        self._next()
