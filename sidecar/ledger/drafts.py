"""Payments made by filling them in before they are frozen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.x402.types import Authorization


class Draft:
    """A payment that is still being filled in: its fields, and not frozen.

    To fill in a frozen value is a call for each field: three times the work. Whoever has filled
    in all of them sets ``__class__``.
    """

    __slots__ = Payment.__slots__


def moved(
    payment: Payment,
    state: PaymentState,
    authorization: Authorization,
    authorized_at: datetime | None,
    *,
    proof: Proof | None = None,
    settled_at: datetime | None = None,
    delivered_at: datetime | None = None,
    closed_at: datetime | None = None,
) -> Payment:
    """The payment after its moves, with all that no move changes."""
    draft: Any = Draft()
    draft.id = payment.id
    draft.purchase = payment.purchase
    draft.state = state
    draft.route = payment.route
    draft.caller = payment.caller
    draft.purpose = payment.purpose
    draft.scheme = payment.scheme
    draft.network = payment.network
    draft.asset = payment.asset
    draft.pay_to = payment.pay_to
    draft.amount = payment.amount
    draft.envelope = payment.envelope
    draft.authorization = authorization
    draft.proof = proof
    draft.reserved_at = payment.reserved_at
    draft.authorized_at = authorized_at
    draft.settled_at = settled_at
    draft.delivered_at = delivered_at
    draft.closed_at = closed_at
    draft.confirmed = proof is not None and proof.confirmed
    draft.__class__ = Payment
    after: Payment = draft
    return after
