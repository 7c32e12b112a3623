"""Which request pays, which waits, and which binds to what an earlier one began."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sidecar.http import HttpRequest
from sidecar.ledger.model import Payment, Proof, Purchase
from sidecar.payments.order import Order, Outcome, Paid
from sidecar.payments.payer import Payer
from sidecar.payments.purchases import Purchases
from sidecar.refusal import ABANDONED, Denied
from sidecar.tasks import Supervisor
from sidecar.x402.types import PaymentRequired

REQUIRED = PaymentRequired(2, ())
DENIED = Denied("budget", "no more")
PROOF = Proof("receipt", "0xmoved")


class FakeReply:
    closed = False

    def close(self) -> None:
        self.closed = True


class SlowPayer:
    """Pays when the test lets it; notes who was served and what was released."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.orders: list[Order] = []
        self.released_payments: list[Any] = []
        self.unposted: list[Proof | None] = []
        self.taken_back_orders: list[Order] = []
        self.presents: Any = None
        self.outcome: Outcome | Exception = DENIED

    async def pay(self, order: Order, required: PaymentRequired) -> Outcome:
        self.orders.append(order)
        order.presented = self.presents
        await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if order.deserted and isinstance(self.outcome, Denied):
            return Denied(ABANDONED, "the app hung up")
        return self.outcome

    async def released(self, payment: Payment, unposted: Proof | None = None) -> None:
        self.released_payments.append(payment)
        self.unposted.append(unposted)

    async def taken_back(self, order: Order) -> None:
        self.taken_back_orders.append(order)


