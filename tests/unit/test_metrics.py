"""Metrics: exact totals, closed labels, and a text that Prometheus reads."""

from __future__ import annotations

import platform
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sidecar import __version__
from sidecar.ledger.model import Payment, PaymentState, Purchase
from sidecar.metrics import METRICS, Metrics, catalogue
from sidecar.metrics.holdings import ACCOUNTS_MAX
from sidecar.metrics.tally import FOUND_MAX
from sidecar.metrics.times import Times
from sidecar.money import Usdc
from sidecar.payments.events import (
    ApprovalAsked,
    ApprovalEnded,
    BalanceObserved,
    ClockSkewMeasured,
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
    SignedIn,
    TaskFailed,
    ToppedUp,
    TopUpsStopped,
    WalletBalanceObserved,
)
from sidecar.payments.served import Ended, Ending, Together
from sidecar.providers.base import Balance
from sidecar.refusal import BudgetUse, Denied
from tests.world.fakes import NOON

BASE = "eip155:8453"
PAYMENT = Payment(
    id="p1",
    purchase=Purchase("key", explicit=False),
    state=PaymentState.AUTHORIZED,
    route="venice",
    caller="aider",
    purpose="request",
    scheme="exact",
    network=BASE,
    asset="0xa",
    pay_to="0xb",
    amount=Usdc(10_000),
    envelope={},
    authorization=None,
    proof=None,
    reserved_at=NOON - timedelta(seconds=100),
    authorized_at=NOON - timedelta(seconds=90),
    settled_at=None,
    delivered_at=None,
    closed_at=None,
    confirmed=False,
)
SERVED = RequestServed(
    "r1", "venice", "aider", "POST", "/v1/chat", 200, 0.030, 0.025, decision="relayed"
)


def alike(*events: RequestServed) -> Together:
    """These requests as what ended together."""
    together: dict[Ending, list[Ended]] = {}
    for event in events:
        together.setdefault(event.ending, []).append(event.ended)
    return together


DAY = BudgetUse("day", Usdc(5_000_000), Usdc(1_250_000), Usdc(10_000), NOON + timedelta(hours=12))
PAID_ONLY = {"route": "venice", "network": BASE, "scheme": "exact", "purpose": "request"}


def observed(*events: Event) -> Metrics:
    metrics = Metrics(("venice", "openai"), ("aider",), {"venice": (BASE,)}, ("venice",))
    for event in events:
        metrics.observe(event)
    return metrics


def samples(
    metrics: Metrics,
    budgets: tuple[BudgetUse, ...] = (),
    in_doubt: tuple[Payment, ...] = (),
) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by sample name and label values, in the order of their labels' names."""
    body, _ = metrics.render("", NOON, budgets, in_doubt)
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parse_text(body.decode()):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_requests_by_class() -> None:
    """Requests are counted by route, caller and class; 499 is a class of its own."""
    statuses = [200, 204, 302, 402, 404, 499, 500, 503, 599]
    found = samples(observed(*(replace(SERVED, status=status) for status in statuses)))

    assert {"2xx": 2, "3xx": 1, "4xx": 2, "499": 1, "5xx": 3} == {
        code: found["sidecar_requests_total"]["aider", code, "venice"]
        for code in ("2xx", "3xx", "4xx", "499", "5xx")
    }


def test_no_status() -> None:
    """A status outside HTTP's answers is counted as other."""
    found = samples(observed(replace(SERVED, status=0)))

    assert 1 == found["sidecar_requests_total"]["aider", "other", "venice"]


def test_labels_are_closed() -> None:
    """A thousand unknown names make one label, other; a missing name is none."""
    events = [replace(SERVED, route=f"r{i}", caller=f"c{i}") for i in range(1000)]
    found = samples(observed(*events, replace(SERVED, route="", caller="", status=403)))
    strange = {
        labels: value
        for labels, value in found["sidecar_requests_total"].items()
        if labels[0] != "aider"
    }

    assert {("other", "2xx", "other"): 1000, ("none", "4xx", "none"): 1} == strange


