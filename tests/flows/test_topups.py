"""Credit is bought once for all who need it, whatever the vendor, the clock or a crash does."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from sidecar.ledger.model import PaymentState
from sidecar.money import Usdc
from sidecar.payments.events import ToppedUp, TopUpsStopped
from sidecar.payments.prepaid import Credited, TopUpTerms
from sidecar.refusal import Denied
from tests.world.crash import CrashPlan, Killed
from tests.world.seller import Step
from tests.world.shop import Process
from tests.world.stores import Store
from tests.world.town import Town
from tests.world.vendor import AMOUNT, PRICE, PURSE


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store)


def outcomes(process: Process) -> list[str]:
    return [event.outcome for event in process.events if isinstance(event, ToppedUp)]


async def rows(process: Process) -> list[tuple[str, str, bool]]:
    """Every payment: its purpose, its state, and whether it is complete."""
    found = await process.ledger.payments(None, 100)
    return [(row.purpose, row.state.value, row.delivered_at is not None) for row in found]


async def test_bought_and_used(town: Town) -> None:
    """An empty account: one refusal, one top-up, and the request is served; then no more."""
    async with town.process() as process:
        app = town.app(process)
        answers = [await app.call() for _ in range(3)]
        await process.tasks.drain(1)
        result = await rows(process)

    assert ["served"] * 3 == answers
    assert 1 == town.vendor.paid
    assert [("top_up", "posted", True)] == result
    assert ["raised"] == outcomes(process)


async def test_a_thousand_at_once(town: Town) -> None:
    """A thousand concurrent requests on an empty account: exactly one top-up, all are served."""
    async with town.process() as process:
        app = town.app(process)
        answers = await asyncio.gather(*(app.call() for _ in range(1000)))

    assert {"served": 1000} == Counter(answers)
    assert 1 == town.vendor.paid
    assert AMOUNT.in_usd() - 1000 * PRICE == town.vendor.credit


async def test_late_refusal(town: Town) -> None:
    """A refusal that comes after the top-up it needed buys nothing: its request was older."""
    async with town.process() as process:
        app = town.app(process)
        sent_s = process.watched.mark_s()
        process.clock.advance(1)
        await app.call()
        await process.tasks.drain(1)
        charges = len(town.vendor.seller.sent)
        await app.topups.ensure("tab", "", "app", sent_s)

    assert 1 == town.vendor.paid
    assert charges == len(town.vendor.seller.sent)


@pytest.mark.parametrize("jump_s", [20, -20])
@pytest.mark.parametrize("early", [True, False])
async def test_clock_set_before_the_refusal(town: Town, jump_s: float, early: bool) -> None:
    """A request that is older than the last top-up buys none, whichever way the clock was set."""
    async with town.process() as process:
        app, clock = town.app(process), process.clock
        sent_s = process.watched.mark_s()
        clock.advance(1)
        if early:
            clock.set_wall(clock.now() + timedelta(seconds=jump_s))
        await app.call()
        await process.tasks.drain(1)
        if not early:
            clock.set_wall(clock.now() + timedelta(seconds=jump_s))
        clock.advance(1)
        refill = await app.topups.ensure("tab", "", "app", sent_s)

    assert Credited() == refill
    assert 1 == town.vendor.paid


async def test_clock_set_while_it_is_bought(town: Town) -> None:
    """A clock that is set back before another process completes its top-up: one is bought."""
    async with town.process() as one, town.process() as two:
        other = town.app(two)

        async def overtake() -> None:
            one.clock.set_wall(one.clock.now() - timedelta(seconds=20))
            await other.call()
            await two.tasks.drain(1)

        town.vendor.interrupt = overtake
        answer = await town.app(one).call()

    assert "served" == answer
    assert 1 == town.vendor.paid


async def test_sent_while_credit_was_awaited(town: Town) -> None:
    """A request that was sent before the credit could be known to be there is sent again."""
    town.vendor.mute = True
    async with town.process() as process:
        app = town.app(process)
        paid_s = process.watched.mark_s()
        await app.topups.ensure("tab", "", "app", paid_s)
        refill = await app.topups.ensure("tab", "", "app", paid_s + 2)
        later = await app.topups.ensure("tab", "", "app", paid_s + 120)

    assert Credited() == refill
    assert isinstance(later, Denied)


async def test_used_up_again(town: Town) -> None:
    """Once its credit was seen and used, an empty account is topped up again."""
    async with town.process() as process:
        app = town.app(process)
        await app.call()
        await process.tasks.drain(1)
        town.vendor.credit = Decimal(0)
        process.clock.advance(1)
        answer = await app.call()

    assert "served" == answer
    assert 2 == town.vendor.paid


async def test_used_up_at_once(town: Town) -> None:
    """Credit that is gone before its reading is old: the next is seen to come all the same."""
    async with town.process() as process:
        app = town.app(process)
        answers = [await app.call()]
        await process.tasks.drain(1)
        town.vendor.credit = Decimal(0)
        process.clock.advance(0.05)
        answers.append(await app.call())
        await process.tasks.drain(1)
        result = await rows(process)

    assert ["served"] * 2 == answers
    assert [("top_up", "posted", True)] * 2 == result
    assert ["raised"] * 2 == outcomes(process)


async def test_two_processes(town: Town) -> None:
    """Two processes on one ledger, five hundred requests each: one top-up between them."""
    async with town.process() as one, town.process() as two:
        apps = [town.app(one), town.app(two)]
        answers = await asyncio.gather(*(app.call() for app in apps for _ in range(500)))

    assert {"served": 1000} == Counter(answers)
    assert 1 == town.vendor.paid


async def test_taken_and_refused(town: Town) -> None:
    """A vendor that takes the money and says 402 again: one top-up, and the rest is stopped."""
    town.vendor.sulks = True
    async with town.process() as process:
        app = town.app(process)
        first = await asyncio.gather(*(app.call() for _ in range(50)))
        process.clock.advance(3600)
        calls = town.vendor.calls
        later = await app.call()
        calls = town.vendor.calls - calls
        stops = [event for event in process.events if isinstance(event, TopUpsStopped)]
        town.vendor.sulks = False
        process.clock.advance(1)
        healed = await app.call()
        await process.tasks.drain(1)
        result = await rows(process)

    assert {"top_up_unproven"} == set(first) | {later}
    assert (1, 1) == (town.vendor.paid, calls)
    assert [TopUpsStopped("tab", "", stopped=True)] == stops
    assert "served" == healed
    assert TopUpsStopped("tab", "", stopped=False) == process.events[-1]
    assert [("top_up", "posted", True)] == result


@pytest.mark.parametrize("resumes", [True, False], ids=["resumed", "found by the next refusal"])
async def test_taken_and_not_credited(town: Town, resumes: bool) -> None:
    """Money taken and nothing credited: no second top-up, not even after a restart."""
    town.vendor.grants = False
    answers = []
    for _ in range(3):
        async with town.process() as process:
            app = town.app(process)
            if resumes:
                await app.topups.resume()
            process.clock.advance(7200)
            await process.recovery.run_once()
            for _ in range(2):
                answers.append(await app.call())
                process.clock.advance(1)
        before, town.vendor.calls = town.vendor.calls, 0

    assert {"top_up_unproven"} == set(answers)
    assert 1 == town.vendor.paid
    # Once stopped, each request goes out once.
    assert 2 == before


async def test_credited_late(town: Town) -> None:
    """Credit that shows after everybody was refused is used, and completes the top-up."""
    town.vendor.grants = False
    async with town.process() as process:
        app = town.app(process)
        refused = await app.call()
        town.vendor.credit += AMOUNT.in_usd()
        process.clock.advance(5)
        await app.balances.read(app.route.source, "")
        served = await app.call()
        await process.tasks.drain(1)
        result = await rows(process)

    assert ("top_up_unproven", "served") == (refused, served)
    assert [("top_up", "posted", True)] == result


async def test_served_before_seen(town: Town) -> None:
    """A vendor that tells no balance serves all the same; another top-up waits for it to tell."""
    town.vendor.mute = True
    async with town.process() as process:
        app = town.app(process)
        answers = [await app.call(), await app.call()]
        open_rows = await rows(process)
        town.vendor.mute = False
        process.clock.advance(5)
        await app.balances.read(app.route.source, "")
        await process.tasks.drain(1)
        result = await rows(process)

    assert ["served", "served"] == answers
    assert [("top_up", "posted", False)] == open_rows
    assert [("top_up", "posted", True)] == result


@pytest.mark.parametrize(
    "step",
    [
        Step("hang"),
        Step("reset"),
        Step(status=504, receipt=False),
        Step(status=402, receipt=False),
        Step(status=409, receipt=False, settles=False),
        Step(status=402, receipt=False, settles=False),
    ],
    ids=["hang", "reset", "504", "402 settled", "409", "402 not settled"],
)
async def test_troubles(town: Town, step: Step) -> None:
    """Whatever the charge is answered with, the same signature goes again: one payment."""
    town.vendor.seller.steps.append(step)
    async with town.process() as process:
        app = town.app(process)
        answers = await asyncio.gather(*(app.call() for _ in range(100)))

    assert {"served": 100} == Counter(answers)
    assert 1 == town.vendor.paid
    assert 1 == len(set(town.vendor.seller.presented()))


async def test_lost_in_doubt(town: Town) -> None:
    """A charge whose fate nobody knows: every waiter hears so, and the retry presents it again."""
    town.vendor.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with town.process() as process:
        app = town.app(process)
        first = await asyncio.gather(*(app.call() for _ in range(100)))
    async with town.process() as process:
        app = town.app(process)
        second = await asyncio.gather(*(app.call() for _ in range(100)))

    assert {"in_doubt": 100} == Counter(first)
    assert {"served": 100} == Counter(second)
    assert 1 == town.vendor.paid
    assert 1 == len(set(town.vendor.seller.presented()))


async def test_rejected(town: Town) -> None:
    """A charge that the vendor calls malformed is in doubt like any other: it was signed."""
    town.vendor.seller.steps.append(Step(status=400, receipt=False, settles=False))
    async with town.process() as process:
        app = town.app(process)
        first, second = await app.call(), await app.call()

    assert ("in_doubt", "served") == (first, second)
    assert 1 == len(set(town.vendor.seller.presented()))


async def test_paid_and_kept(town: Town) -> None:
    """A refusal with a receipt, and no credit: paid, so nothing else is ever bought."""
    town.vendor.grants = False
    town.vendor.seller.steps.extend([Step(status=500, receipt=True)] * 3)
    async with town.process() as process:
        app = town.app(process)
        answers = [await app.call() for _ in range(3)]

    assert ["top_up_wait", "top_up_unproven", "top_up_unproven"] == answers
    assert 1 == town.vendor.paid


async def test_paid_and_refused_in_one_breath(town: Town) -> None:
    """A refusal with a receipt: paid, so nothing else is bought, and the credit is looked for."""
    receipt = Step(status=500, receipt=True)
    town.vendor.seller.steps.extend([receipt] * 3)
    async with town.process() as process:
        app = town.app(process)
        first = await app.call()
        second = await app.call()
        third = await app.call()

    assert ("top_up_wait", "served", "served") == (first, second, third)
    assert 1 == town.vendor.paid


async def test_budget(town: Town) -> None:
    """A top-up that no budget has room for is refused, and nothing is signed."""
    async with town.process() as process:
        app = town.app(process, budgets=(replace(PURSE, limit=Usdc(9_999_999)),))
        answer = await app.call()

    assert "budget" == answer
    assert [] == town.vendor.seller.presented()
    assert ["denied"] == outcomes(process)


async def test_hourly_cap(town: Town) -> None:
    """No more top-ups than the route allows in any hour, in whatever process."""
    answers = []
    for _ in range(4):
        async with town.process() as process:
            app = town.app(process, terms=TopUpTerms(AMOUNT, hourly_max=2, wait_s=5))
            answers.append(await app.call())
            await process.tasks.drain(1)
        town.vendor.credit = Decimal(0)
        town.clock.advance(600)
    town.clock.advance(3600)
    async with town.process() as process:
        answers.append(await town.app(process).call())

    assert ["served", "served", "top_up_rate", "top_up_rate", "served"] == answers


async def test_low_water(town: Town) -> None:
    """Below the mark credit is bought before anybody is refused, once."""
    town.vendor.credit = Decimal("1.99")
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, wait_s=5, low_water=Decimal(2)))
        for _ in range(5):
            await app.balances.read(app.route.source, "")
        await process.tasks.drain(5)
        result = await rows(process)
        answer = await app.call()

    assert 1 == town.vendor.paid
    assert [("top_up", "posted", True)] == result
    assert "served" == answer
    assert Decimal("11.98") == town.vendor.credit


async def test_waited_too_long(town: Town) -> None:
    """A top-up that takes too long: the waiter is told to come back, and finds it done."""
    gate = asyncio.Event()
    inner = town.vendor.seller.send

    async def slow(*args: object, **kw: object) -> object:
        await gate.wait()
        return await inner(*args, **kw)  # type: ignore[arg-type]  # as it was called

    town.vendor.seller.send = slow  # type: ignore[method-assign,assignment]  # the wire is slow
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, wait_s=0.2))
        first = await asyncio.gather(*(app.call() for _ in range(20)))
        gate.set()
        await process.tasks.drain(5)
        second = await app.call()

    assert {"top_up_wait"} == set(first)
    assert "served" == second
    assert 1 == town.vendor.paid


async def test_killed_anywhere(store: Store) -> None:
    """Killed before or after any port call of a top-up: the next process buys no second one."""
    plan = CrashPlan()
    town = Town(store.another("count"))
    async with town.process(plan) as process:
        await town.app(process).call()
    for moment in range(1, len(plan.moments) + 1):
        town = Town(store.another(f"{moment}"), seed=str(moment))
        dying = CrashPlan(moment)
        async with town.process(dying) as process:
            with suppress(Killed):
                await town.app(process).call()
            await process.tasks.drain(1)
        town.clock.advance(1)
        async with town.process() as process:
            app = town.app(process)
            await process.recovery.run_once()
            await app.topups.resume()
            answer = await app.call()
            await process.tasks.drain(1)
            found = await process.ledger.payments(None, 100)
        posted = [row for row in found if row.state is PaymentState.POSTED]

        assert "served" == answer, dying.moments[-1]
        assert 1 == town.vendor.paid == len(posted), dying.moments[-1]


async def test_expired_unused(town: Town) -> None:
    """A top-up that can be proved never to have moved is void, and the next may be bought."""
    town.vendor.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with town.process() as process:
        app = town.app(process)
        first = await app.call()
        process.clock.advance(timedelta(hours=1).total_seconds())
        await process.recovery.run_once()
        second = await app.call()

    assert ("in_doubt", "served") == (first, second)
    assert 1 == town.vendor.paid
    assert 2 == len(set(town.vendor.seller.presented()))
