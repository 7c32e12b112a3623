"""``sidecar.payments.topups``: what a top-up does where the vendor, or time, is against it.

The sentences about money are in tests/flows/test_topups.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from sidecar.errors import UpstreamError
from sidecar.http import HttpRequest
from sidecar.payments.events import ToppedUp
from sidecar.payments.prepaid import Credited, TopUpTerms, has_risen
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from tests.world.intents import posted
from tests.world.seller import FakeReply, Step
from tests.world.shop import Process
from tests.world.town import Town
from tests.world.vendor import AMOUNT, CALL


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path / "ledger.db")


def told(process: Process) -> list[tuple[str, str]]:
    """What was told of top-ups."""
    return [(e.outcome, e.detail) for e in process.events if isinstance(e, ToppedUp)]


async def test_no_terms(town: Town) -> None:
    """A vendor that answers a charge with anything but its terms is not paid."""
    town.vendor.bare.append(FakeReply(404, (), b"{}"))
    async with town.process() as process:
        answer = await town.app(process).call()

    assert "top_up_terms" == answer
    assert [("denied", "the vendor named no terms: 404")] == told(process)
    assert 0 == town.vendor.paid


async def test_terms_that_allow_none(town: Town) -> None:
    """Terms that the provider calls impossible are told as they are."""
    town.vendor.bare.append(FakeReply(402, (), b"{}"))
    async with town.process() as process:
        answer = await town.app(process).call()

    assert "top_up_terms" == answer
    assert [("denied", "no terms")] == told(process)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_vendor_busy(town: Town, status: int) -> None:
    """A vendor that cannot sell just now is asked again by the app's next try."""
    town.vendor.bare.append(FakeReply(status, (), b"{}"))
    async with town.process() as process:
        app = town.app(process)
        answers = [await app.call(), await app.call()]

    assert ["top_up_wait", "served"] == answers


async def test_vendor_gone(town: Town) -> None:
    """A vendor that cannot be reached fails every waiter, and the next request tries again."""
    town.vendor.bare.append(UpstreamError("cannot connect"))
    async with town.process() as process:
        app = town.app(process)
        first = await asyncio.gather(*(app.call() for _ in range(5)), return_exceptions=True)
        second = await app.call()

    assert [UpstreamError] * 5 == [type(fault) for fault in first]
    assert "served" == second
    assert ("failed", "cannot connect") == told(process)[0]


async def test_stale_sign_in(town: Town) -> None:
    """A charge that is refused for an old sign-in is sent once more with a new one."""
    town.vendor.bare.append(FakeReply(401, (), b"{}"))
    async with town.process() as process:
        answer = await town.app(process).call()

    assert "served" == answer


async def test_sign_in_refused_twice(town: Town) -> None:
    """A vendor that refuses the new sign-in too has named no terms."""
    town.vendor.bare.extend([FakeReply(401, (), b"{}")] * 2)
    async with town.process() as process:
        answer = await town.app(process).call()

    assert "top_up_terms" == answer


async def test_too_many_wait(town: Town) -> None:
    """No more requests wait for one top-up than the limit; the others come back later."""
    async with town.process() as process:
        app = town.app(process, waiters_max=3)
        now_s = process.watched.mark_s()
        refills = await asyncio.gather(
            *(app.topups.ensure("tab", "", "a", now_s) for _ in range(5))
        )

    assert [Credited()] * 3 == refills[:3]
    assert ["top_up_wait"] * 2 == [each.rule for each in refills[3:] if isinstance(each, Denied)]


async def test_other_process_never_ends(town: Town) -> None:
    """A top-up that another process holds on to: those who wait here are told to come back."""
    town.vendor.sulks = True
    async with town.process() as one, town.process() as two:
        first, second = town.app(one), town.app(two, terms=TopUpTerms(AMOUNT, wait_s=2))
        await first.call()
        answer = await second.call()

    assert "top_up_wait" == answer
    assert 1 == town.vendor.paid


async def test_done_between_the_looks(town: Town) -> None:
    """A top-up that another process completes just before ours is reserved answers ours."""
    async with town.process() as one, town.process() as two:
        other = town.app(two)

        async def overtake() -> None:
            await other.call()
            await two.tasks.drain(1)

        town.vendor.interrupt = overtake
        answer = await town.app(one).call()

    assert "served" == answer
    assert 1 == town.vendor.paid


