"""One process's books, moved without the writer in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sidecar.ledger.model import Budget, Payment, Window
from sidecar.ledger.rows import payment_of
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_lists import find
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import authorization, intent

BUDGETS = (Budget("day", Usdc(10**9), Window.DAY),)


@contextmanager
def undone(books: Books) -> Iterator[None]:
    """What is done in here is not kept."""
    books.connection.execute("BEGIN IMMEDIATE")
    yield
    books.connection.execute("ROLLBACK")


def reserved(books: Books, payment_id: str) -> Payment:
    """A payment that is reserved."""
    payment = books.reserve(intent(payment_id, budgets=BUDGETS), NOON)
    assert isinstance(payment, Payment)
    return payment


def authorized(books: Books, payment_id: str) -> Payment:
    """As it was reserved; it is signed for now."""
    payment = reserved(books, payment_id)
    books.authorize(payment_id, authorization(payment_id), NOON)
    return payment


def row_of(books: Books, payment_id: str) -> Payment:
    """The payment as its row has it."""
    row = find(books.connection, payment_id)
    assert row is not None
    return payment_of(row)
