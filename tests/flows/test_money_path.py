"""The money path at its ports, in order, and what each seller's answer makes of a payment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sidecar.clock import WatchedClock
from sidecar.ledger.model import Breaker, Budget, PaymentState, Window
from sidecar.money import Usdc
from sidecar.payments.events import (
    PaymentInDoubt,
    PaymentPosted,
    PaymentReserved,
    PaymentUndelivered,
    PaymentVoided,
)
from sidecar.payments.order import InDoubt, Paid, Rejected, Undelivered
from sidecar.refusal import Denied
from tests.world.crash import CrashPlan
from tests.world.seller import InOnePiece, Step
from tests.world.shop import World
from tests.world.stores import Store

BODY = b'{"model":"m","messages":[]}'


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def test_transcript(world: World) -> None:
    """A paid call reserves, writes down, presents, posts and delivers, in this order."""
    plan = CrashPlan()
    async with world.process(plan) as process:
        await process.call(BODY)

    assert [
        "upstream.send",  # bare: the seller asks for payment
        "ledger.reserve",
        "ledger.authorize",
        "upstream.send",  # with the payment
        "ledger.post",
        "ledger.deliver",
    ] == [moment.removeprefix("after ") for moment in plan.moments if moment.startswith("after")]


async def test_transcript_of_a_whole_answer(world: World) -> None:
    """An answer that is here whole is posted and delivered in one move, after its last byte."""
    world.upstream = InOnePiece(world.seller)
    plan = CrashPlan()
    async with world.process(plan) as process:
        served = await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)
        (use,) = await process.ledger.budgets(process.budgets, world.clock.now())

    assert [
        "upstream.send",
        "ledger.reserve",
        "ledger.authorize",
        "upstream.send",
        "ledger.conclude",
    ] == [moment.removeprefix("after ") for moment in plan.moments if moment.startswith("after")]
    assert 200 == served.status
    assert (PaymentState.POSTED, world.clock.now()) == (row.state, row.delivered_at)
    assert (Usdc(10_000), Usdc(0)) == (use.spent, use.reserved)
    assert [PaymentReserved, PaymentPosted] == [type(event) for event in process.events]


async def test_hang_up_in_a_whole_answer(world: World) -> None:
    """An app that hangs up on an answer that is here, and comes back, does not pay again."""
    world.upstream = InOnePiece(world.seller)
    async with world.process() as process:
        await process.call(BODY, hangs_up=True)
        (row,) = await process.ledger.payments(None, 10)
        served = await process.call(BODY)

    assert (PaymentState.POSTED, None) == (row.state, row.delivered_at)
    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)
    assert [PaymentReserved, PaymentPosted] == [type(event) for event in process.events]


async def test_paid_once(world: World) -> None:
    """A call is paid once, posted on the receipt, and marked delivered."""
    async with world.process() as process:
        served = await process.call(BODY)
        rows = await process.ledger.payments(None, 10)

    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)
    assert [(PaymentState.POSTED, True)] == [
        (row.state, row.delivered_at is not None) for row in rows
    ]
    assert [PaymentReserved, PaymentPosted] == [type(event) for event in process.events]


async def test_same_call_twice_is_two_purchases(world: World) -> None:
    """A delivered call that is made again is a new purchase."""
    async with world.process() as process:
        await process.call(BODY)
        await process.call(BODY)

    assert 2 == world.seller.settled(BODY)


@pytest.mark.parametrize("how", ["hang", "reset"])
async def test_no_answer_is_presented_again(world: World, how: str) -> None:
    """After no answer the very same payment header is presented again, in the same call."""
    world.seller.steps.append(Step(how))
    async with world.process() as process:
        served = await process.call(BODY)

    first, second = world.seller.presented()
    assert first == second
    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)


@pytest.mark.parametrize("status", [402, 408, 409, 425, 429, 500, 502, 503, 504])
async def test_refusals_are_presented_again(world: World, status: int) -> None:
    """A retryable answer after payment is met with the same authorization, never another."""
    world.seller.steps.append(Step(status=status, receipt=False))
    async with world.process() as process:
        served = await process.call(BODY)

    first, second = world.seller.presented()
    assert first == second
    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)


async def test_in_doubt_binds(world: World) -> None:
    """The app's retry of a call in doubt presents the same authorization and pays nothing new."""
    world.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with world.process() as process:
        first = await process.call(BODY)
        second = await process.call(BODY)

    assert isinstance(first.outcome, InDoubt)
    assert 200 == second.status
    assert 1 == len(set(world.seller.presented()))
    assert 1 == world.seller.settled(BODY)
    assert [PaymentReserved, PaymentInDoubt, PaymentPosted] == [
        type(event) for event in process.events
    ]


