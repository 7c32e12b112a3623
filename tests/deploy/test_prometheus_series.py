"""How many series a sidecar makes: what a Prometheus with a thousand of them has to bear.

deploy/README.md says it in words. Nothing that a stranger can choose makes a series.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sidecar.metrics import METRICS, Metrics, catalogue
from sidecar.money import Usdc
from sidecar.payments.events import (
    BalanceObserved,
    ClockSkewMeasured,
    DriftMeasured,
    RequestServed,
    WalletBalanceObserved,
)
from sidecar.providers.base import Balance
from sidecar.refusal import BudgetUse
from tests.world.fakes import NOON

NETWORKS = ("eip155:8453", "eip155:137")
# Those of the process, of Python, and those that are there once.
FIXED = 25


def expected(routes: int, paying: int, prepaid: int, callers: int, budgets: int) -> int:
    """The documented sum, where each paying route may pay on both networks."""
    each_route = sum(
        len(metric.bounds) + 3 for metric in METRICS if metric.kind == "histogram"
    ) + callers * len(catalogue.CODE_CLASSES)
    each_paying = (
        len(catalogue.RULES)
        + len(catalogue.APPROVAL_OUTCOMES)
        + len(catalogue.OUTCOMES) * len(NETWORKS)
        + 2 * callers  # spent and rehearsed
        + 3  # in doubt, undelivered, waiting for approval
    )
    each_prepaid = (
        len(catalogue.TOP_UP_OUTCOMES)
        + len(catalogue.SIGN_IN_OUTCOMES)
        + len(catalogue.OUTCOMES) * len(NETWORKS)
        + 2 * (callers + 1)
        + 3  # the balance, its age, whether top-ups are stopped
    )
    each_network = 6  # a wallet's balance, its age, drift twice, its age, the skew
    return (
        routes * each_route
        + paying * each_paying
        + prepaid * each_prepaid
        + budgets * 6
        + len(NETWORKS) * each_network
        + FIXED
    )


def shown(routes: int, paying: int, prepaid: int, callers: int, budgets: int) -> int:
    """How many samples the exposition of such a sidecar has, once all is known."""
    names = [f"r{number}" for number in range(routes)]
    metrics = Metrics(
        names,
        [f"c{number}" for number in range(callers)],
        dict.fromkeys(names[:paying], NETWORKS),
        names[:prepaid],
    )
    for network in NETWORKS:
        metrics.observe(WalletBalanceObserved("main", network, Usdc(1), NOON))
        metrics.observe(DriftMeasured("main", network, Usdc(0), Usdc(0), NOON))
        metrics.observe(ClockSkewMeasured(network, 0.5))
    for name in names[:prepaid]:
        metrics.observe(
            BalanceObserved(name, "", Balance(Decimal(1), "usd", can_consume=True), NOON)
        )
    uses = [
        BudgetUse(f"b{number}", Usdc(5), Usdc(1), Usdc(1), NOON + timedelta(hours=1))
        for number in range(budgets)
    ]
    body, _ = metrics.render("", NOON, uses, (), frozen=False, asked=())
    return sum(len(each.samples) for each in text_string_to_metric_families(body.decode()))


@pytest.mark.parametrize(
    "size",
    [(1, 1, 0, 1, 1), (3, 2, 1, 2, 2), (6, 5, 3, 10, 12)],
    ids=["one route", "a few", "many"],
)
def test_series(size: tuple[int, int, int, int, int]) -> None:
    """There are as many series as the sum says, but for a few that appear with use."""
    assert expected(*size) == shown(*size)


def test_strangers_make_no_series() -> None:
    """Ten thousand paths, methods and tokens of strangers make no more series than one does."""
    counts = []
    for strangers in (1, 10_000):
        metrics = Metrics(("seller",), ("app",), {"seller": NETWORKS})
        for number in range(strangers):
            metrics.observe(
                RequestServed(
                    f"r{number}",
                    f"route-{number}",
                    f"caller-{number}",
                    f"M{number}",
                    f"/{number}",
                    404,
                    0.01,
                    0.0,
                    decision="refused",
                )
            )
        body, _ = metrics.render("", NOON, (), ())
        counts.append(len(body.splitlines()))

    assert counts[0] == counts[1]