def test_durations() -> None:
    """A duration is in every bucket whose bound it does not pass, and in the sum."""
    found = samples(observed(SERVED, replace(SERVED, duration_s=0.025), SERVED))
    buckets = found["sidecar_request_duration_seconds_bucket"]

    assert (0, 1, 3, 3) == tuple(
        buckets[bound, "venice"] for bound in ("0.01", "0.025", "0.05", "+Inf")
    )
    assert 3 == found["sidecar_request_duration_seconds_count"]["venice",]
    assert pytest.approx(0.085) == found["sidecar_request_duration_seconds_sum"]["venice",]


def test_durations_once() -> None:
    """Each duration is counted once, however often somebody looks and however many there are."""
    metrics = Metrics(["venice"], ["aider"])
    for number in range(600):
        metrics.observe(replace(SERVED, duration_s=number * 0.001))
        if number % 250 == 0:
            metrics.counted()
    metrics.counted()
    found = dict(metrics.counted()[catalogue.REQUEST_DURATION])[("venice",)]

    assert isinstance(found, Times)
    assert [6, 11, 26, 51] == list(found.cumulative())[:4]
    assert 600 == list(found.cumulative())[-1]
    assert pytest.approx(179.7) == found.total_s


def test_requests_together() -> None:
    """Requests that ended together are counted as each would be, whoever asks at whatever time."""
    events = [
        replace(SERVED, route=route, caller=caller, status=status, duration_s=number * 0.001)
        for number in range(150)
        for route, caller, status in (("venice", "aider", 200), ("openai", "", 502), ("x", "y", 0))
    ]
    together = observed()
    for begin in range(0, len(events), 7):
        together.observe_requests(alike(*events[begin : begin + 7]))
        if begin % 70 == 0:
            together.counted()
    one, many = samples(observed(*events)), samples(together)

    for name in (name for name in one if name.startswith("sidecar_re")):
        assert pytest.approx(one[name]) == many[name], name
    for name in ("sidecar_overhead_seconds_sum", "sidecar_upstream_duration_seconds_bucket"):
        assert pytest.approx(one[name]) == many[name], name


def test_names_of_before() -> None:
    """A request that ended before its route was known is counted as other, however late it is."""
    metrics = observed(replace(SERVED, route="later"))
    metrics.learn(("later",), ("aider",), {}, ())
    metrics.observe(replace(SERVED, route="later"))
    found = samples(metrics)["sidecar_requests_total"]

    assert (1, 1) == (found["aider", "2xx", "other"], found["aider", "2xx", "later"])


def test_overhead() -> None:
    """Overhead is what did not wait for the upstream, and never less than nothing."""
    found = samples(observed(SERVED, replace(SERVED, duration_s=0.1, upstream_s=0.2)))

    assert pytest.approx(0.005) == found["sidecar_overhead_seconds_sum"]["venice",]
    assert pytest.approx(0.225) == found["sidecar_upstream_duration_seconds_sum"]["venice",]


def test_outcomes() -> None:
    """Each end of a payment is counted once; a reservation and a confirmation are no ends."""
    found = samples(
        observed(
            PaymentReserved(PAYMENT),
            PaymentInDoubt(PAYMENT, "cut"),
            PaymentPosted(PAYMENT),
            PaymentConfirmed(PAYMENT),
            PaymentVoided(PAYMENT),
            PaymentVoided(PAYMENT),
            PaymentUndelivered(PAYMENT, "500"),
        )
    )["sidecar_payments_total"]

    assert {"in_doubt": 1, "posted": 1, "voided": 2, "undelivered": 1} == {
        outcome: value for (_, outcome, what, *_), value in found.items() if what == "request"
    }


