"""The metrics of a sidecar whose config has changed while it ran."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from prometheus_client.parser import text_string_to_metric_families

from sidecar.metrics import Metrics
from sidecar.money import Usdc
from sidecar.payments.events import (
    BalanceObserved,
    ConfigReloaded,
    DriftMeasured,
    RequestServed,
    TopUpsStopped,
    WalletBalanceObserved,
)
from sidecar.providers.base import Balance
from tests.world.fakes import NOON

BASE = "eip155:8453"
SERVED = RequestServed("1", "venice", "aider", "GET", "/v1", 200, 0.1, 0.1, "relayed")
LOW = BalanceObserved("venice", "", Balance(Decimal(1), "usd", can_consume=True), NOON)


def made() -> Metrics:
    return Metrics(("venice",), ("aider",), {"venice": (BASE,)}, ("venice",))


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric by its labels' values, in the order of their names; no zeros."""
    body, _ = metrics.render("", NOON + timedelta(seconds=5), (), ())
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == name and sample.value
    }


def test_counts_go_on() -> None:
    """What was counted stays, and a name that was another's before has a count of its own."""
    metrics = made()
    stranger = replace(SERVED, route="new", caller="later")
    for event in (SERVED, stranger):
        metrics.observe(event)
    metrics.learn(("new",), ("later",), {"new": (BASE,)}, ("new",))
    for event in (SERVED, stranger, stranger):
        metrics.observe(event)

    assert {
        ("aider", "2xx", "venice"): 2,
        ("other", "2xx", "other"): 1,
        ("later", "2xx", "new"): 2,
    } == values(metrics, "sidecar_requests_total")


def test_what_is_held_is_forgotten() -> None:
    """Balances that nobody reads any more are not shown, or they would grow old for ever."""
    metrics = made()
    wallet = WalletBalanceObserved("main", BASE, Usdc(1_000_000), NOON)
    events = (
        LOW,
        wallet,
        replace(wallet, wallet="other"),
        DriftMeasured("other", BASE, Usdc(1), Usdc(1), NOON),
        TopUpsStopped("venice", "", stopped=True),
    )
    for event in events:
        metrics.observe(event)
    metrics.forget(["venice"], [("other", BASE)])
    metrics.observe(LOW)
    metrics.observe(TopUpsStopped("venice", "", stopped=True))
    gone = {
        name: values(metrics, f"sidecar_{name}")
        for name in ("provider_balance", "balance_age_seconds", "drift_usdc", "top_ups_stopped")
    }
    metrics.learn(("venice",), ("aider",), {}, ("venice",))
    metrics.observe(LOW)

    assert {
        "provider_balance": {},
        "balance_age_seconds": {(BASE, "main"): 5},
        "drift_usdc": {},
        "top_ups_stopped": {},
    } == gone
    assert {("venice", "usd"): 1} == values(metrics, "sidecar_provider_balance")


def test_reloads() -> None:
    """Whether the last reading was taken, and when the one was that holds."""
    name = "sidecar_config_last_reload_successful"
    at = "sidecar_config_last_reload_success_timestamp_seconds"
    metrics = made()
    unread = (values(metrics, name), values(metrics, at))
    metrics.observe(ConfigReloaded(NOON, ("routes.venice",)))
    taken = (values(metrics, name), values(metrics, at))
    metrics.observe(ConfigReloaded(NOON + timedelta(hours=1), mistakes=("listen: moved",)))
    refused = (values(metrics, name), values(metrics, at))

    assert ({(): 1}, {}) == unread
    assert ({(): 1}, {(): NOON.timestamp()}) == taken
    assert ({}, {(): NOON.timestamp()}) == refused
