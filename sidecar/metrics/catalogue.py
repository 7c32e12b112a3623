"""Every metric of the sidecar: its name, its labels, and what it says.

The exposition is built from this table and the README's is compared with it. Label values are
closed sets: a name of the config, a word from a list here, ``other`` for anything else, ``none``
for nothing; never an address, a URL, an id or a transaction.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from sidecar.money import ATOMIC_PER_USDC
from sidecar.values import dataclass

Kind: TypeAlias = Literal["counter", "gauge", "histogram", "info"]

# From a cached answer to a long completion.
LONG_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
# From a request passed through to one that a facilitator settles first.
SHORT_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0)

CODE_CLASSES = ("2xx", "3xx", "4xx", "5xx", "499")
SCHEMES = ("exact", "upto")
PURPOSES = ("request", "top_up")
OUTCOMES = ("posted", "voided", "in_doubt", "undelivered")
REHEARSED = "rehearsed"  # an outcome of shadow mode only
RULES = (
    "max_payment",
    "network",
    "asset",
    "pay_to",
    "amount",
    "validity",
    "unpayable",
    "budget",
    "breaker",
    "in_progress",
    "clock_skew",
    "body_too_large",
    "draining",
    "abandoned",
    "scheme",
    "top_up_wait",
    "top_up_terms",
    "top_up_rate",
    "top_up_unproven",
    "payee_changed",
    "price_jump",
    "frozen",
    "approval",
    "approval_refused",
    "approval_timeout",
    "shadow",
    "signer_refused",
)
TOP_UP_OUTCOMES = ("raised", "unproven", "in_doubt", "denied", "failed")
SIGN_IN_OUTCOMES = ("ok", "failed")
APPROVAL_OUTCOMES = ("approved", "approval_refused", "approval_timeout", "abandoned")
REFUSED_REASONS = (
    "malformed",
    "framing",
    "version",
    "body",
    "head_too_large",
    "head_overdue",
    "connections",
    "strangers",
)
UNITS = ("usd", "diem", "credits", "bundled", "earned")
# What one of the shown unit is in the whole numbers that are counted.
ATOMIC = ATOMIC_PER_USDC
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class MetricDoc:
    """One metric. ``parts``: how many of what is counted make one of what is shown."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    parts: int = 1
    bounds: tuple[float, ...] = ()


def _counter(name: str, labels: str, text: str, parts: int = 1) -> MetricDoc:
    return MetricDoc(f"sidecar_{name}_total", "counter", tuple(labels.split()), text, parts)


def _gauge(name: str, labels: str, text: str, parts: int = 1) -> MetricDoc:
    return MetricDoc(f"sidecar_{name}", "gauge", tuple(labels.split()), text, parts)


def _seconds(name: str, bounds: tuple[float, ...], text: str) -> MetricDoc:
    return MetricDoc(f"sidecar_{name}_seconds", "histogram", ("route",), text, bounds=bounds)