def test_spend_is_exact() -> None:
    """A thousand payments of one atomic unit and a large one add up to the last unit."""
    metrics = observed(PaymentPosted(replace(PAYMENT, amount=Usdc(123_456_789_000_001))))
    for _ in range(1_000):
        metrics.observe(PaymentPosted(replace(PAYMENT, amount=Usdc(1))))

    assert (
        123_456_789.001001
        == samples(metrics)["sidecar_spend_usdc_total"]["aider", "request", "venice"]
    )


def test_spend_of_strangers() -> None:
    """What a payment of an old config moved is counted too, under other."""
    old = replace(PAYMENT, route="old", caller="gone", network="eip155:5", scheme="deferred")
    found = samples(observed(PaymentPosted(old)))

    assert 0.01 == found["sidecar_spend_usdc_total"]["other", "request", "other"]
    assert 1 == found["sidecar_payments_total"]["other", "posted", "request", "other", "other"]


def test_undelivered() -> None:
    """Paid and not served has its own counter for each route, and one for routes of before."""
    found = samples(observed(PaymentUndelivered(PAYMENT, "500")))

    assert {("venice",): 1, ("other",): 0} == found["sidecar_undelivered_total"]


def test_denials() -> None:
    """Denials are counted by route and rule; an unknown rule is other."""
    found = samples(
        observed(
            PaymentDenied("venice", "aider", Denied("budget", "spent")),
            PaymentDenied("venice", "aider", Denied("budget", "spent")),
            PaymentDenied("venice", "aider", Denied("moon", "wrong phase")),
        )
    )["sidecar_policy_denials_total"]

    assert (2, 0, 1) == tuple(found["venice", rule] for rule in ("budget", "pay_to", "other"))


def test_rules_are_the_documented_ones() -> None:
    """Every rule that Denied's docstring names is a label value, and no other is."""
    listed = re.search(r"metric\): ([a-z_,\s]+)\.", Denied.__doc__ or "")
    assert listed is not None

    assert listed[1].replace(",", " ").split() == list(catalogue.RULES)


def test_approvals() -> None:
    """How each waiting ended is counted; those that wait are what the ledger says."""
    metrics = observed(
        ApprovalAsked(PAYMENT, NOON),
        ApprovalEnded(PAYMENT, "approved"),
        ApprovalEnded(PAYMENT, "a word of no list"),
    )
    found = samples(metrics)
    body, _ = metrics.render("", NOON, (), None, asked=(PAYMENT, PAYMENT))

    assert (1, 1, 0) == tuple(
        found["sidecar_approvals_total"][outcome, "venice"]
        for outcome in ("approved", "other", "approval_timeout")
    )
    assert 'sidecar_approvals_waiting{route="venice"} 2.0' in body.decode()


def test_rehearsals() -> None:
    """What was rehearsed is counted beside what was spent, and never as it."""
    found = samples(observed(PaymentRehearsed(PAYMENT)))

    assert 0.01 == found["sidecar_rehearsed_usdc_total"]["aider", "request", "venice"]
    assert 0 == found["sidecar_spend_usdc_total"]["aider", "request", "venice"]
    assert 1 == found["sidecar_payments_total"][BASE, "rehearsed", "request", "venice", "exact"]


def test_failures() -> None:
    """Failed commits and failed tasks are counted from zero."""
    found = samples(observed(LedgerWriteFailed("disk full"), TaskFailed("x", ValueError("y"))))

    assert {(): 1} == found["sidecar_ledger_write_failures_total"]
    assert {(): 1} == found["sidecar_task_failures_total"]
    assert {(): 0} == samples(observed())["sidecar_task_failures_total"]


def test_clock_skew() -> None:
    """The last skew of each network is shown, with its sign."""
    found = samples(observed(ClockSkewMeasured(BASE, 4.0), ClockSkewMeasured(BASE, -1.5)))

    assert {(BASE,): -1.5} == found["sidecar_clock_skew_seconds"]


