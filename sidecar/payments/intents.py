"""What the ledger is asked to set aside for an order, under which rules of its route."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from sidecar.http import HttpRequest
from sidecar.ledger.model import Intent, PriceRule
from sidecar.payments.order import Order, PayingRoute
from sidecar.policy import Allowed
from sidecar.x402.encode import envelope_for
from sidecar.x402.types import PaymentRequired


def intent_for(
    order: Order,
    required: PaymentRequired,
    allowed: Allowed,
    payment_id: str,
    at: datetime,
    undelivered_since: datetime,
) -> Intent:
    """The payment that is about to be made."""
    candidate, route = allowed.candidate, order.route
    approval = route.approval
    return Intent(
        id=payment_id,
        purchase=order.purchase,
        route=route.name,
        caller=order.caller,
        purpose=order.purpose,
        scheme=candidate.requirements.scheme,
        network=candidate.asset.network,
        asset=candidate.asset.address,
        pay_to=candidate.requirements.pay_to,
        amount=candidate.amount,
        envelope=envelope_for(required, candidate.requirements, payment_id),
        budgets=order.budgets,
        breaker=route.breaker,
        top_up=order.top_up() if order.top_up else None,
        undelivered_since=undelivered_since,
        # A policy that names payees has checked this one already.
        pin_place=None if route.policy.pay_to else route.place_of(order.request),
        price=_price_rule(route, order.request),
        ask_until=approval.ask_until(candidate.amount, at) if approval else None,
    )


def _price_rule(route: PayingRoute, request: HttpRequest) -> PriceRule | None:
    if route.price_jump_max is None:
        return None
    # Not the query: it is the app's, and every other one would be a place without a history.
    return PriceRule(f"{request.method} {urlsplit(request.url).path}", route.price_jump_max)
