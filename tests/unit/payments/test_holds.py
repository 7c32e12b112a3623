"""Letting go of payments, and taking one back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from sidecar.clock import WatchedClock
from sidecar.errors import LedgerError
from sidecar.http import HttpRequest
from sidecar.ledger import Ledger
from sidecar.ledger.model import Change, Payment, Proof, Purchase
from sidecar.payments.events import Event, PaymentPosted
from sidecar.payments.holds import Holds
from sidecar.payments.order import Order
from sidecar.refusal import Denied
from tests.unit.proxy.test_admin import PAYMENT
from tests.world.fakes import FakeClock

PROOF = Proof("receipt", "0xmoved")
OTHER = replace(PAYMENT, id="p2")
PURCHASE = Purchase("k", explicit=False)
TTL = timedelta(seconds=600)


@dataclass
class Books:
    """A ledger of holds; ``broken`` while it cannot be written."""

    free: Payment | Denied | None = None
    broken: bool = False
    asked: int = 0
    released: list[str] = field(default_factory=list)
    concluded: list[tuple[str, Proof, bool]] = field(default_factory=list)
    made: str = "posted"
    claimed: list[tuple[Purchase, timedelta]] = field(default_factory=list)

    async def release(self, payment_id: str) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise LedgerError("disk full")
        self.released.append(payment_id)

    async def deliver(self, payment_id: str, at: datetime) -> None:
        if self.broken:
            raise LedgerError("disk full")

    async def conclude(
        self, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
    ) -> Change:
        if self.broken:
            raise LedgerError("disk full")
        self.concluded.append((payment_id, proof, delivered))
        return Change(PAYMENT, self.made)

    async def claim(
        self, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        if self.broken:
            raise LedgerError("disk full")
        self.claimed.append((purchase, at - undelivered_since))
        return self.free


def holds(books: Books, events: list[Event] | None = None) -> Holds:
    heard: list[Event] = [] if events is None else events
    return Holds(cast("Ledger", books), WatchedClock(FakeClock()), TTL, heard.append)


def order(presented: Payment | None) -> Order:
    request = HttpRequest("POST", "http://seller/")
    made = Order(request, PURCHASE, cast("Any", None), "app", ())
    made.presented = presented
    return made


async def test_left_for_later() -> None:
    """What could not be let go of is let go of later, before anything else is paid."""
    books = Books(broken=True)
    kept = holds(books)
    with pytest.raises(LedgerError):
        await kept.release("p1")
    with pytest.raises(LedgerError):
        await kept.delivered(OTHER)
    with pytest.raises(LedgerError):
        await kept.release_leftovers()
    books.broken = False
    await kept.release_leftovers()
    await kept.release_leftovers()

    assert ["p1", "p2"] == sorted(books.released)


@pytest.mark.parametrize("delivered", [True, False])
async def test_concluded(delivered: bool) -> None:
    """What was not posted yet is posted with the end of its holding, and told of."""
    books, events = Books(), list[Event]()
    kept = holds(books, events)
    await (kept.delivered if delivered else kept.released)(PAYMENT, PROOF)

    assert [(PAYMENT.id, PROOF, delivered)] == books.concluded
    assert [PaymentPosted(PAYMENT)] == events


async def test_posted_by_another() -> None:
    """What somebody else has posted meanwhile is not told of again."""
    books, events = Books(made=""), list[Event]()
    await holds(books, events).delivered(PAYMENT, PROOF)

    assert [] == events


@pytest.mark.parametrize("delivered", [True, False])
async def test_concluded_later(delivered: bool) -> None:
    """What could not be posted at its end is let go of later: in doubt, and free to bind to."""
    books, events = Books(broken=True), list[Event]()
    kept = holds(books, events)
    with pytest.raises(LedgerError):
        await (kept.delivered if delivered else kept.released)(PAYMENT, PROOF)
    books.broken = False
    await kept.release_leftovers()

    assert ([PAYMENT.id], [], []) == (books.released, books.concluded, events)


async def test_taken_back() -> None:
    """What was left is held again, as a retry at another process would have held it."""
    books = Books(free=PAYMENT)
    await holds(books).take_back(order(PAYMENT))

    assert [(PURCHASE, TTL)] == books.claimed
    assert [] == books.released


@pytest.mark.parametrize("free", [None, Denied("frozen", "it is frozen")])
async def test_taken_elsewhere(free: Denied | None) -> None:
    """Whoever came first at another process keeps it."""
    books = Books(free=free)
    await holds(books).take_back(order(PAYMENT))

    assert [] == books.released


async def test_another_one_of_the_purchase() -> None:
    """Another payment of the same purchase, which nobody here serves, is not kept from others."""
    books = Books(free=OTHER)
    await holds(books).take_back(order(PAYMENT))

    assert ["p2"] == books.released


async def test_nothing_was_signed() -> None:
    """Where nothing was signed there is nothing to take back."""
    books = Books(free=OTHER)
    await holds(books).take_back(order(None))

    assert [] == books.claimed


async def test_books_fail() -> None:
    """Whoever waits for a payment is served, although its hold cannot be written."""
    books = Books(broken=True)
    await holds(books).take_back(order(PAYMENT))
    books.broken = False
    await holds(books).release_leftovers()

    assert [] == books.released


async def test_leftovers_of_many() -> None:
    """Of many who find the ledger away with something to let go of, one asks and all hear it."""
    books = Books(broken=True)
    letting = holds(books)
    with pytest.raises(LedgerError):
        await letting.release("p1")
    heard = await asyncio.gather(
        *(letting.release_leftovers() for _ in range(9)), return_exceptions=True
    )
    books.broken = False
    await letting.release_leftovers()

    assert [LedgerError] * 9 == [type(fault) for fault in heard]
    assert (3, ["p1"]) == (books.asked, books.released)