def test_budgets() -> None:
    """A budget shows its limit, spent, reserved, remaining, what is held of that, and reset."""
    found = samples(observed(), budgets=(DAY,))

    assert {
        "limit_usdc": 5.0,
        "spent_usdc": 1.25,
        "reserved_usdc": 0.01,
        "remaining_usdc": 3.74,
        "held_usdc": 0.0,
        "reset_timestamp_seconds": (NOON + timedelta(hours=12)).timestamp(),
    } == {
        name.removeprefix("sidecar_budget_"): values["day",]
        for name, values in found.items()
        if name.startswith("sidecar_budget_")
    }


def test_a_total_never_resets() -> None:
    """A budget for all time has no reset sample."""
    found = samples(observed(), budgets=(replace(DAY, resets_at=None),))

    assert "sidecar_budget_reset_timestamp_seconds" not in found


def test_in_doubt() -> None:
    """Doubts add up per route; the oldest counts from when it was authorized."""
    older = replace(PAYMENT, authorized_at=NOON - timedelta(minutes=11), amount=Usdc(1))
    old_route = replace(PAYMENT, route="gone", authorized_at=None)
    found = samples(observed(), in_doubt=(PAYMENT, older, old_route))

    assert {("venice",): 0.010001, ("other",): 0.01} == found["sidecar_in_doubt_usdc"]
    assert {(): 660} == found["sidecar_in_doubt_oldest_seconds"]


def test_nothing_in_doubt() -> None:
    """Without doubts the gauges are there, at zero, so that an alert on them can clear."""
    found = samples(observed())

    assert {("venice",): 0} == found["sidecar_in_doubt_usdc"]
    assert {(): 0} == found["sidecar_in_doubt_oldest_seconds"]


def test_ledger_unreadable() -> None:
    """What the ledger cannot say is left out, not shown as zero; the counters are still there."""
    body, _ = observed(LedgerWriteFailed("disk full")).render("", NOON, (), None)

    assert b"\nsidecar_in_doubt" not in body
    assert b"\nsidecar_budget" not in body
    assert b"\nsidecar_ledger_write_failures_total 1.0" in body


def credit(
    value: str, unit: str = "usd", account: str = "", age_s: int = 0, route: str = "venice"
) -> BalanceObserved:
    """What a vendor said, so long ago."""
    balance = Balance(Decimal(value), unit, can_consume=True)
    return BalanceObserved(route, account, balance, NOON - timedelta(seconds=age_s))


def test_wallet_balances() -> None:
    """A wallet's balance is the last that was read, with its age."""
    early, late = (NOON - timedelta(seconds=age_s) for age_s in (100, 42))
    found = samples(
        observed(
            WalletBalanceObserved("main", BASE, Usdc(1), early),
            WalletBalanceObserved("spare", BASE, Usdc(2), early),
            WalletBalanceObserved("main", BASE, Usdc(2_500_000), late),
        )
    )

    assert {(BASE, "main"): 2.5, (BASE, "spare"): 0.000002} == found["sidecar_wallet_balance_usdc"]
    assert {(BASE, "main"): 42, (BASE, "spare"): 100} == found["sidecar_balance_age_seconds"]


def test_drift() -> None:
    """How far a wallet's chain and the ledger are apart is the last that was measured."""
    early, late = (NOON - timedelta(seconds=age_s) for age_s in (100, 42))
    found = samples(
        observed(
            DriftMeasured("main", BASE, Usdc(1), Usdc(0), early),
            DriftMeasured("main", BASE, Usdc(2_500_000), Usdc(7), late),
        )
    )

    assert {("foreign", BASE, "main"): 2.5, ("missing", BASE, "main"): 0.000007} == found[
        "sidecar_drift_usdc"
    ]
    assert {(BASE, "main"): 42} == found["sidecar_drift_age_seconds"]


def test_no_drift_before_a_look() -> None:
    """Before ledger and chain were compared nothing is said, not even that they agree."""
    assert "sidecar_drift_usdc" not in samples(observed())


