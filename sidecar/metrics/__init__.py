"""Payment and proxy events -> Prometheus. The one place where a metric is named.

Counting is whole numbers in dicts (``tally``); the client library is only loaded, and asked to
write the exposition, when somebody scrapes. Counters start again with the process: lifetime
truth is in the ledger, and what the ledger knows (budgets, doubts) is read from it at each scrape.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from sidecar import __version__
from sidecar.chains import NETWORK_NAMES
from sidecar.ledger.model import Payment
from sidecar.metrics import books
from sidecar.metrics import catalogue as names
from sidecar.metrics.accept import prefers_openmetrics
from sidecar.metrics.catalogue import METRICS, MetricDoc
from sidecar.metrics.holdings import Holdings
from sidecar.metrics.tally import Labels, Shown, Tally, Values, fold
from sidecar.metrics.times import Times
from sidecar.payments.events import (
    ApprovalAsked,
    ApprovalEnded,
    BalanceObserved,
    ClockSkewMeasured,
    ConfigReloaded,
    CostObserved,
    DriftMeasured,
    Event,
    LedgerWriteFailed,
    PaymentConfirmed,
    PaymentDenied,
    PaymentInDoubt,
    PaymentPosted,
    PaymentRehearsed,
    PaymentReserved,
    PaymentUndelivered,
    PaymentVoided,
    RequestServed,
    RequestsRefused,
    SignedIn,
    TaskFailed,
    ToppedUp,
    TopUpsStopped,
    WalletBalanceObserved,
    WebhookFailed,
)
from sidecar.payments.served import Together
from sidecar.refusal import BudgetUse

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["METRICS", "MetricDoc", "Metrics", "exposition"]


class Metrics:
    """Counts events, and shows the counts.

    ``payable``: the networks that each paying route pays on. ``prepaid``: the routes that sign in
    and buy credit.
    """

    def __init__(
        self,
        routes: Collection[str],
        callers: Collection[str],
        payable: Mapping[str, Collection[str]] = MappingProxyType({}),
        prepaid: Collection[str] = (),
        *,
        shadow: bool = False,
    ) -> None:
        self._tally = Tally(routes, callers, payable, prepaid)
        self._holdings = Holdings(routes, prepaid)
        self._payable = tuple(payable)
        self._shadow = shadow
        self._clock_skew_s: dict[Labels, float] = {}
        self._reloads: Shown = {names.RELOAD_OK: [((), True)], names.RELOADED_AT: ()}
        self._build = (__version__, platform.python_version())

    def learn(
        self,
        routes: Collection[str],
        callers: Collection[str],
        payable: Mapping[str, Collection[str]],
        prepaid: Collection[str],
    ) -> None:
        """Know these names too; what was counted stays."""
        self._tally.learn(routes, callers, payable, prepaid)
        self._holdings.learn(routes, prepaid)
        self._payable = tuple(dict.fromkeys((*self._payable, *payable)))

    def forget(self, routes: Collection[str], purses: Collection[tuple[str, str]]) -> None:
        """Tell no more of what these routes, and wallets on networks, hold."""
        self._holdings.forget(routes, purses)

    def observe(self, event: Event) -> None:  # noqa: C901, PLR0912 - one arm for each event
        """Count what happened."""
        match event:
            case RequestServed():
                self._tally.add_request(event)
            case PaymentPosted(payment):
                self._tally.add_posted(payment)
            case PaymentReserved() | PaymentConfirmed() | ApprovalAsked() | WebhookFailed():
                pass  # no outcome yet; and one that was counted when it was posted
            case PaymentRehearsed(payment):
                self._tally.add_rehearsal(payment)
            case ApprovalEnded(payment, outcome):
                self._tally.add_approval(payment.route, outcome)
            case PaymentVoided(payment):
                self._tally.add_outcome(payment, "voided")
            case PaymentInDoubt(payment):
                self._tally.add_outcome(payment, "in_doubt")
            case PaymentUndelivered(payment):
                self._tally.add_outcome(payment, "undelivered")
                self._tally.undelivered[self._route(payment.route)] += 1
            case PaymentDenied(route, _, denied):
                rule = fold(denied.rule, names.RULES)
                self._tally.denials[*self._route(route), rule] += 1
            case ToppedUp():
                self._tally.add_top_up(event)
            case TopUpsStopped():
                self._holdings.add_stop(event)
            case SignedIn():
                self._tally.add_sign_in(event)
            case BalanceObserved():
                self._holdings.add_credit(event)
            case CostObserved():
                self._tally.add_cost(event)
            case WalletBalanceObserved():
                self._holdings.add_wallet(event)
            case DriftMeasured():
                self._holdings.add_drift(event)
            case LedgerWriteFailed():
                self._tally.ledger_failures[()] += 1
            case ClockSkewMeasured(network, skew_s):
                self._clock_skew_s[(fold(network, NETWORK_NAMES),)] = skew_s
            case ConfigReloaded(at, _, mistakes):
                self._reloads[names.RELOAD_OK] = [((), not mistakes)]
                if not mistakes:
                    self._reloads[names.RELOADED_AT] = [((), at.timestamp())]
            case RequestsRefused(reason, count):
                self._tally.refused[(fold(reason, names.REFUSED_REASONS),)] += count
            case TaskFailed():
                self._tally.task_failures[()] += 1

    def observe_requests(self, served: Together) -> None:
        """Count requests that ended together."""
        self._tally.add_requests(served)

    @staticmethod
    def load() -> None:
        """Load what ``render`` needs. It takes some 50 ms once, which a thread can spend."""
        import_module("prometheus_client.openmetrics.exposition")

    def render(
        self,
        accept: str,
        now: datetime,
        budgets: Sequence[BudgetUse],
        in_doubt: Sequence[Payment] | None,
        frozen: bool | None = None,
        asked: Sequence[Payment] | None = None,
    ) -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics where ``accept`` prefers it.

        ``budgets`` empty, and the rest None, when the ledger cannot say: what is not known is left
        out, and the counters are shown all the same. ``asked``: what waits for a person.
        """
        return exposition(self.shown(now, budgets, in_doubt, frozen, asked), accept)

    def shown(
        self,
        now: datetime,
        budgets: Sequence[BudgetUse] = (),
        in_doubt: Sequence[Payment] | None = None,
        frozen: bool | None = None,
        asked: Sequence[Payment] | None = None,
    ) -> Shown:
        """The same as values, before it is text."""
        values = self.counted() | books.budgets(budgets) | self._held_values(now)
        values |= books.doubts(in_doubt, now, self._payable, self._tally.routes)
        values[names.FROZEN] = () if frozen is None else [((), frozen)]
        waiting = books.waiting(asked or (), self._payable, self._tally.routes)
        values[names.APPROVALS_WAITING] = () if asked is None else waiting
        values[names.WORKERS], values[names.WORKER_RESTARTS] = [((), 1)], [((), 0)]
        return values

    def _route(self, name: str) -> Labels:
        return (fold(name, self._tally.routes),)

    def counted(self) -> Shown:
        """What was counted here, and needs nobody to be asked."""
        tally = self._tally
        times = tally.settled().items()
        return {
            names.REQUESTS: [(labels, each.count) for labels, each in tally.requests.items()],
            names.REQUEST_DURATION: [((route,), each.request) for route, each in times],
            names.OVERHEAD: [((route,), each.overhead) for route, each in times],
            names.UPSTREAM_DURATION: [((route,), each.upstream) for route, each in times],
            names.PAYMENTS: tally.payments.items(),
            names.SPEND: tally.spend.items(),
            names.COST: tally.cost_nano.items(),
            names.COST_ESTIMATED: tally.cost_estimated_nano.items(),
            names.TOP_UPS: tally.top_ups.items(),
            names.SIGN_INS: tally.sign_ins.items(),
            names.UNDELIVERED: tally.undelivered.items(),
            names.DENIALS: tally.denials.items(),
            names.APPROVALS: tally.approvals.items(),
            names.REHEARSED_SPEND: tally.rehearsed.items(),
            names.SHADOW: [((), self._shadow)],
            names.LEDGER_FAILURES: tally.ledger_failures.items(),
            names.CLOCK_SKEW: self._clock_skew_s.items(),
            names.REFUSED: tally.refused.items(),
            names.TASK_FAILURES: tally.task_failures.items(),
            **self._reloads,
            names.BUILD_INFO: [(self._build, 1)],
        }

    def _held_values(self, now: datetime) -> Shown:
        holdings = self._holdings
        return {
            names.WALLET_BALANCE: holdings.wallets(),
            names.PROVIDER_BALANCE: holdings.credit(),
            names.BALANCE_AGE: holdings.ages_s(now),
            names.DRIFT: holdings.drift(),
            names.DRIFT_AGE: holdings.drift_ages_s(now),
            names.TOP_UPS_STOPPED: holdings.stopped(),
        }


