"""Every metric of the sidecar: its name, its labels, and what it says.

The exposition is built from this table and the README's is compared with it. Label values are
closed sets: a name of the config, a word from a list here, ``other`` for anything else, ``none``
for nothing; never an address, a URL, an id or a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram", "info"]

# From a cached answer to a long completion.
LONG_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
# From a request passed through to one that a facilitator settles first.
SHORT_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0)

CODE_CLASSES = ("2xx", "3xx", "4xx", "5xx", "499")
SCHEMES = ("exact", "upto")
PURPOSES = ("request", "top_up")
OUTCOMES = ("posted", "voided", "in_doubt", "undelivered")
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
)


@dataclass(frozen=True, slots=True)
class MetricDoc:
    """One metric. ``money``: its values are kept in atomic units and shown in USDC."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    money: bool = False
    bounds: tuple[float, ...] = ()


def _counter(name: str, labels: str, text: str, money: bool = False) -> MetricDoc:
    return MetricDoc(f"sidecar_{name}_total", "counter", tuple(labels.split()), text, money)


def _gauge(name: str, labels: str, text: str, money: bool = False) -> MetricDoc:
    return MetricDoc(f"sidecar_{name}", "gauge", tuple(labels.split()), text, money)


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
    money=True,
)
BUDGET_LIMIT = _gauge("budget_limit_usdc", "budget", "What the budget allows.", money=True)
BUDGET_SPENT = _gauge(
    "budget_spent_usdc", "budget", "What moved in the budget's current window.", money=True
)
BUDGET_RESERVED = _gauge(
    "budget_reserved_usdc", "budget", "What may still move in the current window.", money=True
)
BUDGET_REMAINING = _gauge(
    "budget_remaining_usdc", "budget", "What the budget still allows in this window.", money=True
)
BUDGET_RESET = _gauge(
    "budget_reset_timestamp_seconds", "budget", "When the next window starts; none for a total."
)
IN_DOUBT = _gauge(
    "in_doubt_usdc", "route", "Signed, and nobody can say yet whether it moved.", money=True
)
IN_DOUBT_OLDEST = _gauge(
    "in_doubt_oldest_seconds", "", "Age of the oldest payment in doubt; 0 when there is none."
)
UNDELIVERED = _counter(
    "undelivered", "route", "Payments that moved and that the seller did not serve."
)
WALLET_BALANCE = _gauge(
    "wallet_balance_usdc", "wallet network", "USDC that the wallet holds on chain.", money=True
)
BALANCE_AGE = _gauge(
    "balance_age_seconds", "wallet network", "How long ago the wallet's balance was read."
)
DENIALS = _counter(
    "policy_denials", "route rule", "Payments that were asked for and refused, by rule."
)
LEDGER_FAILURES = _counter(
    "ledger_write_failures", "", "Commits that failed; nothing is signed while they do."
)
CLOCK_SKEW = _gauge(
    "clock_skew_seconds", "network", "How far our clock is ahead of the chain's, as last read."
)
TASK_FAILURES = _counter("task_failures", "", "Background work that ended in a fault.")
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
    BUDGET_LIMIT,
    BUDGET_SPENT,
    BUDGET_RESERVED,
    BUDGET_REMAINING,
    BUDGET_RESET,
    IN_DOUBT,
    IN_DOUBT_OLDEST,
    UNDELIVERED,
    WALLET_BALANCE,
    BALANCE_AGE,
    DENIALS,
    LEDGER_FAILURES,
    CLOCK_SKEW,
    TASK_FAILURES,
    BUILD_INFO,
)