def test_provider_balances() -> None:
    """A vendor's balances are the last that it named, each in its unit, with one age."""
    found = samples(
        observed(
            credit("1.5", age_s=90),
            credit("4.25", age_s=30),
            credit("90.5", "diem", age_s=30),
            credit("1e30", "moons", age_s=30),
            credit("1", route="gone"),
        )
    )

    assert {
        ("venice", "usd"): 4.25,
        ("venice", "diem"): 90.5,
        ("venice", "other"): 1e30,
        ("other", "usd"): 1,
    } == found["sidecar_provider_balance"]
    assert {("venice",): 30, ("other",): 0} == found["sidecar_balance_age_seconds"]


@pytest.mark.parametrize(("frozen", "shown"), [(True, {(): 1.0}), (False, {(): 0.0}), (None, None)])
def test_frozen(frozen: bool | None, shown: dict[tuple[str, ...], float] | None) -> None:
    """Whether it is frozen is shown as 1 or 0, and not at all while the ledger cannot say."""
    body, _ = observed().render("", NOON, (), (), frozen)
    lines = [line for line in body.decode().splitlines() if line.startswith("sidecar_frozen ")]

    expected = [] if shown is None else [f"sidecar_frozen {shown[()]}"]
    assert expected == lines


def test_accounts() -> None:
    """Of a route's accounts the lowest balance is shown, and the greatest age, without names."""
    metrics = observed(
        credit("70", "credits", "weather", age_s=5),
        credit("3", "credits", "news", age_s=60),
        credit("50", "credits", "maps", age_s=7),
    )
    body, _ = metrics.render("", NOON, (), ())

    assert {("venice", "credits"): 3} == samples(metrics)["sidecar_provider_balance"]
    assert {("venice",): 60} == samples(metrics)["sidecar_balance_age_seconds"]
    assert b"news" not in body


def test_accounts_are_bounded() -> None:
    """However many accounts apps name, only those heard of last are remembered."""
    names = [str(number) for number in range(ACCOUNTS_MAX)]
    lowest = credit("1", "credits", "lowest", age_s=900)
    others = [credit("5", "credits", name) for name in names]
    kept, forgotten = observed(lowest, *others[1:]), observed(lowest, *others)

    assert (1, 900) == tuple(
        samples(kept)[f"sidecar_{name}"][labels]
        for name, labels in (
            ("provider_balance", ("venice", "credits")),
            ("balance_age_seconds", ("venice",)),
        )
    )
    assert {("venice", "credits"): 5} == samples(forgotten)["sidecar_provider_balance"]
    assert {("venice",): 0} == samples(forgotten)["sidecar_balance_age_seconds"]


def test_age_after_the_clock_was_set_back() -> None:
    """Nothing is younger than new."""
    found = samples(observed(credit("1", age_s=-3600)))

    assert {("venice",): 0} == found["sidecar_balance_age_seconds"]


def test_no_balance() -> None:
    """Before a balance was read there is none, and no age: unknown is not zero."""
    found = samples(observed())

    assert [] == [name for name in found if "balance" in name]


def test_costs() -> None:
    """Costs add up by route and caller; what was only reckoned stands by itself."""
    found = samples(
        observed(
            CostObserved("venice", "aider", Decimal("0.00042"), estimated=False),
            CostObserved("venice", "aider", Decimal("1.5"), estimated=False),
            CostObserved("venice", "gone", Decimal(2), estimated=False),
            CostObserved("openai", "aider", Decimal("0.25"), estimated=True),
        )
    )

    assert {
        ("aider", "venice"): 1.50042,
        ("other", "venice"): 2,
    } == found["sidecar_cost_usd_total"]
    assert {("aider", "openai"): 0.25} == found["sidecar_cost_estimated_usd_total"]
    assert "sidecar_cost_usd_total" not in samples(observed())


