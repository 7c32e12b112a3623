"""What was counted since the process started: whole numbers in dicts, and nothing else.

This is on the path of every request, so it does no more than look up and add. Every configured
name starts at 0, so that a rate has a first value to start from.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import accumulate, product
from typing import TypeAlias

from sidecar.chains import NETWORK_NAMES
from sidecar.ledger.model import Payment
from sidecar.metrics.catalogue import (
    APPROVAL_OUTCOMES,
    CODE_CLASSES,
    LONG_S,
    NANO,
    OUTCOMES,
    PURPOSES,
    REFUSED_REASONS,
    REHEARSED,
    RULES,
    SCHEMES,
    SHORT_S,
    SIGN_IN_OUTCOMES,
    TOP_UP_OUTCOMES,
)
from sidecar.payments.events import CostObserved, RequestServed, SignedIn, ToppedUp

Labels: TypeAlias = tuple[str, ...]
Counts: TypeAlias = defaultdict[Labels, int]

# What is there from the start; the other words of these sets appear when they are first used.
_USUAL_SCHEME = "exact"
_USUAL_PURPOSE = "request"
# A vendor's slip must not add a number beside which all others are lost.
COST_USD_MAX = Decimal(1_000_000)
_CLASS_OF_HUNDRED = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


def fold(name: str, known: Collection[str]) -> str:
    """The label for a name: itself if it is known, so that no label set can grow."""
    if name in known:
        return name
    return "other" if name else "none"


class Times:
    """How long something took, how often: counts per bucket, and the sum."""

    __slots__ = ("bounds", "buckets", "total_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count one. A bound belongs to the bucket below it, as ``le`` says."""
        self.buckets[bisect_left(self.bounds, duration_s)] += 1
        self.total_s += duration_s

    def cumulative(self) -> Iterable[int]:
        """How many took at most each bound; all of them last."""
        return accumulate(self.buckets)


class RouteTimes:
    """The three durations of a route's requests."""

    __slots__ = ("overhead", "request", "upstream")

    def __init__(self) -> None:
        self.request = Times(LONG_S)
        self.overhead = Times(SHORT_S)
        self.upstream = Times(LONG_S)


class Tally:
    """The counters.

    ``payable`` names the networks that each paying route may pay on; ``prepaid`` the routes that
    sign in and buy credit.
    """

    def __init__(
        self,
        routes: Collection[str],
        callers: Collection[str],
        payable: Mapping[str, Collection[str]],
        prepaid: Collection[str],
    ) -> None:
        self.routes = frozenset(routes)
        self.callers = frozenset(callers)
        self.requests = _zeros(product(routes, callers, CODE_CLASSES))
        self.times = {route: RouteTimes() for route in routes}
        self.payments = _zeros(
            (route, network, _USUAL_SCHEME, _USUAL_PURPOSE, outcome)
            for route, networks in payable.items()
            for network, outcome in product(networks, OUTCOMES)
        )
        self.spend = _zeros(product(payable, callers, [_USUAL_PURPOSE]))
        # Not from zero: a cost that nobody names is not a cost of nothing.
        self.cost_nano = _zeros(())
        self.cost_estimated_nano = _zeros(())
        self.top_ups = _zeros(product(prepaid, TOP_UP_OUTCOMES))
        self.sign_ins = _zeros(product(prepaid, SIGN_IN_OUTCOMES))
        self.denials = _zeros(product(payable, RULES))
        self.approvals = _zeros(product(payable, APPROVAL_OUTCOMES))
        self.rehearsed = _zeros(product(payable, callers, [_USUAL_PURPOSE]))
        self.undelivered = _zeros(product(payable))
        self.ledger_failures = _zeros([()])
        self.refused = _zeros(product(REFUSED_REASONS))
        self.task_failures = _zeros([()])

    def add_request(self, event: RequestServed) -> None:
        """Count a request, and its durations."""
        route = event.route if event.route in self.routes else fold(event.route, ())
        caller = event.caller if event.caller in self.callers else fold(event.caller, ())
        status = event.status
        code_class = "499" if status == 499 else _CLASS_OF_HUNDRED.get(status // 100, "other")
        self.requests[route, caller, code_class] += 1
        times = self.times.get(route)
        if times is None:
            times = self.times[route] = RouteTimes()
        times.request.add(event.duration_s)
        times.upstream.add(event.upstream_s)
        # Two readings of one clock may be rounded apart; less than no time makes no sense.
        times.overhead.add(max(0.0, event.duration_s - event.upstream_s))

    def add_outcome(self, payment: Payment, outcome: str) -> None:
        """Count what became of a payment."""
        labels = (
            fold(payment.route, self.routes),
            fold(payment.network, NETWORK_NAMES),
            fold(payment.scheme, SCHEMES),
            fold(payment.purpose, PURPOSES),
            outcome,
        )
        self.payments[labels] += 1

    def add_spend(self, payment: Payment) -> None:
        """Add what a payment moved, in atomic units."""
        self.spend[self._spender(payment)] += payment.amount.atomic

    def add_rehearsal(self, payment: Payment) -> None:
        """Count a payment that would have been made, and what it would have moved."""
        self.add_outcome(payment, REHEARSED)
        self.rehearsed[self._spender(payment)] += payment.amount.atomic

    def _spender(self, payment: Payment) -> Labels:
        return (
            fold(payment.route, self.routes),
            fold(payment.caller, self.callers),
            fold(payment.purpose, PURPOSES),
        )

    def add_approval(self, route: str, outcome: str) -> None:
        """Count how waiting for a person ended."""
        self.approvals[fold(route, self.routes), fold(outcome, APPROVAL_OUTCOMES)] += 1

    def add_cost(self, event: CostObserved) -> None:
        """Add what a request cost, in billionths of a dollar."""
        cost_usd = min(event.cost_usd, COST_USD_MAX)
        nano = int((cost_usd * NANO).to_integral_value(ROUND_HALF_EVEN))
        counts = self.cost_estimated_nano if event.estimated else self.cost_nano
        counts[fold(event.route, self.routes), fold(event.caller, self.callers)] += nano

    def add_top_up(self, event: ToppedUp) -> None:
        """Count the end of a top-up."""
        outcome = fold(event.outcome, TOP_UP_OUTCOMES)
        self.top_ups[fold(event.route, self.routes), outcome] += 1

    def add_sign_in(self, event: SignedIn) -> None:
        """Count the end of a sign-in."""
        outcome = fold(event.outcome, SIGN_IN_OUTCOMES)
        self.sign_ins[fold(event.route, self.routes), outcome] += 1


def _zeros(labels: Iterable[Labels]) -> Counts:
    counts: Counts = defaultdict(int)
    counts.update(dict.fromkeys(labels, 0))
    return counts
