"""Payments that were posted: found once by what they say, and counted each as what it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from sidecar.ledger.model import Payment
from sidecar.metrics.tally import FOUND_MAX, fold
from sidecar.money import Usdc
from sidecar.payments.events import PaymentPosted
from tests.unit.test_metrics import BASE, PAYMENT, observed, samples
from tests.unit.test_metrics_reloaded import made, values


def test_each_is_its_own() -> None:
    """Posted payments are told apart by each of their names, whichever came before."""
    said = product(("venice", "openai", "x"), ("aider", "y", ""), ("request", "top_up"))
    payments = [
        replace(
            PAYMENT,
            route=route,
            caller=caller,
            purpose=purpose,
            scheme=scheme,
            network=network,
            amount=Usdc(number),
        )
        for number, ((route, caller, purpose), scheme, network) in enumerate(
            product(said, ("exact", "upto"), (BASE, "eip155:84532", "new")), start=1
        )
    ]
    metrics = observed(*(PaymentPosted(payment) for payment in payments * 3))
    tally = metrics._tally

    def spent(payment: Payment) -> tuple[str, ...]:
        route, caller = fold(payment.route, tally.routes), fold(payment.caller, tally.callers)
        return route, caller, payment.purpose

    for payment in payments:
        alike = [each for each in payments if spent(each) == spent(payment)]
        assert 3 * sum(each.amount.atomic for each in alike) == tally.spend[spent(payment)]
    # Of each route, network, scheme and purpose there are three callers.
    assert {9} == {count for labels, count in tally.payments.items() if count}
    assert 36 == sum(count > 0 for count in tally.payments.values())


def test_posted_under_a_new_name() -> None:
    """A payment of a route and caller that are known from now on is counted under their names."""
    metrics = made()
    event = PaymentPosted(replace(PAYMENT, route="new", caller="later"))
    metrics.observe(event)
    metrics.learn(("new",), ("later",), {"new": (BASE,)}, ())
    metrics.observe(event)

    assert {
        ("other", "request", "other"): 0.01,
        ("later", "request", "new"): 0.01,
    } == values(metrics, "sidecar_spend_usdc_total")
    assert {
        (BASE, "posted", "request", "other", "exact"): 1,
        (BASE, "posted", "request", "new", "exact"): 1,
    } == values(metrics, "sidecar_payments_total")


def test_payers_are_bounded() -> None:
    """However many there are who pay, what is remembered is bounded, and all count."""
    metrics = observed(
        *(PaymentPosted(replace(PAYMENT, caller=f"{n}")) for n in range(FOUND_MAX + 9))
    )
    found = samples(metrics)["sidecar_payments_total"].values()

    assert FOUND_MAX + 9 == sum(found)
    assert 9 == len(metrics._tally._payers)