async def test_in_doubt_binds_after_restart(world: World) -> None:
    """The payment in doubt is found, and the same header rebuilt, by the next process."""
    world.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
    async with world.process() as process:
        served = await process.call(BODY)

    assert 200 == served.status
    assert 1 == len(set(world.seller.presented()))
    assert 1 == world.seller.settled(BODY)


async def test_402_is_not_evidence(world: World) -> None:
    """A 402 after payment leaves the payment in doubt, and its money counted."""
    world.rpc_urls = ()
    world.seller.steps.extend([Step(status=402, receipt=False)] * 3)
    async with world.process() as process:
        served = await process.call(BODY)
        (use,) = await process.ledger.budgets(process.budgets, world.clock.now())

    assert isinstance(served.outcome, InDoubt)
    assert Usdc(10_000) == use.reserved


async def test_chain_says_paid(world: World) -> None:
    """Paid on the chain and still refused: closed as undelivered; the next call is a new one."""
    world.seller.steps.extend([Step(status=402, receipt=False)] * 3)
    async with world.process() as process:
        refused = await process.call(BODY)
        again = await process.call(BODY)

    assert isinstance(refused.outcome, Undelivered)
    assert 200 == again.status
    assert 2 == world.seller.settled(BODY)
    assert PaymentUndelivered in {type(event) for event in process.events}


async def test_cut_body_binds_once(world: World) -> None:
    """A paid body that was cut is not delivered, and the retry presents the same payment."""
    world.seller.steps.append(Step("cut"))
    async with world.process() as process:
        first = await process.call(BODY)
        second = await process.call(BODY)

    assert (0, 200) == (first.status, second.status)
    assert 1 == world.seller.settled(BODY)


async def test_hang_up_binds(world: World) -> None:
    """An app that hangs up before its last byte, and comes back, does not pay again."""
    async with world.process() as process:
        await process.call(BODY, hangs_up=True)
        served = await process.call(BODY)

    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)


async def test_undelivered_ages_out(world: World) -> None:
    """A posted payment that nobody came back for is closed after its time, and counted."""
    async with world.process() as process:
        await process.call(BODY, hangs_up=True)
        world.clock.advance(601)
        await process.recovery.run_once()
        await process.call(BODY)

    assert 2 == world.seller.settled(BODY)
    assert PaymentUndelivered in {type(event) for event in process.events}


async def test_upfront_failure(world: World) -> None:
    """A seller that keeps the money and answers 500 is posted, and ends as paid, undelivered."""
    world.seller.steps.extend([Step(status=500)] * 3)
    async with world.process() as process:
        served = await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)

    assert isinstance(served.outcome, Undelivered)
    assert PaymentState.POSTED is row.state
    assert row.closed_at is not None


async def test_no_receipt(world: World) -> None:
    """A 2xx without a receipt is posted unconfirmed, and the chain confirms it."""
    world.seller.steps.append(Step(receipt=False))
    async with world.process() as process:
        await process.call(BODY)
        (before,) = await process.ledger.payments(None, 10)
        await process.recovery.run_once()
        (after,) = await process.ledger.payments(None, 10)

    assert (False, True) == (before.confirmed, after.confirmed)


async def test_app_mistake(world: World) -> None:
    """A seller's 400 to the paid request reaches the app, and the payment stays in doubt."""
    world.seller.steps.append(Step(status=400, settles=False, receipt=False))
    async with world.process() as process:
        served = await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)

    assert isinstance(served.outcome, Rejected)
    assert 400 == served.status
    assert PaymentState.AUTHORIZED is row.state


async def test_retry_after_is_obeyed(world: World) -> None:
    """The same authorization goes out again no sooner than Retry-After says."""
    world.seller.steps.append(Step(status=503, receipt=False, headers=(("Retry-After", "7"),)))
    began = world.clock.now()
    async with world.process() as process:
        await process.call(BODY)

    assert timedelta(seconds=7) <= world.clock.now() - began


