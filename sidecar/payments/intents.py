"""What the ledger is asked to set aside for an order: its name, and the rules of its route."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from sidecar.clock import Entropy
from sidecar.http import HttpRequest
from sidecar.ledger.model import Intent, PriceRule
from sidecar.payments.order import Order, PayingRoute
from sidecar.policy import Allowed
from sidecar.x402.encode import envelope_for
from sidecar.x402.types import PaymentRequired

RANDOM_BYTES = 10


def new_payment_id(at: datetime, entropy: Entropy) -> str:
    """``pay_`` and 32 hexadecimal digits: 12 of milliseconds since the epoch, 20 of chance.

    Payments that follow one another stand side by side in the ledger's index, so that to add
    one dirties as few of its pages however long it is (RFC 9562, as in its UUIDv7).
    """
    return f"pay_{int(at.timestamp() * 1000):012x}{entropy.token(RANDOM_BYTES).hex()}"


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
    # In the order of its fields: given by name, they take a third more time.
    return Intent(
        payment_id,
        order.purchase,
        route.name,
        order.caller,
        order.purpose,
        candidate.requirements.scheme,
        candidate.asset.network,
        candidate.asset.address,
        candidate.requirements.pay_to,
        candidate.amount,
        envelope_for(required, candidate.requirements, payment_id),
        order.budgets,
        route.breaker,
        order.top_up() if order.top_up else None,
        undelivered_since,
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
