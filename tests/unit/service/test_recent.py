"""What is kept of late, and who hears that something happened."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from sidecar.money import Usdc
from sidecar.payments.events import (
    BalanceObserved,
    CostObserved,
    Event,
    PaymentDenied,
    RequestServed,
    SignedIn,
    TopUpsStopped,
    WalletBalanceObserved,
)
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from sidecar.service.recent import REFUSALS_MAX, STOPPED_MAX, Recent
from tests.unit.test_metrics import alike
from tests.world.fakes import NOON, FakeClock

SERVED = RequestServed("r1", "venice", "aider", "POST", "/v1/chat", 200, 0.1, 0.1, "relayed")
CREDIT = Balance(Decimal(5), "usd", can_consume=True)
LONG_S = 30.0


def refused(number: int, decision: str = "denied") -> RequestServed:
    return replace(SERVED, request_id=f"r{number}", status=402, decision=decision, rule="budget")


def recent() -> Recent:
    return Recent(FakeClock().now, pace_s=0, look_s=0)


@pytest.mark.parametrize("decision", ["denied", "refused", "in_doubt", "undelivered", "failed"])
def test_kept(decision: str) -> None:
    """Whatever was not served is kept, with the moment when it was heard of."""
    seen = recent()
    seen.observe(refused(1, decision))

    assert ((NOON, refused(1, decision)),) == seen.refusals()


@pytest.mark.parametrize("decision", ["relayed", "paid"])
def test_not_kept(decision: str) -> None:
    """Of a request that was served nothing is kept."""
    seen = recent()
    seen.observe(replace(SERVED, decision=decision))

    assert () == seen.refusals()


def test_newest() -> None:
    """The newest come first, and only so many are kept."""
    seen = recent()
    for number in range(REFUSALS_MAX + 7):
        seen.observe(refused(number))
    ids = [event.request_id for _, event in seen.refusals()]

    assert [f"r{number}" for number in range(REFUSALS_MAX + 6, 6, -1)] == ids


def test_stopped() -> None:
    """A route's account is stopped until it is not, and any number of names is bounded."""
    seen = recent()
    seen.observe(TopUpsStopped("venice", "0xa", stopped=True))
    seen.observe(TopUpsStopped("nodit", "0xa", stopped=True))
    both = seen.stopped()
    seen.observe(TopUpsStopped("venice", "0xa", stopped=False))
    one = seen.stopped()
    for number in range(STOPPED_MAX + 3):
        seen.observe(TopUpsStopped("x402layer", f"/{number}", stopped=True))

    assert (("venice", "0xa"), ("nodit", "0xa")) == both
    assert (("nodit", "0xa"),) == one
    assert STOPPED_MAX == len(seen.stopped())
    assert ("x402layer", f"/{STOPPED_MAX + 2}") == seen.stopped()[-1]


@pytest.mark.parametrize(
    "event",
    [
        replace(SERVED, decision="paid"),
        refused(1),
        PaymentDenied("venice", "aider", Denied("budget", "no room")),
        TopUpsStopped("venice", "0xa", stopped=False),
        BalanceObserved("venice", "0xa", CREDIT, NOON),
        WalletBalanceObserved("main", "eip155:8453", Usdc(5), NOON),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_news(event: Event) -> None:
    """Whoever waits hears of what is shown as soon as it happens."""
    seen = Recent(FakeClock().now, pace_s=0, look_s=LONG_S)
    waiting = asyncio.create_task(seen.news(0))
    await asyncio.sleep(0.01)
    before = waiting.done()
    seen.observe(event)
    async with asyncio.timeout(LONG_S / 3):
        happened = await waiting

    assert (False, 1) == (before, happened)


@pytest.mark.parametrize(
    "event",
    [SERVED, SignedIn("venice", "ok"), CostObserved("venice", "aider", Decimal(1), False)],
    ids=lambda event: type(event).__name__,
)
async def test_no_news(event: Event) -> None:
    """What changes nothing that is shown is no news: one looks again when it is time to."""
    seen = recent()
    seen.observe(event)

    assert 0 == await seen.news(0)


async def test_no_news_of_many() -> None:
    """Of requests that ended together, those that were not served are kept, and are news."""
    seen = recent()
    seen.observe_requests(alike(SERVED, SERVED))
    served = await seen.news(0)
    seen.observe_requests(alike(SERVED, refused(1), SERVED, refused(2)))

    assert 0 == served
    assert ["r2", "r1"] == [event.request_id for _, event in seen.refusals()]
    assert 2 == await seen.news(0)


async def test_missed_news() -> None:
    """What happened while nobody waited is news to whoever asks next, at once."""
    seen = Recent(FakeClock().now, pace_s=0, look_s=LONG_S)
    seen.ring()
    seen.ring()
    async with asyncio.timeout(LONG_S / 3):
        happened = await seen.news(0)

    assert 2 == happened


async def test_pace() -> None:
    """However much happens, nobody hears of it before the pace allows."""
    seen = Recent(FakeClock().now, pace_s=LONG_S, look_s=0)
    waiting = asyncio.create_task(seen.news(0))
    for _ in range(5):
        seen.ring()
        await asyncio.sleep(0.001)
    heard = waiting.done()
    seen.end()
    async with asyncio.timeout(LONG_S / 3):
        happened = await waiting

    assert (False, 5) == (heard, happened)


async def test_end() -> None:
    """Once it is over everybody who waits comes back, and so does whoever asks later."""
    seen = Recent(FakeClock().now, pace_s=0, look_s=LONG_S)
    waiting = [asyncio.create_task(seen.news(0)) for _ in range(3)]
    await asyncio.sleep(0.01)
    seen.end()

    assert [0, 0, 0] == await asyncio.gather(*waiting)
    assert 0 == await seen.news(0)


def test_balances_are_kept() -> None:
    """The newest balances of wallets and credit are there to be shown."""
    seen = recent()
    seen.observe(WalletBalanceObserved("main", "eip155:8453", Usdc(5_000_000), NOON))
    seen.observe(BalanceObserved("venice", "0xa", CREDIT, NOON))
    rows = seen.held.rows(NOON + timedelta(hours=1), {})

    assert [("wallet", "main"), ("credit", "venice")] == [(r["kind"], r["name"]) for r in rows]