async def test_expiry_voids(world: World) -> None:
    """An authorization that was never used is voided once a finalized block is past its end."""
    world.seller.steps.extend([Step("reset", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        await process.recovery.run_once()
        (young,) = await process.ledger.payments(None, 10)
        world.clock.advance(200)
        await process.recovery.run_once()
        (old,) = await process.ledger.payments(None, 10)
        (use,) = await process.ledger.budgets(process.budgets, world.clock.now())

    assert PaymentState.AUTHORIZED is young.state
    assert PaymentState.VOIDED is old.state
    assert Usdc(0) == use.reserved
    assert PaymentVoided in {type(event) for event in process.events}


async def test_failed_read_voids_nothing(world: World) -> None:
    """A chain that cannot be read proves nothing, however long ago the authorization ended."""
    world.seller.steps.extend([Step("reset", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        world.clock.advance(10_000)
        world.seller.rpc_down = True
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)

    assert PaymentState.AUTHORIZED is row.state


async def test_local_clock_voids_nothing(world: World) -> None:
    """An authorization ends by the chain's time; a local clock that ran ahead changes nothing."""
    world.seller.steps.extend([Step("reset", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        ahead = world.clock.now() + timedelta(hours=3)
        clock = WatchedClock(type(world.clock)(ahead))
        process.prover._clock = process.recovery._clock = clock
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)

    assert PaymentState.AUTHORIZED is row.state


async def test_recovery_posts(world: World) -> None:
    """A payment in doubt that the chain shows is posted, and the retry is served by it."""
    world.seller.steps.extend([Step("hang")] * 3)
    async with world.process() as process:
        await process.call(BODY)
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)
        served = await process.call(BODY)

    assert PaymentState.POSTED is row.state
    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)


async def test_budget_refuses(world: World) -> None:
    """A payment that does not fit its budget is refused by name, and nothing is signed."""
    small = Budget("small", Usdc(15_000), Window.HOUR)
    async with world.process(budgets=(small,)) as process:
        await process.call(BODY)
        served = await process.call(BODY)

    assert isinstance(served.outcome, Denied)
    assert ("budget", "small") == (
        served.outcome.rule,
        served.outcome.budget and served.outcome.budget.name,
    )
    assert 1 == len(world.seller.presented())


async def test_policy_refuses(world: World) -> None:
    """A price over the route's cap is refused before anything is reserved."""
    async with world.process(max_payment=Usdc(9_999)) as process:
        served = await process.call(BODY)

    assert isinstance(served.outcome, Denied)
    assert "max_payment" == served.outcome.rule
    assert [] == process.events


async def test_breaker(world: World) -> None:
    """A route that was paid for nothing too often is refused until its window has passed."""
    world.seller.steps.extend([Step(status=500)] * 3)
    breaker = Breaker(undelivered_max=1, window=timedelta(hours=1))
    async with world.process(breaker=breaker) as process:
        await process.call(BODY)
        refused = await process.call(BODY)
        world.clock.advance(3_700)
        served = await process.call(BODY)

    assert isinstance(refused.outcome, Denied)
    assert "breaker" == refused.outcome.rule
    assert 200 == served.status


async def test_explicit_key_is_one_purchase(world: World) -> None:
    """Two calls with one Idempotency-Key are one purchase, even when the first was delivered."""
    async with world.process() as process:
        await process.call(BODY, idempotency_key="order-1")
        await process.call(BODY, idempotency_key="order-1")

    assert 1 == world.seller.settled(BODY)


async def test_paid_holds(world: World) -> None:
    """An identical call while the first is being served is a purchase of its own."""
    async with world.process() as process:
        order = process.order(BODY)
        first = await process.payer.pay(order, await _required(world))
        second = await process.payer.pay(process.order(BODY), await _required(world))

    assert isinstance(first, Paid)
    assert isinstance(second, Paid)
    assert first.payment.id != second.payment.id


async def _required(world: World):  # type: ignore[no-untyped-def]  # a test's shorthand
    from sidecar.http import HttpRequest, read_whole
    from sidecar.x402.codec import read_payment_required
    from tests.world.shop import URL

    reply = await world.seller.send(HttpRequest("POST", URL, (), BODY), wait_s=1)
    return read_payment_required(await read_whole(reply, 1_000_000))
