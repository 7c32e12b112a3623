"""The dashboard's panels: what each asks Prometheus, and how its answers are shown.

Every query is narrowed to the chosen instances, and to the chosen routes where its metric has any.
"""

from __future__ import annotations

from dataclasses import dataclass

INSTANCE = 'instance=~"$instance"'
ROUTE = f'{INSTANCE}, route=~"$route"'
REQUESTS = f'{ROUTE}, purpose="request"'

USDC, USDC_HOURLY, USD_HOURLY = "suffix: USDC", "suffix: USDC/h", "suffix: USD/h"
COUNT, PER_MINUTE, SHARE, SECONDS, HOURS = "short", "cpm", "percentunit", "s", "h"


@dataclass(frozen=True, slots=True)
class Query:
    """One question, and how its answers are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``limits``: from where on a value is yellow and red; falling: from where down."""

    title: str
    says: str
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    kind: str = "lines"  # number | bars | lines | areas
    limits: tuple[float, float] | None = None


def hours_left(metric: str, labels: str) -> str:
    """Until this is used up, at the pace of the last 24 hours; as the alerts reckon it."""
    held = f"{metric}{{{labels}}}"
    return f"24 * {held} / sum_over_time(clamp_min({held} offset 15m - {held}, 0)[1d:15m])"


def hourly(metric: str, by: str, labels: str = ROUTE) -> str:
    """What a counter of money grows by, in an hour."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval])) * 3600"


def per_minute(metric: str, by: str, labels: str = ROUTE) -> str:
    """What a counter grows by, in a minute."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval])) * 60"


def quantile(share: float, metric: str) -> Query:
    """How long the fastest of this share took at most."""
    rates = f"sum by (le) (rate({metric}_bucket{{{ROUTE}}}[$__rate_interval]))"
    return Query(f"histogram_quantile({share}, {rates})", f"{share:.0%}")


BUDGET_USED = (
    f"max by (budget) ((sidecar_budget_spent_usdc{{{INSTANCE}}}"
    f" + sidecar_budget_reserved_usdc{{{INSTANCE}}}) / sidecar_budget_limit_usdc{{{INSTANCE}}})"
)
WALLET_HOURS = hours_left("sidecar_wallet_balance_usdc", INSTANCE)
# Credit that is topped up runs low all the time.
CREDIT_HOURS = (
    hours_left("sidecar_provider_balance", f'{ROUTE}, unit=~"usd|credits"')
    + f" unless on (instance, route) sidecar_top_ups_stopped{{{ROUTE}}}"
)