def exposition(
    values: Shown, accept: str, docs: Sequence[MetricDoc] = METRICS, *, of_process: bool = True
) -> tuple[bytes, str]:
    """These values as text, and its content type; with what is known of this process."""
    # What is never scraped need not have it in memory, nor wait for it at its start.
    from prometheus_client import (  # noqa: PLC0415 - see above
        CollectorRegistry,
        PlatformCollector,
        ProcessCollector,
    )
    from prometheus_client.exposition import (  # noqa: PLC0415 - see above
        CONTENT_TYPE_PLAIN_0_0_4,
        generate_latest,
    )
    from prometheus_client.openmetrics import exposition as openmetrics  # noqa: PLC0415 - see above
    from prometheus_client.registry import Collector  # noqa: PLC0415 - see above

    class Families(Collector):
        def collect(self) -> Iterable[Metric]:
            return [_family(doc, values[doc]) for doc in docs]

    registry = CollectorRegistry()
    registry.register(Families())
    if of_process:
        ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    if prefers_openmetrics(accept):
        # Its annotations stop at its own door.
        # Theirs has no types.
        text: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def _family(doc: MetricDoc, values: Values) -> Metric:
    from prometheus_client import Metric  # noqa: PLC0415 - as in exposition
    from prometheus_client.utils import floatToGoString  # noqa: PLC0415 - as in exposition

    # The format gives these suffixes back to the samples.
    name = doc.name.removesuffix("_total").removesuffix("_info")
    family = Metric(name, doc.help, doc.kind)
    for labels, value in values:
        # To Prometheus an empty label is an absent one, and so it is not written.
        named = {name: text for name, text in zip(doc.labels, labels, strict=True) if text}
        if isinstance(value, Times):
            bounds = [*map(floatToGoString, value.bounds), "+Inf"]
            for bound, count in zip(bounds, value.cumulative(), strict=True):
                family.add_sample(f"{doc.name}_bucket", {**named, "le": bound}, count)
            family.add_sample(f"{doc.name}_count", named, sum(value.buckets))
            family.add_sample(f"{doc.name}_sum", named, value.total_s)
        else:
            family.add_sample(doc.name, named, value / doc.parts)
    return family
