"""A centre for slices in an SQLite file, for tests of a replica's side that need no Postgres."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sidecar.errors import LedgerError
from sidecar.ledger import (
    sqlite_budgets,
    sqlite_file,
    sqlite_freeze,
    sqlite_marks,
    sqlite_pins,
    sqlite_rules,
    windows,
)
from sidecar.ledger.model import Budget, Intent
from sidecar.ledger.slices import Grant, LeaseTerms, Report, Slice, Want, enlarged, heard
from sidecar.ledger.sqlite import LOCK_WAIT_S, SqliteLedger
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_instances import Instances
from sidecar.ledger.sqlite_writer import Writer
from sidecar.ledger.windows import WindowKey
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse

_TABLE = """
CREATE TABLE IF NOT EXISTS centre_slices (
  holder TEXT NOT NULL, budget TEXT NOT NULL, starts_at INTEGER NOT NULL,
  granted INTEGER NOT NULL, returned INTEGER NOT NULL, settled INTEGER NOT NULL,
  PRIMARY KEY (holder, budget, starts_at), CHECK (granted >= returned + settled)
) STRICT
"""
_KEEP = "INSERT OR REPLACE INTO centre_slices VALUES (?, ?, ?, ?, ?, ?)"
_WINDOW = "INSERT OR IGNORE INTO windows (budget, starts_at, reserved, spent) VALUES (?, ?, 0, 0)"
_MOVE = """
UPDATE windows SET reserved = reserved + ?3, spent = spent + ?4
WHERE budget = ?1 AND starts_at = ?2
"""
_OUTSTANDING = """
SELECT budget, starts_at FROM centre_slices WHERE holder = ? AND granted > returned + settled
"""
_GET = """
SELECT granted, returned, settled FROM centre_slices
WHERE holder = ? AND budget = ? AND starts_at = ?
"""
_USE = "SELECT reserved, spent FROM windows WHERE budget = ? AND starts_at = ?"


class SqliteCentre:
    """``Slices``, as an SQLite file has them. ``away``: it cannot be reached."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.ledger = SqliteLedger(writer)
        self.away = False
        self.asked = 0  # how many times it was

    @classmethod
    async def open(cls, path: Path, instance: str) -> SqliteCentre:
        """The centre as this instance sees it."""
        writer = Writer(path, lambda: _open(path, instance), lambda _: None)
        await writer.start()
        await writer.do(_prepare)
        return cls(writer)

    async def exchange(
        self,
        holder: str,
        reports: Sequence[Report],
        wants: Sequence[Want],
        pin: tuple[Intent, datetime] | None,
        terms: LeaseTerms,
    ) -> Grant:
        self._ask()
        return await self._writer.do(
            lambda books: _exchange(books, holder, reports, wants, pin, terms)
        )

    async def uses(
        self, holder: str, budgets: Sequence[Budget], at: datetime
    ) -> tuple[tuple[BudgetUse, Slice], ...]:
        self._ask()
        return await self._writer.do(
            lambda books: tuple(
                (
                    sqlite_budgets.use(books.connection, budget, at),
                    slice_of(books.connection, holder, (budget.name, budget.starts_at(at) * 1000)),
                )
                for budget in budgets
            )
        )

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise LedgerError("the centre cannot be reached")


def _open(path: Path, instance: str) -> Books:
    """As a ledger is opened, but for its audit: that one knows of payments only."""
    instances = Instances(path, instance, LOCK_WAIT_S)
    with instances.alone():
        sqlite_file.make(path)
        connection = sqlite_file.connect(path, LOCK_WAIT_S)
        instances.join(sqlite_marks.last_event(connection))
    return Books(connection, instances, path)


def _prepare(books: Books) -> None:
    books.connection.execute(_TABLE)


def _exchange(
    books: Books,
    holder: str,
    reports: Sequence[Report],
    wants: Sequence[Want],
    pin: tuple[Intent, datetime] | None,
    terms: LeaseTerms,
) -> Grant:
    connection = books.connection
    for report in reports:
        known = slice_of(connection, holder, report.window)
        _keep(connection, holder, known, heard(known, report))
    connection.execute("SAVEPOINT wanted")
    refusal = None
    if pin is not None:
        pinned = sqlite_rules.look(connection, *pin)["pinned"]
        refusal = sqlite_pins.refusal(connection, pin[0], pinned, pin[1])
    lacking = None if refusal else _enlarge(connection, holder, wants, terms)
    if refusal or lacking:
        connection.execute("ROLLBACK TO wanted")
    connection.execute("RELEASE wanted")
    named = {each.window for each in reports} | {each.window for each in wants}
    named |= {(row[0], row[1]) for row in connection.execute(_OUTSTANDING, (holder,))}
    told = tuple(slice_of(connection, holder, window) for window in sorted(named))
    return Grant(told, sqlite_freeze.frozen_since(connection), lacking, refusal)


def _enlarge(
    connection: sqlite3.Connection, holder: str, wants: Sequence[Want], terms: LeaseTerms
) -> BudgetUse | None:
    for want in wants:
        known = slice_of(connection, holder, want.window)
        reserved, spent = connection.execute(_USE, want.window).fetchone() or (0, 0)
        left = windows.cap(want.budget) - reserved - spent
        more = enlarged(want.granted - known.granted, terms.size.atomic, left)
        if more is None:
            budget = want.budget
            return BudgetUse(budget.name, budget.limit, Usdc(spent), Usdc(reserved), want.resets_at)
        _keep(connection, holder, known, replace(known, granted=known.granted + more))
    return None


def slice_of(connection: sqlite3.Connection, holder: str, window: WindowKey) -> Slice:
    """The slice of this holder; an empty one where it has none."""
    row = connection.execute(_GET, (holder, *window)).fetchone()
    return Slice(window, *(row or (0, 0, 0)))


def _keep(connection: sqlite3.Connection, holder: str, before: Slice, after: Slice) -> None:
    connection.execute(_KEEP, (holder, *after.window, after.granted, after.returned, after.settled))
    moved = after.outstanding - before.outstanding, after.settled - before.settled
    connection.execute(_WINDOW, after.window)
    connection.execute(_MOVE, (*after.window, *moved))
