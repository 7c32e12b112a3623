"""What a reservation does not ask again is what it would have found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sidecar.ledger import sqlite_freeze, sqlite_pins
from sidecar.ledger.model import Breaker, Budget, Payment, Window
from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_writer import Writer
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.unit.ledger.test_sqlite_writer import in_one_batch
from tests.world.fakes import NOON
from tests.world.intents import HOUR, RECEIPT, authorization, intent

BUDGETS = (Budget("day", Usdc(10**9), Window.DAY),)
BREAKER = Breaker(1, HOUR)


@pytest.fixture
def books(books: Books) -> Iterator[Books]:
    """The books of one process, in a transaction that writes."""
    books.connection.execute("BEGIN IMMEDIATE")
    books.seen.begin()
    yield books
    books.connection.execute("COMMIT")


def reserve(books: Books, payment_id: str, at: datetime = NOON, **terms: Any) -> str:
    """The id of the payment that was made or bound, or the rule that refused."""
    usual: dict[str, Any] = {"budgets": BUDGETS, "breaker": BREAKER, "pin_place": ""}
    made = books.reserve(intent(payment_id, **usual | terms), at)
    return made.id if isinstance(made, Payment) else made.rule


def reserve_ten(books: Books, name: str = "p") -> None:
    """Some payments that nothing speaks against, so that what was seen is held."""
    for number in range(10):
        assert f"{name} {number}" == reserve(books, f"{name} {number}")


def trace(books: Books, into: list[str]) -> None:
    books.connection.set_trace_callback(into.append)


def freeze_from_elsewhere(path: Path) -> None:
    other = open_books(path, "two", 1)
    sqlite_freeze.freeze(other.connection, NOON)
    other.leave()


async def test_asked_once(writer: Writer) -> None:
    """The payments of one batch ask once what the first finds and what it pins; the next batch
    asks for itself."""
    asked = []
    for batch in range(2):
        statements: list[str] = []
        tasks = await in_one_batch(
            writer,
            partial(trace, into=statements),
            *[partial(reserve_ten, name=f"{batch} {at}") for at in range(2)],
        )
        for task in tasks:
            await task
        asked.append(sum("FROM freeze" in each for each in statements))

    assert [2, 1] == asked


def test_frozen_between(books: Books) -> None:
    """A freeze holds from the next payment of its own transaction on, and so does its end."""
    reserve_ten(books)
    sqlite_freeze.freeze(books.connection, NOON)

    assert ["frozen", "frozen"] == [reserve(books, payment_id) for payment_id in "qr"]
    sqlite_freeze.unfreeze(books.connection)
    assert "q" == reserve(books, "q")


def signed_for(books: Books, payment_id: str) -> None:
    assert payment_id == reserve(books, payment_id)
    assert books.authorize(payment_id, authorization(payment_id), NOON) is None


def test_moved_between(books: Books) -> None:
    """A payment that is signed for, posted and delivered between two changes nothing for the
    next: it asks no more than if there had been none."""
    statements: list[str] = []
    reserve_ten(books)
    trace(books, statements)
    signed_for(books, "q")
    signed_for(books, "r")
    books.post("q", RECEIPT, NOON)
    books.deliver("q", NOON)
    books.post("r", RECEIPT, NOON, delivers=True)

    assert "s" == reserve(books, "s")
    assert 0 == sum("AS frozen_since" in each for each in statements)


@pytest.mark.parametrize("move", ["post", "deliver"])
def test_moved_after_a_freeze(books: Books, move: str) -> None:
    """A payment that moves after a freeze hides it from nobody."""
    signed_for(books, "p")
    reserve_ten(books, "q")
    sqlite_freeze.freeze(books.connection, NOON)
    if move == "post":
        books.post("p", RECEIPT, NOON)
    books.deliver("p", NOON)

    assert "frozen" == reserve(books, "r")


def test_pinned_by_the_first(books: Books) -> None:
    """The payee that the first payment of a transaction pins is the only one of the rest."""
    made = [reserve(books, str(at), pay_to=payee) for at, payee in enumerate("aabab")]

    assert ["0", "1", "payee_changed", "3", "payee_changed"] == made


def test_forgotten_between(books: Books) -> None:
    """A payee that is forgotten in a transaction is not held against the next one of it."""
    reserve_ten(books)
    sqlite_pins.forget(books.connection, "venice")

    assert "q" == reserve(books, "q", pay_to="0xother")
    assert "payee_changed" == reserve(books, "r")


def test_places_apart(books: Books) -> None:
    """What was seen of one route, network or place is not said of another."""
    apart: list[dict[str, Any]] = [
        {"pay_to": "a"},
        {"pay_to": "b", "route": "other"},
        {"pay_to": "c", "network": "eip155:8453"},
        {"pay_to": "d", "pin_place": "there"},
    ]
    for turn in range(3):
        for at, terms in enumerate(apart):
            assert f"{turn} {at}" == reserve(books, f"{turn} {at}", **terms)

    refused = [reserve(books, "no", **terms | {"pay_to": "e"}) for terms in apart]
    assert ["payee_changed"] * 4 == refused


def test_given_up_between(books: Books) -> None:
    """A payment that is given up in a transaction counts for the breaker in the rest of it."""
    reserve_ten(books)
    books.authorize("p 0", authorization("p 0"), NOON)
    books.post("p 0", RECEIPT, NOON)
    reserve_ten(books, "q")
    books.give_up("p 0", NOON)

    assert ["breaker", "breaker"] == [reserve(books, payment_id) for payment_id in "rs"]


def test_earlier_clock(books: Books) -> None:
    """That nothing was given up lately does not speak for an earlier moment."""
    reserve_ten(books)
    books.authorize("p 0", authorization("p 0"), NOON)
    books.post("p 0", RECEIPT, NOON)
    books.give_up("p 0", NOON)
    later = NOON + 2 * HOUR

    assert ["q", "r", "breaker", "s"] == [
        reserve(books, "q", later),
        reserve(books, "r", later),
        reserve(books, "no", later - HOUR - timedelta(minutes=30)),
        reserve(books, "s", later),
    ]


def test_rival_between(books: Books) -> None:
    """A purchase that is open is bound to, or told apart, whatever its neighbours found."""
    reserve_ten(books)
    books.authorize("p 0", authorization("p 0"), NOON)
    books.release("p 0")
    reserve_ten(books, "q")

    assert "p 0" == reserve(books, "again", key="key of p 0")
    assert "r" == reserve(books, "r", key="key of q 0")
    slots = books.connection.execute(
        "SELECT slot FROM payments WHERE purchase_key = 'key of q 0' ORDER BY seq"
    )
    assert [0, 1] == [slot for (slot,) in slots]


def test_rival_of_one(books: Books) -> None:
    """That one purchase is open is not said of the next."""
    reserve_ten(books)
    books.release("p 0")

    assert "q" == reserve(books, "q", key="key of p 1")
    seen = books.seen.look(intent("r", pin_place=""), NOON)
    assert 0 == seen["rivalled"]


@pytest.mark.parametrize("writes", [True, False])
async def test_frozen_from_elsewhere(writer: Writer, tmp_path: Path, writes: bool) -> None:
    """What another process froze since is seen in the next transaction, of whatever kind."""
    await writer.do(reserve_ten)
    freeze_from_elsewhere(tmp_path / "ledger.db")

    assert "frozen" == await writer.do(lambda books: reserve(books, "q"), writes=writes)


async def test_undone_between(writer: Writer) -> None:
    """A payee whose pin was undone is not held against the next piece of the batch."""

    def fail(books: Books) -> None:
        reserve_ten(books)
        raise AssertionError("a bug")

    failed, made = await in_one_batch(
        writer, fail, lambda books: reserve(books, "q", pay_to="0xother")
    )

    with pytest.raises(AssertionError, match="a bug"):
        await failed
    assert "q" == await made


async def test_refused_between(writer: Writer) -> None:
    """What was undone with a whole transaction is not seen when it is done once more."""
    denied = Denied("budget", "no")

    def refuse(books: Books) -> Denied:
        reserve_ten(books)
        return denied

    made = await in_one_batch(
        writer, refuse, *[partial(reserve, payment_id=to, pay_to=to) for to in "ab"]
    )

    assert [denied, "a", "payee_changed"] == [await task for task in made]