@given(st.lists(st.decimals(0, 100, places=9), max_size=50))
def test_costs_are_exact(costs: list[Decimal]) -> None:
    """However many costs there are, their sum is exact to the billionth of a dollar."""
    metrics = observed(*(CostObserved("venice", "aider", cost, estimated=False) for cost in costs))
    shown = samples(metrics).get("sidecar_cost_usd_total", {("aider", "venice"): 0.0})

    assert {("aider", "venice"): float(sum(costs, Decimal(0)))} == shown


@pytest.mark.parametrize("slip", ["1e400", "9e999999"])
def test_cost_of_a_slip(slip: str) -> None:
    """A cost that cannot be true does not hide the others, and breaks nothing."""
    events = [CostObserved("venice", "aider", Decimal(slip), estimated=False)] * 2
    cent = CostObserved("venice", "aider", Decimal("0.01"), estimated=False)
    found = samples(observed(*events, cent))

    assert {("aider", "venice"): 2_000_000.01} == found["sidecar_cost_usd_total"]


def test_top_ups() -> None:
    """Top-ups are counted by how they ended, each from zero on a route that buys credit."""
    found = samples(
        observed(
            ToppedUp("venice", "", "raised"),
            ToppedUp("venice", "", "raised"),
            ToppedUp("venice", "", "denied", "a budget"),
            ToppedUp("gone", "", "lost"),
        )
    )["sidecar_topups_total"]

    assert {
        ("raised", "venice"): 2,
        ("unproven", "venice"): 0,
        ("in_doubt", "venice"): 0,
        ("denied", "venice"): 1,
        ("failed", "venice"): 0,
        ("other", "other"): 1,
    } == found


def test_top_ups_stopped() -> None:
    """The gauge is 1 while any account of the route is stopped, and goes back to 0."""
    stops = [
        TopUpsStopped("venice", "a", stopped=True),
        TopUpsStopped("venice", "b", stopped=True),
        TopUpsStopped("venice", "a", stopped=False),
        TopUpsStopped("venice", "b", stopped=False),
    ]

    assert [0, 1, 1, 1, 0] == [
        samples(observed(*stops[:count]))["sidecar_top_ups_stopped"]["venice",]
        for count in range(5)
    ]


def test_sign_ins() -> None:
    """Sign-ins are counted by how they ended, from zero on a route that needs them."""
    found = samples(
        observed(SignedIn("venice", "ok"), SignedIn("venice", "ok"), SignedIn("openai", "failed"))
    )["sidecar_sign_ins_total"]

    assert {("ok", "venice"): 2, ("failed", "venice"): 0, ("failed", "openai"): 1} == found


def test_top_up_payments() -> None:
    """A top-up's payment is told apart from a request's."""
    found = samples(observed(PaymentPosted(replace(PAYMENT, purpose="top_up", caller=""))))

    assert 1 == found["sidecar_payments_total"][BASE, "posted", "top_up", "venice", "exact"]
    assert 0.01 == found["sidecar_spend_usdc_total"]["none", "top_up", "venice"]


STANDING = {
    "sidecar_build_info",
    "sidecar_config_last_reload_successful",
    "sidecar_workers",
}


def test_zeros_at_start() -> None:
    """Before anything happened every configured name is there, at zero."""
    found = samples(observed())

    assert {0.0} == {
        value
        for name, values in found.items()
        if name.startswith("sidecar_") and name not in STANDING
        for value in values.values()
    }
    assert len(catalogue.CODE_CLASSES) * 2 == len(found["sidecar_requests_total"])
    assert len(catalogue.RULES) == len(found["sidecar_policy_denials_total"])
    assert len(catalogue.OUTCOMES) * 2 == len(found["sidecar_payments_total"])
    # A first top-up has to be a rise, whoever's request or low balance asks for it.
    assert {
        ("aider", "request", "venice"): 0,
        ("aider", "top_up", "venice"): 0,
        ("none", "top_up", "venice"): 0,
    } == found["sidecar_spend_usdc_total"]
    assert len(catalogue.TOP_UP_OUTCOMES) == len(found["sidecar_topups_total"])
    assert len(catalogue.SIGN_IN_OUTCOMES) == len(found["sidecar_sign_ins_total"])
    assert {("venice",): 0} == found["sidecar_top_ups_stopped"]


