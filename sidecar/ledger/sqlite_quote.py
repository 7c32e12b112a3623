"""What a ledger would say to a payment that nobody makes: asked of a file that is not written.

The very questions of a reservation are asked, on a connection that can only read. Two of them
write as they ask, the payee's pin and the windows of the budgets; they find copies of their tables
in front of the file's own, which SQLite forgets with the connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sidecar.ledger import (
    sqlite_budgets,
    sqlite_file,
    sqlite_freeze,
    sqlite_lists,
    sqlite_rules,
    sqlite_schema,
)
from sidecar.ledger.model import Budget, Intent, Payment, Purchase
from sidecar.refusal import BudgetUse, Denied

_COPY = (
    sqlite_schema.PINS.replace("CREATE TABLE", "CREATE TEMP TABLE"),
    "INSERT INTO temp.pins SELECT * FROM main.pins",
    sqlite_schema.WINDOWS.replace("CREATE TABLE", "CREATE TEMP TABLE"),
    "INSERT INTO temp.windows SELECT * FROM main.windows",
)


def refusal(path: Path, intent: Intent, at: datetime) -> Denied | None:
    """Why this payment would not be reserved now; None where it would be."""
    with _reading(path) as connection:
        for statement in _COPY:
            connection.execute(statement)
        seen = sqlite_rules.look(connection, intent, at)
        frozen = sqlite_freeze.refusal_since(seen["frozen_since"])
        denied = frozen or sqlite_rules.refusal(connection, intent, at, seen)
        if denied is not None:
            return denied
        windows = sqlite_budgets.set_aside(connection, intent.budgets, intent.amount, at)
        return windows if isinstance(windows, Denied) else None


def budgets(path: Path, asked: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
    """``Ledger.budgets``."""
    with _reading(path) as connection:
        return tuple(sqlite_budgets.use(connection, budget, at) for budget in asked)


def newest_top_up(path: Path, purchase: Purchase) -> Payment | None:
    """``Ledger.newest_top_up``."""
    with _reading(path) as connection:
        return sqlite_lists.newest_top_up(connection, purchase)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The ledger as of now; an empty one where there is no file."""
    sqlite_file.require_library()
    with sqlite_file.explained(path):
        there = path.exists()
        with closing(sqlite_file.read_only(path.resolve()) if there else _empty()) as connection:
            # One moment for all that is asked.
            connection.execute("BEGIN")
            yield connection


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    for statement in sqlite_schema.STATEMENTS:
        connection.execute(statement)
    return connection
