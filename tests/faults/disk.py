"""A disk under the ledger that fails: at the n-th statement, in the words of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

from sidecar.ledger.sqlite import SqliteLedger, open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_writer import Writer
from tests.world.crash import CrashPlan
from tests.world.shop import Process, World

LOCK_WAIT_S = 0.05


class Failure(Enum):
    """What SQLite says, and what has become of the transaction by then."""

    EIO = (sqlite3.SQLITE_IOERR, "disk I/O error", True)
    FULL = (sqlite3.SQLITE_FULL, "database or disk is full", True)
    READ_ONLY = (sqlite3.SQLITE_READONLY, "attempt to write a readonly database", False)
    LOCKED = (sqlite3.SQLITE_BUSY, "database is locked", False)

    def fault(self) -> sqlite3.OperationalError:
        """The exception as Python's sqlite3 raises it."""
        fault = sqlite3.OperationalError(self.value[1])
        fault.sqlite_errorcode = self.value[0]
        return fault

    @property
    def rolls_back(self) -> bool:
        """Whether SQLite gives up the whole transaction by itself."""
        return self.value[2]


class Disk:
    """Counts the statements of a ledger; from the n-th on, or at the n-th only, they fail.

    ``late``: a COMMIT that fails has taken effect all the same, as where the frames were written
    and the sync failed: the writer does not see them, and the next one to open the file does.
    """

    def __init__(self) -> None:
        self.statements = 0
        self.struck = 0
        self._failure: Failure | None = None
        self._at = 0
        self._lasts = False
        self._late = False

    def break_at(self, failure: Failure, at: int, *, lasts: bool, late: bool = False) -> None:
        """Fail at the n-th statement from now."""
        self._failure, self._at = failure, self.statements + at
        self._lasts, self._late = lasts, late

    def heal(self) -> None:
        """Work again."""
        self._failure = None

    def execute(self, connection: sqlite3.Connection, sql: str, *values: Any) -> sqlite3.Cursor:
        """The statement's cursor, unless this is where the disk fails."""
        # To let go of a transaction takes no room on any disk.
        if sql.startswith(("ROLLBACK", "RELEASE")):
            return connection.execute(sql, *values)
        self.statements += 1
        failure = self._failure
        reached = self.statements >= self._at if self._lasts else self.statements == self._at
        if failure is None or not reached:
            return connection.execute(sql, *values)
        self.struck += 1
        if connection.in_transaction and (failure.rolls_back or sql == "COMMIT"):
            connection.execute("COMMIT" if self._late and sql == "COMMIT" else "ROLLBACK")
        raise failure.fault()


class FaultyConnection:
    """``sqlite3.Connection``, as far as the books use it."""

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._disk.execute(self._connection, sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def open_on(disk: Disk, path: Path, instance: str) -> SqliteLedger:
    """A ledger whose statements this disk sees."""

    def books() -> Books:
        opened = open_books(path, instance, LOCK_WAIT_S)
        opened.connection = FaultyConnection(opened.connection, disk)  # type: ignore[assignment]  # behaves like one
        return opened

    writer = Writer(path, books, lambda sentence: None)
    await writer.start()
    return SqliteLedger(writer)


@asynccontextmanager
async def process_on(world: World, disk: Disk) -> AsyncIterator[Process]:
    """A process of this world whose ledger is on this disk; killed at the end, not closed."""
    world.processes += 1
    ledger = await open_on(disk, world.path, f"process-{world.processes}")
    process = world._wire(ledger, CrashPlan())
    try:
        yield process
        await process.tasks.drain(5)
    finally:
        with suppress(sqlite3.Error):
            await ledger.abandon()
