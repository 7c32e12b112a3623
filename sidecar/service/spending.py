"""What was spent over time, as people look at it: by route and by caller, in hours and days.

It is the ledger's truth, counted by the hour in which a payment was set aside, as budgets are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sidecar.clock import Clock
from sidecar.config.model import RouteConfig
from sidecar.ledger import Ledger
from sidecar.ledger.model import Spent
from sidecar.money import ZERO, Usdc
from sidecar.service.held import WalletSpend

# A ledger that takes long to add up is asked less often: so many times as long it has peace.
REST = 19
REST_MAX_S = 600.0
# Where payments are being made: read on its own, so that a long past does not make it late.
FRESH = timedelta(hours=2)
# Who spends most has a series each; all others share one, whose name is empty.
SERIES_MAX = 12
HOUR_S, DAY_S = 3_600, 86_400
# By name: how long a step is, and how many there are, the one that is not over among them.
SPANS: Mapping[str, tuple[int, int]] = {"24h": (HOUR_S, 24), "30d": (DAY_S, 30)}
_LONGEST = timedelta(seconds=DAY_S * 30)
_BY: Mapping[str, Callable[[Spent], str]] = {
    "route": lambda spent: spent.route,
    "caller": lambda spent: spent.caller,
}


class Spending:
    """Reads the ledger for those who look, however many they are, and not too often."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._clock = clock
        self._whole = _Reading(ledger, clock)
        self._fresh = _Reading(ledger, clock)

    async def read(self) -> tuple[Spent, ...]:
        """What moved in each hour of the longest span. LedgerError when the ledger cannot say.

        The last hours are fresh. What is decided later of those before may be a while on its way.
        """
        now = self._clock.now()
        fresh_from = now - FRESH
        whole = await self._whole.read(now - _LONGEST)
        fresh = await self._fresh.read(fresh_from)
        first = fresh_from.replace(minute=0, second=0, microsecond=0)
        return (*(row for row in whole if row.at < first), *fresh)


class _Reading:
    """One question to the ledger, and its last answer."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._turn = asyncio.Lock()
        self._rows: tuple[Spent, ...] = ()
        self._peace_until_s = float("-inf")

    async def read(self, since: datetime) -> tuple[Spent, ...]:
        async with self._turn:
            began_s = self._clock.monotonic_s()
            if began_s >= self._peace_until_s:
                self._rows = await self._ledger.spending(since)
                ended_s = self._clock.monotonic_s()
                self._peace_until_s = ended_s + min((ended_s - began_s) * REST, REST_MAX_S)
        return self._rows


def series(rows: Sequence[Spent], now: datetime) -> list[Mapping[str, Any]]:
    """For each span, every route's and every caller's spend in its steps, as JSON."""
    return [
        {"span": span, "by": by, **each}
        for span, (step_s, count) in SPANS.items()
        for by, name_of in _BY.items()
        for each in _series(rows, now, (step_s, count), name_of)
    ]


def by_wallet(
    rows: Iterable[Spent], now: datetime, routes: Mapping[str, RouteConfig]
) -> WalletSpend:
    """What each wallet paid on each network in the last day; a route that is gone says nothing."""
    spent: defaultdict[tuple[str, str], Usdc] = defaultdict(lambda: ZERO)
    for row in rows:
        route = routes.get(row.route)
        if route is not None and route.wallet is not None and now - row.at < timedelta(days=1):
            spent[route.wallet, row.network] += row.amount
    return spent


def _series(
    rows: Iterable[Spent],
    now: datetime,
    steps: tuple[int, int],
    name_of: Callable[[Spent], str],
) -> list[Mapping[str, Any]]:
    step_s, count = steps
    first = int(now.timestamp()) // step_s - count + 1
    amounts: dict[str, list[int]] = {}
    payments: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        step = int(row.at.timestamp()) // step_s - first
        # What is dated later than now was written by a clock that was set back since.
        if 0 <= step < count:
            name = name_of(row)
            amounts.setdefault(name, [0] * count)[step] += row.amount.atomic
            payments[name] += row.payments
    ordered = sorted(amounts, key=lambda name: (-sum(amounts[name]), name))
    for name in ordered[SERIES_MAX:]:
        others = amounts.setdefault("", [0] * count)
        amounts[""] = [one + other for one, other in zip(others, amounts[name], strict=True)]
        payments[""] += payments[name]
    shown = [*ordered[:SERIES_MAX], *([""] if "" in amounts else [])]
    starts_at = datetime.fromtimestamp(first * step_s, UTC).isoformat()
    return [
        {
            "name": name,
            "starts_at": starts_at,
            "step_s": step_s,
            "total": str(Usdc(sum(amounts[name]))),
            "payments": payments[name],
            "amounts": [Usdc(amount).digits for amount in amounts[name]],
        }
        for name in shown
    ]