REQUESTS = _counter(
    "requests",
    "route caller code_class",
    "App requests by the status that the app got; 499: it hung up first.",
)
REQUEST_DURATION = _seconds(
    "request_duration", LONG_S, "From an app request's head to its last byte, or its end."
)
OVERHEAD = _seconds(
    "overhead", SHORT_S, "The part of each request's duration that did not wait for the upstream."
)
UPSTREAM_DURATION = _seconds(
    "upstream_duration", LONG_S, "The part of each request's duration that waited for the upstream."
)
PAYMENTS = _counter(
    "payments",
    "route network scheme purpose outcome",
    "Payments by what became of them; one in doubt counts again when it is proved.",
)
SPEND = _counter(
    "spend_usdc",
    "route caller purpose",
    "USDC that moved, since the process started; lifetime totals are in the ledger.",
    parts=ATOMIC,
)
COST = _counter(
    "cost_usd",
    "route caller",
    "What vendors said that requests cost, in US dollars; nothing where they do not say.",
    parts=NANO,
)
COST_ESTIMATED = _counter(
    "cost_estimated_usd",
    "route caller",
    "What requests are reckoned to have cost where the vendor does not say, in US dollars.",
    parts=NANO,
)
BUDGET_LIMIT = _gauge("budget_limit_usdc", "budget", "What the budget allows.", parts=ATOMIC)
BUDGET_SPENT = _gauge(
    "budget_spent_usdc", "budget", "What moved in the budget's current window.", parts=ATOMIC
)
BUDGET_RESERVED = _gauge(
    "budget_reserved_usdc", "budget", "What may still move in the current window.", parts=ATOMIC
)
BUDGET_REMAINING = _gauge(
    "budget_remaining_usdc", "budget", "What the budget still allows in this window.", parts=ATOMIC
)
BUDGET_HELD = _gauge(
    "budget_held_usdc",
    "budget",
    "What is kept of the budget for this machine and not used yet; 0 without leases.",
    parts=ATOMIC,
)
BUDGET_RESET = _gauge(
    "budget_reset_timestamp_seconds", "budget", "When the next window starts; none for a total."
)
IN_DOUBT = _gauge(
    "in_doubt_usdc", "route", "Signed, and nobody can say yet whether it moved.", parts=ATOMIC
)
IN_DOUBT_OLDEST = _gauge(
    "in_doubt_oldest_seconds", "", "Age of the oldest payment in doubt; 0 when there is none."
)
UNDELIVERED = _counter(
    "undelivered", "route", "Payments that moved and that the seller did not serve."
)
WALLET_BALANCE = _gauge(
    "wallet_balance_usdc", "wallet network", "USDC that the wallet holds on chain.", parts=ATOMIC
)
PROVIDER_BALANCE = _gauge(
    "provider_balance",
    "route unit",
    "Credit that the vendor says it holds, in its own unit; of several accounts the lowest.",
)
BALANCE_AGE = _gauge(
    "balance_age_seconds",
    "wallet network route",
    "How long ago a balance was read: of a wallet on a network, or of a route's credit.",
)
DRIFT = _gauge(
    "drift_usdc",
    "wallet network kind",
    "USDC that left unexplained (foreign), or is posted and never left (missing), since the start.",
    parts=ATOMIC,
)
DRIFT_AGE = _gauge(
    "drift_age_seconds",
    "wallet network",
    "How long ago the ledger and the wallet's chain were last compared.",
)
TOP_UPS = _counter("topups", "route outcome", "Purchases of credit by how they ended.")
TOP_UPS_STOPPED = _gauge(
    "top_ups_stopped",
    "route",
    "1 while no credit is bought, as some was paid for and the vendor still refuses.",
)
SIGN_INS = _counter("sign_ins", "route outcome", "Sign-ins at the vendor by how they ended.")
DENIALS = _counter(
    "policy_denials", "route rule", "Payments that were asked for and refused, by rule."
)
LEDGER_FAILURES = _counter(
    "ledger_write_failures", "", "Commits that failed; nothing is signed while they do."
)
CLOCK_SKEW = _gauge(
    "clock_skew_seconds", "network", "How far our clock is ahead of the chain's, as last read."
)
RELOAD_OK = _gauge(
    "config_last_reload_successful",
    "",
    "1 if the config was taken when it was last read; 0: it was refused, and the one before holds.",
)
RELOADED_AT = _gauge(
    "config_last_reload_success_timestamp_seconds", "", "When the config that holds was read."
)
FROZEN = _gauge("frozen", "", "1 while the sidecar is frozen and signs no payment.")
APPROVALS = _counter(
    "approvals", "route outcome", "Payments that waited for a person, by how the waiting ended."
)
APPROVALS_WAITING = _gauge(
    "approvals_waiting", "route", "Payments that wait for a person's approval now."
)
REHEARSED_SPEND = _counter(
    "rehearsed_usdc",
    "route caller purpose",
    "USDC that would have moved, in shadow mode.",
    parts=ATOMIC,
)
SHADOW = _gauge("shadow", "", "1 in shadow mode: every rule is applied and nothing is signed.")
REFUSED = _counter(
    "requests_refused",
    "reason",
    "Requests that were no HTTP to relay, and connections that were closed unheard, by reason.",
)
TASK_FAILURES = _counter("task_failures", "", "Background work that ended in a fault.")
WORKERS = _gauge("workers", "", "How many workers serve; 1 where one process does it all.")
WORKER_RESTARTS = _counter(
    "worker_restarts", "", "Workers that ended without being asked to, and were started again."
)
BUILD_INFO = MetricDoc(
    "sidecar_build_info", "info", ("version", "python"), "Which build this is; always 1."
)

METRICS: tuple[MetricDoc, ...] = (
    REQUESTS,
    REQUEST_DURATION,
    OVERHEAD,
    UPSTREAM_DURATION,
    PAYMENTS,
    SPEND,
    COST,
    COST_ESTIMATED,
    BUDGET_LIMIT,
    BUDGET_SPENT,
    BUDGET_RESERVED,
    BUDGET_REMAINING,
    BUDGET_HELD,
    BUDGET_RESET,
    IN_DOUBT,
    IN_DOUBT_OLDEST,
    UNDELIVERED,
    WALLET_BALANCE,
    PROVIDER_BALANCE,
    BALANCE_AGE,
    DRIFT,
    DRIFT_AGE,
    TOP_UPS,
    TOP_UPS_STOPPED,
    SIGN_INS,
    DENIALS,
    LEDGER_FAILURES,
    CLOCK_SKEW,
    RELOAD_OK,
    RELOADED_AT,
    FROZEN,
    APPROVALS,
    APPROVALS_WAITING,
    REHEARSED_SPEND,
    SHADOW,
    REFUSED,
    TASK_FAILURES,
    WORKERS,
    WORKER_RESTARTS,
    BUILD_INFO,
)