async def test_answer_cut(town: Town) -> None:
    """An answer to the charge that breaks off tells no credit; the balance does."""
    town.vendor.rewrite = lambda reply: FakeReply(200, reply.headers, b"", cut=True)
    async with town.process() as process:
        answer = await town.app(process).call()

    assert "served" == answer
    assert 1 == town.vendor.paid


async def test_rejection_cut(town: Town) -> None:
    """A rejection whose reason breaks off is in doubt all the same."""
    town.vendor.seller.steps.append(Step(status=400, receipt=False, settles=False))
    town.vendor.rewrite = lambda reply: FakeReply(reply.status, (), b"", cut=True)
    async with town.process() as process:
        answer = await town.app(process).call()

    assert "in_doubt" == answer
    assert "cut short" in told(process)[0][1]


async def test_used_up_by_others(town: Town) -> None:
    """A request that finds the new credit gone already is told to come back."""
    async with town.process() as process:
        app = town.app(process)
        await app.call()
        denied = app.topups.refused_again("tab", "")

    assert "top_up_wait" == denied.rule


async def test_resume_leaves_others(town: Town) -> None:
    """Only a route's own top-ups are taken up; an app's undelivered payments are not."""
    async with town.process() as process:
        await posted(process.ledger, "an app's")
    town.clock.advance(1)
    async with town.process() as process:
        await town.app(process).topups.resume()
        (row,) = await process.ledger.undelivered(process.clock.now())

    assert "an app's" == row.id


async def test_served_elsewhere(town: Town) -> None:
    """A request that another account of the route paid for proves nothing of this one's."""
    town.vendor.sulks = True
    async with town.process() as process:
        app = town.app(process)
        await app.call()
        now_s = process.watched.mark_s()
        app.topups.served("tab", HttpRequest("POST", f"{CALL}?another"), now_s)
        town.clock.advance(1)
        answer = await app.call()

    assert "top_up_unproven" == answer


async def test_served_by_what_was_there(town: Town) -> None:
    """A request that was sent before the credit came proves nothing of it."""
    town.vendor.sulks = True
    async with town.process() as process:
        app = town.app(process)
        sent_s = process.watched.mark_s()
        town.clock.advance(1)
        await app.call()
        app.topups.served("tab", HttpRequest("POST", CALL), sent_s)
        town.clock.advance(1)
        answer = await app.call()

    assert "top_up_unproven" == answer


async def test_low_no_more(town: Town) -> None:
    """A low balance that is older than the credit which has come since buys nothing."""
    town.vendor.credit = Decimal(9)
    stale = (Balance(Decimal(1), "usd", can_consume=True),)
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, low_water=Decimal(2)))
        app.topups.see("tab", "", stale)
        await process.tasks.drain(1)

    assert 0 == town.vendor.paid


async def test_unknown_route(town: Town) -> None:
    """A balance of a route that buys nothing, or one that says nothing, changes nothing."""
    low = (Balance(Decimal(0), "usd", can_consume=False),)
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, low_water=Decimal(1)))
        app.topups.see("another", "", low)
        app.topups.see("tab", "", ())
        await process.tasks.drain(1)

    assert 0 == town.vendor.paid


USD = Balance(Decimal(1), "usd", can_consume=True)
MORE = Balance(Decimal(2), "usd", can_consume=True)
EMPTY = Balance(Decimal(0), "usd", can_consume=False)
DIEM = Balance(Decimal(9), "diem", can_consume=True)


@pytest.mark.parametrize(
    ("before", "after", "rose"),
    [
        ((USD,), (MORE,), True),
        ((USD,), (USD,), False),
        ((MORE,), (USD,), False),
        ((USD, DIEM), (USD, replace(DIEM, value=Decimal(10))), False),
        ((USD,), (DIEM,), False),
        ((USD,), (), False),
        (None, (USD,), True),
        ((), (USD,), True),
        (None, (EMPTY,), False),
        (None, (), False),
    ],
)
def test_has_risen(
    before: tuple[Balance, ...] | None, after: tuple[Balance, ...], rose: bool
) -> None:
    """Only the balance that a top-up raises counts; with none to compare, that it is enough."""
    assert rose is has_risen(before, after)
