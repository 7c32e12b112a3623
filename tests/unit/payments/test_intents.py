"""What the ledger is asked to set aside, and what a payment is called."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from sidecar.chains import usdc_on
from sidecar.clock import DrawnEntropy, SystemEntropy
from sidecar.http import HttpRequest
from sidecar.ledger.model import (
    Breaker,
    Budget,
    Intent,
    PriceRule,
    Purchase,
    TopUpRule,
    Window,
)
from sidecar.money import Usdc
from sidecar.payments.approvals import ApprovalRule
from sidecar.payments.intents import intent_for, new_payment_id
from sidecar.payments.order import Order, PayingRoute
from sidecar.policy import Allowed, Policy
from sidecar.x402.encode import envelope_for
from sidecar.x402.select import Candidate
from sidecar.x402.types import PaymentRequired, PaymentRequirements
from tests.world.fakes import FakeEntropy

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
SINCE = AT - timedelta(minutes=10)
BASE = usdc_on("eip155:8453")
OFFER = PaymentRequirements(
    scheme="exact",
    network=BASE.network,
    asset=BASE.address.lower(),
    amount="7",
    pay_to="0x" + "cd" * 20,
    max_timeout_seconds=60,
    extra={},
    original={"network": BASE.network, "payTo": "0x" + "cd" * 20},
)
REQUIRED = PaymentRequired(2, (OFFER,))
ALLOWED = Allowed(Candidate(OFFER, BASE, Usdc(7), 0), 60)
BUDGETS = (Budget("day", Usdc(100), Window.DAY),)
ROUTE = PayingRoute(
    name="seller",
    policy=Policy(Usdc(10), frozenset({BASE.network}), frozenset()),
    signer=cast(Any, None),
    upstream=cast(Any, None),
    breaker=Breaker(5, timedelta(hours=1)),
    response_wait_s=30.0,
    chain=cast(Any, None),
    place_of=lambda request: request.url,
)
ORDER = Order(
    request=HttpRequest("POST", "https://seller.example/v1/chat?page=2"),
    purchase=Purchase("the same call", explicit=False),
    route=ROUTE,
    caller="app",
    budgets=BUDGETS,
)
PLAIN = Intent(
    id="pay_" + "0" * 32,
    purchase=ORDER.purchase,
    route="seller",
    caller="app",
    purpose="request",
    scheme="exact",
    network=BASE.network,
    asset=BASE.address,
    pay_to=OFFER.pay_to,
    amount=Usdc(7),
    envelope=envelope_for(REQUIRED, OFFER, "pay_" + "0" * 32),
    budgets=BUDGETS,
    breaker=ROUTE.breaker,
    undelivered_since=SINCE,
    pin_place=ORDER.request.url,
)


def asked(order: Order) -> Intent:
    """What is set aside for this order."""
    return intent_for(order, REQUIRED, ALLOWED, PLAIN.id, AT, SINCE)


def test_plain() -> None:
    """Each field holds what the order, the seller's offer or our own table says of it."""
    assert PLAIN == asked(ORDER)


def test_rules_of_a_route() -> None:
    """A route's own payees need no pin; its price rule, approval and top-up come along."""
    rule = TopUpRule(since=AT, hourly_max=2)
    route = replace(
        ROUTE,
        policy=replace(ROUTE.policy, pay_to=frozenset({OFFER.pay_to})),
        price_jump_max=Decimal(3),
        approval=ApprovalRule(Usdc(5), wait_s=900),
    )
    expected = replace(
        PLAIN,
        purpose="top_up",
        top_up=rule,
        pin_place=None,
        price=PriceRule("POST /v1/chat", Decimal(3)),
        ask_until=AT + timedelta(minutes=15),
    )

    assert expected == asked(replace(ORDER, route=route, top_up=lambda: rule))


def test_name_of_a_payment() -> None:
    """An id is 32 digits: the milliseconds since the epoch in 12, and 80 bits of chance."""
    payment_id = new_payment_id(AT, FakeEntropy())

    assert re.fullmatch(r"pay_[0-9a-f]{32}", payment_id) is not None
    assert 1_767_323_045_678 == int(payment_id[4:16], 16)
    assert FakeEntropy().token(10).hex() == payment_id[16:]


def test_names_of_one_moment() -> None:
    """Two payments of one millisecond have different names."""
    entropy = DrawnEntropy(SystemEntropy())

    assert 1000 == len({new_payment_id(AT, entropy) for _ in range(1000)})


def test_names_in_their_order() -> None:
    """A later payment's id sorts after an earlier one's, so the index of ids grows at its end."""
    entropy = SystemEntropy()
    ids = [new_payment_id(AT + timedelta(milliseconds=late), entropy) for late in range(5000)]

    assert sorted(ids) == ids
