"""No statement of a paid request reads more of a longer ledger."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sidecar.ledger.model import Breaker, Budget, Payment, PriceRule, TopUpRule, Window
from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_lists import (
    authorizations,
    orphaned,
    to_prove,
    unconfirmed,
    undelivered,
)
from sidecar.ledger.sqlite_marks import last_event
from sidecar.ledger.sqlite_spending import SPENDING, spending
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import EXPIRED, RECEIPT, authorization, intent

BUDGETS = (
    Budget("day", Usdc(10**9), Window.DAY),
    Budget("all", Usdc(10**9), Window.TOTAL),
)
_EXPLAINED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
# What a plan walks through that is one row at most, or one for each day of a month.
_SMALL = ("freeze", "probe", "CONSTANT ROW", "days")
_KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "explicit": {"explicit": True},
    "top-up": {"top_up": TopUpRule(NOON, 1_000_000)},
}


def pay(books: Books, payment_id: str, kind: str = "plain") -> None:
    """What a paid request asks of its ledger; and the end of one whose name says it is lost."""
    wanted = intent(
        payment_id,
        budgets=BUDGETS,
        breaker=Breaker(5, timedelta(hours=1)),
        pin_place="",
        price=PriceRule("POST /v1/chat", Decimal(3)),
        **_KINDS[kind],
    )
    books.claim(wanted.purchase, NOON, NOON - timedelta(hours=1))
    assert isinstance(books.reserve(wanted, NOON), Payment)
    authorizations(books.connection, wanted.purchase, NOON)
    books.authorize(payment_id, authorization(payment_id), NOON)
    if payment_id.startswith("lost"):
        books.void(payment_id, EXPIRED, NOON)
    else:
        books.post(payment_id, RECEIPT, NOON)
        books.deliver(payment_id, NOON)
    books.release(payment_id)
    last_event(books.connection)


def said(connection: sqlite3.Connection, work: Callable[[], None]) -> list[str]:
    """Every statement that the work makes."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    work()
    connection.set_trace_callback(None)
    return statements


def steps_of(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """How many instructions SQLite's machine takes for the work."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection.set_progress_handler(count, 1)
    work()
    connection.set_progress_handler(None, 0)
    return taken


@pytest.mark.parametrize("kind", _KINDS)
def test_work_does_not_grow(tmp_path: Path, kind: str) -> None:
    """A payment takes as many statements, and as many steps of SQLite's, after hundreds of others
    as after a few."""
    books = open_books(tmp_path / "ledger.db", "one", 1)
    connection = books.connection
    counts = []
    for lot in range(2):
        for number in range(2 if lot == 0 else 200):
            pay(books, f"{'lost' if number % 2 else 'paid'} {lot} {number}", kind)
        statements = said(connection, partial(pay, books, f"told {lot}", kind))
        counts.append((len(statements), steps_of(connection, partial(pay, books, f"{lot}", kind))))
    books.leave()

    assert counts[0] == counts[1]
    assert counts[0] > (10, 100)


@pytest.mark.parametrize("kind", _KINDS)
def test_every_statement_is_a_search(tmp_path: Path, kind: str) -> None:
    """No statement of a payment walks through a table that grows: each has its index."""
    path = tmp_path / "ledger.db"
    books = open_books(path, "one", 1)
    statements = said(books.connection, partial(pay, books, "lost", kind))
    statements += said(books.connection, partial(pay, books, "paid", kind))
    books.leave()
    with closing(sqlite3.connect(path)) as connection:
        plans = {
            row[3]
            for statement in statements
            if _EXPLAINED.match(statement)
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        }
    walks = {plan.removeprefix("SCAN ") for plan in plans if plan.startswith("SCAN ")}

    assert set() == walks - set(_SMALL)
    assert any(plan.startswith("SEARCH payments USING INDEX") for plan in plans)


def test_spending_is_added_up_in_order(tmp_path: Path) -> None:
    """What was spent is read off one index from its first hour on: no row, no sorting."""
    books = open_books(tmp_path / "ledger.db", "one", 1)
    pay(books, "paid")
    rows = books.connection.execute(f"EXPLAIN QUERY PLAN {SPENDING}", (0,)).fetchall()
    books.leave()

    assert ["SEARCH payments USING COVERING INDEX payments_spent (<expr>>?)"] == [
        row["detail"] for row in rows
    ]


def test_spending_does_not_grow(tmp_path: Path) -> None:
    """What was paid in the hours before costs nothing to leave out."""
    books = open_books(tmp_path / "ledger.db", "one", 1)
    connection = books.connection
    taken = []
    for lot in range(2):
        for number in range(2 if lot == 0 else 200):
            pay(books, f"paid {lot} {number}")
        later = NOON + timedelta(hours=1)
        taken.append(steps_of(connection, partial(spending, connection, later)))
    books.leave()

    assert taken[0] == taken[1]


def test_a_round_does_not_grow(tmp_path: Path) -> None:
    """What recovery asks, again and again, takes no more of a ledger with hundreds of payments
    that are over: whoever pays meanwhile waits for it."""
    books = open_books(tmp_path / "ledger.db", "one", 1)
    connection, instances = books.connection, books.instances
    taken = []
    for lot in range(2):
        for number in range(2 if lot == 0 else 200):
            pay(books, f"{'lost' if number % 2 else 'paid'} {lot} {number}")
        taken.append(
            [
                steps_of(connection, partial(orphaned, connection, instances)),
                steps_of(connection, partial(to_prove, connection, instances, NOON)),
                steps_of(connection, partial(unconfirmed, connection)),
                steps_of(connection, partial(undelivered, connection, instances, NOON)),
            ]
        )
    books.leave()

    assert taken[0] == taken[1]
