"""Spend over time as it is shown: which bar it is in, whose it is, and how often it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sidecar.config.model import RouteConfig
from sidecar.ledger.model import Spent
from sidecar.money import Usdc
from sidecar.service.spending import REST, REST_MAX_S, SERIES_MAX, Spending, by_wallet, series
from tests.world.fakes import FakeClock

NOW = datetime(2026, 11, 21, 17, 42, tzinfo=UTC)
THIS_HOUR = datetime(2026, 11, 21, 17, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def spent(at: datetime, units: int = 1_000_000, **whose: str) -> Spent:
    names = {"route": "venice", "caller": "aider", "network": "eip155:8453", **whose}
    return Spent(at, amount=Usdc(units), payments=2, **names)


def shown(rows: list[Spent], span: str, by: str = "route") -> dict[str, list[str]]:
    return {
        row["name"]: row["amounts"]
        for row in series(rows, NOW)
        if (row["span"], row["by"]) == (span, by)
    }


def test_hours() -> None:
    """The last bar is the hour that is not over, the first began 23 hours before it."""
    rows = [spent(THIS_HOUR), spent(THIS_HOUR - 23 * HOUR, 2_500_000), spent(THIS_HOUR - DAY)]
    (row,) = [row for row in series(rows, NOW) if (row["span"], row["by"]) == ("24h", "route")]

    assert ["2.50", *["0.00"] * 22, "1.00"] == row["amounts"]
    assert ("venice", "3.50 USDC", 4, 3600) == tuple(
        row[name] for name in ("name", "total", "payments", "step_s")
    )
    assert (THIS_HOUR - 23 * HOUR).isoformat() == row["starts_at"]


def test_days() -> None:
    """A day is UTC's, as that of a budget is; the last one is not over."""
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    rows = [spent(midnight), spent(midnight - HOUR, 2_000_000), spent(midnight - 29 * DAY, 3)]

    assert ["0.000003", *["0.00"] * 27, "2.00", "1.00"] == shown(rows, "30d")["venice"]


def test_a_clock_that_was_set_back() -> None:
    """What is dated later than now is in no bar."""
    assert {} == shown([spent(THIS_HOUR + HOUR)], "24h")


def test_whose() -> None:
    """The same spend is shown by route and by caller, the one who spends most first."""
    rows = [
        spent(THIS_HOUR, 1, route="nodit", caller="aider"),
        spent(THIS_HOUR, 5, route="venice", caller="bot"),
        spent(THIS_HOUR, 3, route="venice", caller="aider"),
    ]
    routes, callers = shown(rows, "24h"), shown(rows, "24h", "caller")

    assert [("venice", "0.000008"), ("nodit", "0.000001")] == [
        (name, amounts[-1]) for name, amounts in routes.items()
    ]
    assert [("bot", "0.000005"), ("aider", "0.000004")] == [
        (name, amounts[-1]) for name, amounts in callers.items()
    ]


def test_many() -> None:
    """However many callers there are, only so many have a series; the rest share one."""
    count = SERIES_MAX + 30
    rows = [spent(THIS_HOUR, count - number, caller=f"app-{number}") for number in range(count)]
    callers = shown(rows, "24h", "caller")

    assert [*(f"app-{number}" for number in range(SERIES_MAX)), ""] == list(callers)
    assert f"{Usdc(sum(range(1, 31)))}" == f"{callers[''][-1]} USDC"


def test_wallets() -> None:
    """A wallet's spend is that of its routes, network by network, in the last day."""
    routes = {
        name: RouteConfig(name, "pay_per_request", "https://seller.example", wallet=wallet)
        for name, wallet in (("venice", "main"), ("nodit", "main"), ("keyed", None))
    }
    rows = [
        spent(THIS_HOUR, 1),
        spent(THIS_HOUR, 2, route="nodit"),
        spent(THIS_HOUR, 4, network="eip155:1"),
        spent(THIS_HOUR, 8, route="gone"),
        spent(THIS_HOUR, 16, route="keyed"),
        spent(THIS_HOUR - DAY, 32),
    ]

    assert {("main", "eip155:8453"): Usdc(3), ("main", "eip155:1"): Usdc(4)} == by_wallet(
        rows, NOW, routes
    )


class SlowLedger:
    """Takes long to add a month up, and says each time how often it had to."""

    def __init__(self, clock: FakeClock, month_s: float) -> None:
        self.clock = clock
        self.month_s = month_s
        self.months = 0
        self.hours = 0

    async def spending(self, since: datetime) -> tuple[Spent, ...]:
        fresh = spent(THIS_HOUR)
        if NOW - since < DAY:
            self.hours += 1
            return (spent(THIS_HOUR, self.hours),)
        self.months += 1
        self.clock.advance(self.month_s)
        return (spent(THIS_HOUR - DAY, self.months), fresh)


@pytest.mark.parametrize(("month_s", "peace_s"), [(1, REST), (3_600, REST_MAX_S)])
async def test_peace(month_s: float, peace_s: float) -> None:
    """A month that took long to add up is not added up again for so many times as long."""
    clock = FakeClock(NOW)
    ledger = SlowLedger(clock, month_s)
    spending = Spending(ledger, clock)  # type: ignore[arg-type]  # as much of one as is asked
    first = await spending.read()
    clock.advance(peace_s - 1)
    kept = await spending.read()
    clock.advance(1)
    again = await spending.read()

    assert [1, 1, 2] == [rows[0].amount.atomic for rows in (first, kept, again)]


async def test_fresh() -> None:
    """The hours in which payments are being made are fresh all the same, and counted once."""
    clock = FakeClock(NOW)
    spending = Spending(SlowLedger(clock, 1), clock)  # type: ignore[arg-type]  # as above
    seen = [await spending.read() for _ in range(2)]

    assert [[(THIS_HOUR - DAY, 1), (THIS_HOUR, 1)], [(THIS_HOUR - DAY, 1), (THIS_HOUR, 2)]] == [
        [(row.at, row.amount.atomic) for row in rows] for rows in seen
    ]
