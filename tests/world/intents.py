"""Payments to make in the tests of the ledger: everything has a default but the id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sidecar.ledger import Ledger
from sidecar.ledger.model import (
    Breaker,
    Budget,
    Intent,
    Payment,
    PriceRule,
    Proof,
    Purchase,
    TopUpRule,
    Window,
)
from sidecar.money import Usdc
from sidecar.x402.types import Authorization
from tests.world.fakes import NOON

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = Budget("day", Usdc(100), Window.DAY)
NO_BREAKER = Breaker(undelivered_max=0, window=HOUR)
RECEIPT = Proof("receipt", "0xmoved")
SERVED = Proof("served")
EXPIRED = Proof("expired")
UNSIGNED = Proof("unsigned")


def intent(
    payment_id: str,
    *,
    key: str | None = None,
    explicit: bool = False,
    amount: int = 1,
    route: str = "venice",
    envelope: Mapping[str, Any] | None = None,
    budgets: tuple[Budget, ...] = (DAY,),
    breaker: Breaker = NO_BREAKER,
    top_up: TopUpRule | None = None,
    pay_to: str = "0xseller",
    network: str = "eip155:84532",
    undelivered_since: datetime | None = None,
    pin_place: str | None = None,
    price: PriceRule | None = None,
    ask_until: datetime | None = None,
) -> Intent:
    """What a payer is about to pay; a purchase of its own, unless it is given a key."""
    return Intent(
        id=payment_id,
        purchase=Purchase(key or f"key of {payment_id}", explicit),
        route=route,
        caller="aider",
        purpose="request" if top_up is None else "top_up",
        scheme="exact",
        network=network,
        asset="0xusdc",
        pay_to=pay_to,
        amount=Usdc(amount),
        envelope={"x402Version": 2} if envelope is None else envelope,
        budgets=budgets,
        breaker=breaker,
        top_up=top_up,
        undelivered_since=undelivered_since,
        pin_place=pin_place,
        price=price,
        ask_until=ask_until,
    )


def authorization(payment_id: str) -> Authorization:
    """The transfer that pays for it."""
    return Authorization(
        network="eip155:84532",
        identity=f"0xnonce of {payment_id}",
        expires_at=NOON + timedelta(seconds=120),
        fields={"from": "0xwallet", "to": "0xseller", "value": "1", "nonce": "0x01"},
    )


async def reserved(ledger: Ledger, payment_id: str, **terms: Any) -> Payment:
    """A payment that was just made, RESERVED and held."""
    payment = await ledger.reserve(intent(payment_id, **terms), NOON)
    assert isinstance(payment, Payment), payment
    assert payment_id == payment.id
    return payment


async def authorized(ledger: Ledger, payment_id: str, **terms: Any) -> Payment:
    """A payment whose authorization may have left, still held."""
    payment = await reserved(ledger, payment_id, **terms)
    await ledger.authorize(payment_id, authorization(payment_id), NOON)
    return payment


async def posted(ledger: Ledger, payment_id: str, proof: Proof = RECEIPT, **terms: Any) -> Payment:
    """A payment that moved, still held."""
    await authorized(ledger, payment_id, **terms)
    return (await ledger.post(payment_id, proof, NOON)).payment


async def row_of(ledger: Ledger, payment_id: str) -> Payment:
    """The payment as the books have it now."""
    (row,) = [row for row in await ledger.payments(None, 1000) if row.id == payment_id]
    return row
