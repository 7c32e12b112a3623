"""What was counted since the process started: whole numbers in dicts, and nothing else.

Requests are on everybody's path: those that ended together are counted together, and their
durations many at a time, or when somebody looks. Every configured name starts at 0, so that a rate
has a first value to start from; not every pair of thousands of routes and callers does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import product
from math import prod
from typing import TypeAlias

from sidecar.chains import NETWORK_NAMES
from sidecar.ledger.model import Payment
from sidecar.metrics.catalogue import (
    APPROVAL_OUTCOMES,
    CODE_CLASSES,
    NANO,
    OUTCOMES,
    PURPOSES,
    REFUSED_REASONS,
    REHEARSED,
    RULES,
    SCHEMES,
    SIGN_IN_OUTCOMES,
    TOP_UP_OUTCOMES,
    MetricDoc,
)
from sidecar.metrics.times import RouteTimes, Times
from sidecar.payments.events import CostObserved, SignedIn, ToppedUp
from sidecar.payments.served import RequestServed, Together

Labels: TypeAlias = tuple[str, ...]
Counts: TypeAlias = defaultdict[Labels, int]

# What is there from the start; the other words of these sets appear when they are first used.
_USUAL_SCHEME = "exact"
_USUAL_PURPOSE = "request"
_CREDIT = "top_up"  # where credit is bought
# A vendor's slip must not add a number beside which all others are lost.
COST_USD_MAX = Decimal(1_000_000)
# Names multiply: past so many of a kind, a counter starts when it is first used.
ZEROS_MAX = 10_000
FOUND_MAX = 4_096
_CLASS_OF_HUNDRED = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


def fold(name: str, known: Collection[str]) -> str:
    """The label for a name: itself if it is known, so that no label set can grow."""
    if name in known:
        return name
    return "other" if name else "none"


# What is shown of a metric: its samples, by their labels.
Values: TypeAlias = Collection[tuple[Labels, float | Times]]
Shown: TypeAlias = dict[MetricDoc, Values]


class Requests:
    """How many requests have the same labels, and where the times of their route are counted."""

    __slots__ = ("count", "times")

    def __init__(self, times: RouteTimes) -> None:
        self.count = 0
        self.times = times


class Tally:
    """The counters. What is counted under a name once stays, whatever the config names later."""

    def __init__(
        self,
        routes: Collection[str],
        callers: Collection[str],
        payable: Mapping[str, Collection[str]],
        prepaid: Collection[str],
    ) -> None:
        self.routes: frozenset[str] = frozenset()
        self.callers: frozenset[str] = frozenset()
        self.times: dict[str, RouteTimes] = {}
        self.requests: dict[Labels, Requests] = {}
        # By what events say, so that a request costs one look-up and no word is looked at twice.
        self._found: dict[tuple[str, str, int], Requests] = {}
        # The same of payments: whose they are among the posted, and among what was spent.
        self._payers: dict[Labels, tuple[Labels, Labels]] = {}
        self.payments = _zeros(())
        self.spend = _zeros(())
        # Not from zero: a cost that nobody names is not a cost of nothing.
        self.cost_nano = _zeros(())
        self.cost_estimated_nano = _zeros(())
        self.top_ups = _zeros(())
        self.sign_ins = _zeros(())
        self.denials = _zeros(())
        self.approvals = _zeros(())
        self.rehearsed = _zeros(())
        self.undelivered = _zeros(())
        self.ledger_failures = _zeros([()])
        self.refused = _zeros(product(REFUSED_REASONS))
        self.task_failures = _zeros([()])
        self.learn(routes, callers, payable, prepaid)

    def learn(
        self,
        routes: Collection[str],
        callers: Collection[str],
        payable: Mapping[str, Collection[str]],
        prepaid: Collection[str],
    ) -> None:
        """Know these names too, from zero where they are new.

        ``payable`` names the networks that each paying route may pay on; ``prepaid`` the routes
        that sign in and buy credit.
        """
        self.routes |= frozenset(routes)
        self.callers |= frozenset(callers)
        # Under these names they may have been counted as others.
        self._found.clear()
        self._payers.clear()
        for route in routes:
            self.times.setdefault(route, RouteTimes())
        for labels in _crossed(routes, callers, CODE_CLASSES):
            if labels not in self.requests:
                self.requests[labels] = Requests(self.times[labels[0]])
        paid = (
            (route, network, _USUAL_SCHEME, purpose, outcome)
            for route, networks in payable.items()
            for purpose in (_USUAL_PURPOSE, *([_CREDIT] if route in prepaid else []))
            for network, outcome in product(networks, OUTCOMES)
        )
        usual = tuple(_crossed(payable, callers, [_USUAL_PURPOSE]))
        # Nobody asks for what a low balance buys.
        credit = tuple(_crossed(prepaid, [*callers, "none"], [_CREDIT]))
        for counts, labelled in (
            (self.payments, paid),
            (self.spend, usual),
            (self.spend, credit),
            (self.rehearsed, usual),
            (self.rehearsed, credit),
            (self.top_ups, product(prepaid, TOP_UP_OUTCOMES)),
            (self.sign_ins, product(prepaid, SIGN_IN_OUTCOMES)),
            (self.denials, product(payable, RULES)),
            (self.approvals, product(payable, APPROVAL_OUTCOMES)),
            # What an older config paid for is lost too, and its first loss has to be a rise.
            (self.undelivered, product([*payable, "other"])),
        ):
            counts.update({labels: counts.get(labels, 0) for labels in labelled})

    def add_requests(self, served: Together) -> None:
        """Count requests, and their durations."""
        for ending, ended in served.items():
            said = (ending.route, ending.caller, ending.status)
            requests = self._found.get(said) or self._find(*said)
            requests.count += len(ended)
            requests.times.add(ended)

    def add_request(self, event: RequestServed) -> None:
        """The same of one that is told of alone."""
        said = (event.route, event.caller, event.status)
        requests = self._found.get(said) or self._find(*said)
        requests.count += 1
        requests.times.add((event.ended,))

    def _find(self, route: str, caller: str, status: int) -> Requests:
        code_class = "499" if status == 499 else _CLASS_OF_HUNDRED.get(status // 100, "other")
        labels = (fold(route, self.routes), fold(caller, self.callers), code_class)
        times = self.times.get(labels[0])
        if times is None:
            times = self.times[labels[0]] = RouteTimes()
        requests = self.requests.get(labels)
        if requests is None:
            requests = self.requests[labels] = Requests(times)
        # Upstreams choose their statuses: what they can make us remember is bounded.
        if len(self._found) >= FOUND_MAX:
            self._found.clear()
        self._found[route, caller, status] = requests
        return requests

    def settled(self) -> Mapping[str, RouteTimes]:
        """The durations of each route, all of them counted."""
        for times in self.times.values():
            times.settle()
        return self.times

    def add_outcome(self, payment: Payment, outcome: str) -> None:
        """Count what became of a payment."""
        self.payments[self._outcome(payment, outcome)] += 1

    def add_posted(self, payment: Payment) -> None:
        """Count a payment that moved, and add what it moved, in atomic units."""
        said = (
            payment.route,
            payment.caller,
            payment.purpose,
            payment.scheme,
            payment.network,
        )
        found = self._payers.get(said)
        if found is None:
            if len(self._payers) >= FOUND_MAX:
                self._payers.clear()
            found = self._outcome(payment, "posted"), self._spender(payment)
            self._payers[said] = found
        posted, spender = found
        self.payments[posted] += 1
        self.spend[spender] += payment.amount.atomic

    def _outcome(self, payment: Payment, outcome: str) -> Labels:
        return (
            fold(payment.route, self.routes),
            fold(payment.network, NETWORK_NAMES),
            fold(payment.scheme, SCHEMES),
            fold(payment.purpose, PURPOSES),
            outcome,
        )

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


def _crossed(*names: Collection[str]) -> Iterable[Labels]:
    return product(*names) if prod(map(len, names)) <= ZEROS_MAX else ()


def _zeros(labels: Iterable[Labels]) -> Counts:
    counts: Counts = defaultdict(int)
    counts.update(dict.fromkeys(labels, 0))
    return counts
