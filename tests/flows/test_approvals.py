"""Over a route's threshold nothing is signed before a person said so; counted at the seller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.ledger.model import Payment, PaymentState
from sidecar.money import Usdc
from sidecar.payments.approvals import ApprovalRule
from sidecar.payments.events import ApprovalAsked, ApprovalEnded
from sidecar.refusal import Denied
from sidecar.sandbox import SandboxOptions
from tests.world.shop import DAY, Process, Served, World
from tests.world.stores import Store
from tests.world.town import Town
from tests.world.vendor import AMOUNT

BODY = b'{"model":"m","messages":[]}'
ALWAYS = ApprovalRule(Usdc(0), wait_s=120)
PRICE = SandboxOptions().price


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def while_held(world: World, process: Process, act: Callable[[Payment], Any]) -> None:
    """Do this once, while a payment waits for a person."""
    sleep, done = world.clock.sleep, False

    async def sleep_and_act(duration_s: float) -> None:
        nonlocal done
        waiting = () if done else world.store.desk().asked()
        if waiting:
            done = True
            answer = act(waiting[0].payment)
            if asyncio.iscoroutine(answer):
                await answer
        await sleep(duration_s)

    world.clock.sleep = sleep_and_act  # type: ignore[method-assign]


def say(world: World, *, approve: bool) -> Callable[[Payment], Any]:
    """What a person at the command line does."""

    def decide(payment: Payment) -> None:
        assert [] == world.seller.presented(), "it was sent before anybody approved"
        now = world.clock.now()
        decided = world.store.desk().decide(payment.id, "test", now, approve=approve)
        assert isinstance(decided, Payment)

    return decide


def ending(process: Process) -> list[str]:
    """How each waiting ended."""
    return [event.outcome for event in process.events if isinstance(event, ApprovalEnded)]


def rule_of(served: Served) -> str:
    return served.outcome.rule if isinstance(served.outcome, Denied) else ""


async def test_below(world: World) -> None:
    """Nobody is asked for what is not over the threshold."""
    async with world.process(approval=ApprovalRule(PRICE, wait_s=120)) as process:
        served = await process.call(BODY)

    assert (200, []) == (served.status, ending(process))


async def test_approved(world: World) -> None:
    """Once it is approved the held request is paid, once, and served."""
    async with world.process(approval=ALWAYS) as process:
        while_held(world, process, say(world, approve=True))
        served = await process.call(BODY)

    assert (200, ["approved"]) == (served.status, ending(process))
    assert 1 == world.seller.settled(BODY)


async def test_each_is_asked(world: World) -> None:
    """An approval is for one payment: the next call is asked for again."""
    async with world.process(approval=ALWAYS) as process:
        while_held(world, process, say(world, approve=True))
        await process.call(BODY)
        again = await process.call(BODY)

    assert "approval_timeout" == rule_of(again)
    assert 1 == world.seller.settled(BODY)


async def test_refused(world: World) -> None:
    """A refusal ends the call with its rule; nothing is signed and the budget is free again."""
    async with world.process(approval=ALWAYS) as process:
        while_held(world, process, say(world, approve=False))
        refused = await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)
        (use,) = await process.ledger.budgets([DAY], world.clock.now())

    assert ("approval_refused", PaymentState.VOIDED) == (rule_of(refused), row.state)
    assert (0, []) == (use.reserved.atomic + use.spent.atomic, world.seller.presented())


async def test_timeout(world: World) -> None:
    """Nobody answers: after the wait the call is refused, and an approval then changes nothing."""
    async with world.process(approval=ALWAYS) as process:
        began_s = world.clock.monotonic_s()
        served = await process.call(BODY)
        waited_s = world.clock.monotonic_s() - began_s
        (row,) = await process.ledger.payments(None, 10)
        late = world.store.desk().decide(row.id, "test", world.clock.now(), approve=True)

    assert ("approval_timeout", PaymentState.VOIDED) == (rule_of(served), row.state)
    assert (120, ["approval_timeout"]) == (round(waited_s), ending(process))
    assert isinstance(late, Denied)
    assert [] == world.seller.presented()


async def test_reserved_meanwhile(world: World) -> None:
    """While it waits its amount is taken from the budget, and it says until when it waits."""
    seen: list[int] = []
    async with world.process(approval=ALWAYS) as process:

        async def look(payment: Payment) -> None:
            (use,) = await process.ledger.budgets([DAY], world.clock.now())
            seen.append(use.reserved.atomic)

        while_held(world, process, look)
        await process.call(BODY)
    (asked,) = [event for event in process.events if isinstance(event, ApprovalAsked)]

    assert [PRICE.atomic] == seen
    assert 120 == (asked.until - asked.payment.reserved_at).total_seconds()


async def test_hung_up(world: World) -> None:
    """An app that hangs up while it is held buys nothing, whatever a person says afterwards."""
    async with world.process(approval=ALWAYS) as process:
        call = asyncio.ensure_future(process.call(BODY))
        while_held(world, process, lambda payment: call.cancel())
        with pytest.raises(asyncio.CancelledError):
            await call
        await process.tasks.drain(1)
        (row,) = await process.ledger.payments(None, 10)

    assert (PaymentState.VOIDED, ["abandoned"]) == (row.state, ending(process))
    assert [] == world.seller.presented()


async def test_frozen_meanwhile(world: World) -> None:
    """A freeze that comes while it waits wins over an approval."""
    async with world.process(approval=ALWAYS) as process:

        def freeze_and_approve(payment: Payment) -> None:
            world.store.desk().freeze(world.clock.now())
            say(world, approve=True)(payment)

        while_held(world, process, freeze_and_approve)
        served = await process.call(BODY)

    assert "frozen" == rule_of(served)
    assert [] == world.seller.presented()


async def test_stopping_meanwhile(world: World) -> None:
    """Where nothing new may be signed any more, nobody is waited for."""
    async with world.process(approval=ALWAYS) as process:
        stopping = Denied("draining", "the sidecar is stopping")
        process.payer._approvals._objection = lambda network: stopping
        served = await process.call(BODY)

    assert ("draining", ["draining"]) == (rule_of(served), ending(process))
    assert 0 == world.clock.monotonic_s()


async def test_killed_meanwhile(world: World) -> None:
    """A process that dies while it waits leaves nothing: approved or not, it is never signed."""
    async with world.process(approval=ALWAYS) as process:
        held = asyncio.Event()
        while_held(world, process, lambda payment: held.set())
        call = asyncio.ensure_future(process.call(BODY))
        await held.wait()
        await world.store.kill(process.ledger, f"process-{world.processes}")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    async with world.process(approval=ALWAYS) as process:
        (waiting,) = world.store.desk().asked()
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)
        late = world.store.desk().decide(
            waiting.payment.id, "test", world.clock.now(), approve=True
        )

    assert PaymentState.VOIDED is row.state
    assert isinstance(late, Denied)
    assert [] == world.seller.presented()


async def test_top_up(store: Store) -> None:
    """A top-up over the threshold waits like any payment; approved, it is bought once."""
    town = Town(store)
    async with town.process(approval=ApprovalRule(Usdc(AMOUNT.atomic - 1), wait_s=60)) as process:
        app = town.app(process)

        def approve(payment: Payment) -> None:
            assert (0, "top_up") == (town.vendor.paid, payment.purpose)
            now = town.clock.now()
            town.store.desk().decide(payment.id, "test", now, approve=True)

        while_held(town, process, approve)
        served = await app.call()
        await process.tasks.drain(1)

    assert ("served", 1) == (served, town.vendor.paid)