class World:
    def __init__(self, *, are_shared: bool = True) -> None:
        self.payer = SlowPayer()
        self.tasks = Supervisor(lambda name, fault: None)
        self.purchases = Purchases(cast("Payer", self.payer), self.tasks, are_shared=are_shared)

    def request(self, key: str = "k") -> asyncio.Task[Outcome]:
        order = Order(
            HttpRequest("POST", "http://seller/"),
            Purchase(key, explicit=False),
            cast("Any", None),
            "app",
            (),
        )
        return asyncio.create_task(self.purchases.pay(order, REQUIRED))

    async def hang_up(self, request: asyncio.Task[Outcome]) -> None:
        await asyncio.sleep(0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request


@pytest.fixture
async def world() -> World:
    return World()


def paid(unposted: Proof | None = None) -> Paid:
    return Paid(cast("Payment", "the payment"), cast("Any", FakeReply()), unposted)


async def test_paid(world: World) -> None:
    """A request gets the payer's outcome."""
    world.payer.gate.set()

    assert DENIED == await world.request()


async def test_identical_requests_pay_each(world: World) -> None:
    """Two identical requests whose apps both wait are two purchases."""
    first, second = world.request(), world.request()
    await asyncio.sleep(0)
    world.payer.gate.set()
    await asyncio.gather(first, second)

    assert 2 == len(world.payer.orders)


async def test_hang_up_does_not_cancel(world: World) -> None:
    """An app that hangs up does not cancel its payment, and the retry joins it."""
    world.payer.outcome = paid()
    await world.hang_up(world.request())
    retry = world.request()
    await asyncio.sleep(0)
    world.payer.gate.set()

    assert world.payer.outcome == await retry
    assert 1 == len(world.payer.orders)
    assert not world.payer.orders[0].deserted


async def test_each_retry_joins_one(world: World) -> None:
    """Two deserted payments of one purchase are joined by one retry each."""
    world.payer.outcome = paid()
    first, second = world.request(), world.request()
    await world.hang_up(first)
    await world.hang_up(second)
    retries = [world.request(), world.request()]
    await asyncio.sleep(0)
    world.payer.gate.set()
    await asyncio.gather(*retries)

    assert 2 == len(world.payer.orders)


async def test_retry_may_hang_up_too(world: World) -> None:
    """A retry that hangs up leaves the payment to the next one."""
    world.payer.outcome = paid()
    await world.hang_up(world.request())
    await world.hang_up(world.request())
    last = world.request()
    await asyncio.sleep(0)
    world.payer.gate.set()

    assert world.payer.outcome == await last
    assert 1 == len(world.payer.orders)


async def test_nobody_comes_back(world: World) -> None:
    """When nobody comes back the reply is closed and the payment released."""
    world.payer.outcome = paid()
    await world.hang_up(world.request())
    world.payer.gate.set()
    await world.tasks.drain(1)

    assert ["the payment"] == world.payer.released_payments
    assert isinstance(world.payer.outcome.reply, FakeReply)
    assert world.payer.outcome.reply.closed


async def test_nobody_comes_back_to_what_is_not_posted(world: World) -> None:
    """What is not posted yet when nobody comes back is posted as it is let go of."""
    world.payer.outcome = paid(PROOF)
    await world.hang_up(world.request())
    world.payer.gate.set()
    await world.tasks.drain(1)

    assert (["the payment"], [PROOF]) == (world.payer.released_payments, world.payer.unposted)


async def test_two_leave_one_returns(world: World) -> None:
    """What nobody joined is released, and only that."""
    world.payer.outcome = paid()
    await world.hang_up(world.request())
    await world.hang_up(world.request("other"))
    retry = world.request()
    await asyncio.sleep(0)
    world.payer.gate.set()
    await retry
    await world.tasks.drain(1)

    assert 1 == len(world.payer.released_payments)


async def test_refused_for_nobody(world: World) -> None:
    """A refusal that nobody hears leaves nothing behind."""
    await world.hang_up(world.request())
    world.payer.gate.set()
    await world.tasks.drain(1)

    assert [] == world.payer.released_payments


async def test_failed_for_nobody(world: World) -> None:
    """A fault that nobody hears is the supervisor's to report."""
    world.payer.outcome = RuntimeError("bug")
    await world.hang_up(world.request())
    world.payer.gate.set()
    await world.tasks.drain(1)

    assert [] == world.payer.released_payments


async def test_abandoned_before_signing(world: World) -> None:
    """A retry that joins a payment which was given up before signing starts its own."""
    await world.hang_up(world.request())
    world.payer.gate.set()
    await asyncio.sleep(0)
    # Its task has read the desertion; only now does the retry come.
    world.payer.orders[0].deserted = True
    joined = Denied(ABANDONED, "the app hung up")
    world.payer.outcome = joined
    await world.tasks.drain(1)
    world.payer.outcome = DENIED

    assert DENIED == await world.request()
    assert 2 == len(world.payer.orders)


async def test_join_that_was_abandoned(world: World) -> None:
    """The retry never gets the abandoned outcome itself."""
    world.payer.outcome = Denied(ABANDONED, "the app hung up")
    await world.hang_up(world.request())
    retry = world.request()
    await asyncio.sleep(0)
    world.payer.gate.set()
    await retry

    assert 2 == len(world.payer.orders)


async def test_one_of_two_ends(world: World) -> None:
    """When one of two deserted payments ends, the other still waits for its retry."""
    world.payer.outcome = paid()
    first, second = world.request(), world.request()
    await world.hang_up(first)
    await world.hang_up(second)
    world.payer.gate.set()
    await world.tasks.drain(1)

    assert 2 == len(world.payer.released_payments)


async def test_deserted_is_let_go_of(world: World) -> None:
    """What was signed for an app that hung up is free at once; whoever joins it takes it back."""
    world.payer.presents = "the payment"
    world.payer.outcome = paid()
    first = world.request()
    await world.hang_up(first)
    await asyncio.sleep(0)
    free = world.payer.released_payments[:]
    second = world.request()
    await asyncio.sleep(0)
    world.payer.gate.set()
    outcome = await second

    assert ["the payment"] == free == world.payer.released_payments
    assert world.payer.orders == world.payer.taken_back_orders
    assert isinstance(outcome, Paid)


async def test_alone() -> None:
    """Where one process serves all, it holds what it presents until that is over."""
    world = World(are_shared=False)
    world.payer.presents = "the payment"
    world.payer.outcome = paid()
    await world.hang_up(world.request())
    await asyncio.sleep(0)
    second = world.request()
    await asyncio.sleep(0)
    world.payer.gate.set()
    await second

    assert ([], []) == (world.payer.released_payments, world.payer.taken_back_orders)


async def test_nothing_is_signed_yet(world: World) -> None:
    """For an app that hung up before anything was signed there is nothing to let go of."""
    first = world.request()
    await world.hang_up(first)
    await asyncio.sleep(0)

    assert [] == world.payer.released_payments