def test_zeros_are_bounded() -> None:
    """A hundred routes and callers each are not multiplied: a pair starts when it is first used."""
    routes = tuple(f"r{number}" for number in range(101))
    callers = tuple(f"c{number}" for number in range(101))
    metrics = Metrics(routes, callers, dict.fromkeys(routes, (BASE,)))
    for _ in range(2):
        metrics.observe(replace(SERVED, route="r7", caller="c90"))
    found = samples(metrics)

    assert {("c90", "2xx", "r7"): 2} == found["sidecar_requests_total"]
    assert "sidecar_spend_usdc_total" not in found
    assert len(routes) == len(found["sidecar_request_duration_seconds_count"])


def test_statuses_are_bounded() -> None:
    """However many statuses upstreams make up, what is remembered is bounded, and all count."""
    metrics = observed(*(replace(SERVED, status=status) for status in range(FOUND_MAX + 9)))
    counted = samples(metrics)["sidecar_requests_total"].values()

    assert FOUND_MAX + 9 == sum(counted)
    assert 9 == len(metrics._tally._found)


def test_build_info() -> None:
    """The build names its version and its Python."""
    found = samples(observed())

    assert {(platform.python_version(), __version__): 1} == found["sidecar_build_info"]


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_the_table_is_what_is_shown(accept: str) -> None:
    """The exposition holds METRICS, process and platform metrics, with the table's words."""
    body, _ = observed(
        ClockSkewMeasured(BASE, 0.0),
        credit("1"),
        WalletBalanceObserved("main", BASE, Usdc(1), NOON),
        DriftMeasured("main", BASE, Usdc(1), Usdc(0), NOON),
        CostObserved("venice", "aider", Decimal(1), estimated=False),
        CostObserved("venice", "aider", Decimal(1), estimated=True),
    ).render(accept, NOON, (DAY,), (PAYMENT,), asked=(PAYMENT,))
    parse = parse_openmetrics if accept else parse_text
    # The two formats differ in whether a family's name has its counter's or info's ending.
    shown = {
        re.sub("_(total|info)$", "", family.name): (
            family.documentation,
            sorted({name for s in family.samples for name in s.labels} - {"le"}),
        )
        for family in parse(body.decode())
        if family.name.startswith("sidecar_")
    }

    assert {
        re.sub("_(total|info)$", "", doc.name): (doc.help, sorted(doc.labels)) for doc in METRICS
    } == shown
    assert b"process_cpu_seconds" in body
    assert b"python_info" in body


def test_the_table_is_complete() -> None:
    """Every metric that the catalogue defines is in METRICS, once."""
    defined = {doc.name for doc in vars(catalogue).values() if type(doc) is type(METRICS[0])}

    assert sorted(defined) == sorted(doc.name for doc in METRICS)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5",
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        ("application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=often", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_negotiation(accept: str, content_type: str) -> None:
    """The format is the one that Accept prefers; plain text where it does not say."""
    _, chosen = observed().render(accept, NOON, (), ())

    assert content_type == chosen


def test_no_ids() -> None:
    """No address, id or path gets into the exposition."""
    events: list[Event] = [SERVED, PaymentPosted(PAYMENT), PaymentInDoubt(PAYMENT, "cut")]
    body, _ = observed(*events).render("", datetime.now(UTC), (DAY,), (PAYMENT,))

    assert [] == [word for word in (b"p1", b"0xa", b"0xb", b"/v1", b"r1") if b'"%s"' % word in body]
