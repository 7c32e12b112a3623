"""A move by what is remembered of a payment is the move that its row permits, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_freeze
from sidecar.ledger.model import Change, PaymentState
from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_lists import steps
from tests.world.fakes import NOON
from tests.world.intents import EXPIRED, RECEIPT, SECOND, UNSIGNED, authorization
from tests.world.own_books import authorized, reserved, row_of, undone

LATER = NOON + SECOND


def told_of(books: Books, payment_id: str) -> list[str]:
    return [row["kind"] for row in steps(books.connection, payment_id)]


def spending_of(books: Books) -> list[tuple[int, int]]:
    found = books.connection.execute("SELECT reserved, spent FROM windows")
    return [(reserved, spent) for reserved, spent in found]


def made_of(change: Change) -> tuple[str, PaymentState]:
    return change.made, change.payment.state


def test_frozen_by_another(books: Books, tmp_path: Path) -> None:
    """What another process froze is not signed for, though the payment is known here."""
    reserved(books, "p")
    other = open_books(tmp_path / "ledger.db", "two", 1)
    sqlite_freeze.freeze(other.connection, NOON)
    other.leave()

    denied = books.authorize("p", authorization("p"), NOON)

    assert denied is not None
    assert "frozen" == denied.rule
    assert PaymentState.RESERVED is row_of(books, "p").state


def test_voided_by_another(books: Books, tmp_path: Path) -> None:
    """What another process voided is neither signed for nor posted here."""
    reserved(books, "p")
    authorized(books, "q")
    other = open_books(tmp_path / "ledger.db", "two", 1)
    other.void("p", UNSIGNED, NOON)
    other.void("q", EXPIRED, NOON)
    other.leave()

    with pytest.raises(LedgerError, match="is voided"):
        books.authorize("p", authorization("p"), NOON)

    assert ("", PaymentState.VOIDED) == made_of(books.post("q", RECEIPT, LATER))
    assert [(0, 0)] == spending_of(books)


@pytest.mark.parametrize("delivers", [False, True])
def test_posted_by_two(books: Books, tmp_path: Path, delivers: bool) -> None:
    """What two processes post is spent once, and told of by the first."""
    authorized(books, "p")
    other = open_books(tmp_path / "ledger.db", "two", 1)
    first = other.post("p", RECEIPT, NOON, delivers=delivers)
    other.leave()

    assert ("posted", PaymentState.POSTED) == made_of(first)
    assert ("", PaymentState.POSTED) == made_of(books.post("p", RECEIPT, LATER))
    assert [(0, first.payment.amount.atomic)] == spending_of(books)


@pytest.mark.parametrize("delivers", [False, True])
def test_delivered_by_another(books: Books, tmp_path: Path, delivers: bool) -> None:
    """A payment that another process delivered first is posted here as its row says."""
    authorized(books, "p")
    other = open_books(tmp_path / "ledger.db", "two", 1)
    other.deliver("p", NOON)
    other.leave()
    change = books.post("p", RECEIPT, LATER, delivers=delivers)

    assert NOON == change.payment.delivered_at
    assert row_of(books, "p") == change.payment


@pytest.mark.parametrize("delivers", [False, True])
def test_delivered_before(books: Books, delivers: bool) -> None:
    """A payment that was delivered here, while in doubt, is posted as its row says: when it was
    delivered, or that this was undone."""
    for payment_id, held in (("p", "delivered_at"), ("q", "NULL"), ("r", "delivered_at + 1000")):
        authorized(books, payment_id)
        books.deliver(payment_id, NOON)
        books.connection.execute(
            f"UPDATE payments SET delivered_at = {held} WHERE id = ?", (payment_id,)
        )
        change = books.post(payment_id, RECEIPT, LATER, delivers=delivers and held != "NULL")

        assert row_of(books, payment_id) == change.payment


@pytest.mark.parametrize(
    "column", ["amount = amount - 1", "windows = '[]'", "authorized_at = 7000"]
)
def test_row_that_differs(books: Books, column: str) -> None:
    """A payment is posted as its row has it, not as it is remembered."""
    authorized(books, "p")
    books.connection.execute(f"UPDATE payments SET {column}")

    change = books.post("p", RECEIPT, LATER)

    assert row_of(books, "p") == change.payment
    amount = 0 if "windows" in column else change.payment.amount.atomic
    assert [amount] == [spent for _, spent in spending_of(books)]


@pytest.mark.parametrize("state", [PaymentState.RESERVED, PaymentState.AUTHORIZED])
def test_stale_number(books: Books, tmp_path: Path, state: PaymentState) -> None:
    """A payment that is not at the number where it was reserved is found by its id."""
    with undone(books):
        reserved(books, "p")
    other = open_books(tmp_path / "ledger.db", "two", 1)
    for payment_id in ("q", "p"):
        reserved(other, payment_id)
    if state is PaymentState.AUTHORIZED:
        other.authorize("q", authorization("q"), NOON)
    other.leave()

    assert books.authorize("p", authorization("p"), NOON) is None
    books.post("p", RECEIPT, LATER)
    books.deliver("p", LATER)

    assert (state, None) == (
        row_of(books, "q").state,
        row_of(books, "q").delivered_at,
    )
    assert ["reserved", "authorized", "posted", "delivered"] == told_of(books, "p")
    assert LATER == row_of(books, "p").delivered_at


def test_a_move_asks_nothing(books: Books) -> None:
    """A payment that was reserved here is moved on without a look at it first, and all the same
    to its end."""
    amount = reserved(books, "p").amount.atomic
    statements: list[str] = []
    books.connection.set_trace_callback(statements.append)
    books.authorize("p", authorization("p"), NOON)
    books.post("p", RECEIPT, LATER)
    books.deliver("p", LATER)
    books.connection.set_trace_callback(None)

    assert [(0, amount)] == spending_of(books)
    assert ["reserved", "authorized", "posted", "delivered"] == told_of(books, "p")
    assert {"UPDATE", "INSERT"} == {each.split()[0] for each in statements}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("is_delivered", [False, True])
def test_posted_and_delivered(
    books: Books, tmp_path: Path, known: bool, is_delivered: bool
) -> None:
    """A payment that is posted and delivered in one is what its row says, and all of it is told,
    once, whether it was signed for here or not, and delivered before or not."""
    amount = authorized(books, "p").amount.atomic
    if is_delivered:
        books.deliver("p", NOON)
    mover = books if known else open_books(tmp_path / "ledger.db", "two", 1)
    change = mover.post("p", RECEIPT, LATER, delivers=True)
    if not known:
        mover.leave()

    assert row_of(books, "p") == change.payment
    assert ("posted", NOON if is_delivered else LATER) == (change.made, change.payment.delivered_at)
    told = ["delivered", "posted"] if is_delivered else ["posted", "delivered"]
    assert ["reserved", "authorized", *told] == told_of(books, "p")
    assert [(0, amount)] == spending_of(books)
    holder = books.connection.execute("SELECT holder FROM payments").fetchone()[0]
    assert (None if known or is_delivered else "one") == holder
