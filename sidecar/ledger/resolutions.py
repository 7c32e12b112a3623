"""What a person may say of a payment that nothing else settles, and when that counts.

    posted, voided    of one in doubt: what nobody could prove
    credited, lost    of a top-up that was paid and stays unproven: the vendor gave the credit, or
                      never did

A word does not move what is over, nor what a live request is being served by. It voids only long
after the authorization has expired: before, whoever holds it may still use it, whatever was said.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sidecar.ledger.model import TRANSITIONS, Payment, PaymentState, Proof
from sidecar.refusal import Denied
from sidecar.x402.types import Authorization

# A clock that is wrong, blocks that come slowly, and a chain's own finality all fit into it.
EXPIRY_MARGIN = timedelta(hours=1)
_PROVING_DEATH = frozenset({"expired", "canceled"})


class Resolution(StrEnum):
    """What a person says became of a payment."""

    POSTED = "posted"
    VOIDED = "voided"
    CREDITED = "credited"
    LOST = "lost"


def objection(payment: Payment, resolution: Resolution, held: bool, at: datetime) -> Denied | None:
    """Why this cannot be said of the payment now; None where it can.

    Denied: ``settled``, ``not_signed``, ``held``, ``not_expired``; of a top-up's end
    ``not_a_top_up``, ``not_posted``, ``ended``.
    """
    if resolution in {Resolution.CREDITED, Resolution.LOST}:
        return _objection_to_an_end(payment)
    if not TRANSITIONS[payment.state]:
        return Denied("settled", f"it is {payment.state} already, and stays so")
    if payment.state is PaymentState.RESERVED:
        return Denied("not_signed", "nothing was signed for it; the sidecar drops it by itself")
    if held:
        return Denied("held", "a live request is being served by it; wait until that has ended")
    assert payment.authorization is not None
    voidable_at = payment.authorization.expires_at + EXPIRY_MARGIN
    if resolution is Resolution.VOIDED and at < voidable_at:
        return Denied(
            "not_expired",
            "it may still be used, whatever anybody says; its authorization, with a margin, has "
            f"expired at {voidable_at:%Y-%m-%d %H:%M:%S} UTC",
        )
    return None


def _objection_to_an_end(payment: Payment) -> Denied | None:
    if payment.purpose != "top_up":
        return Denied("not_a_top_up", "only a top-up is credited or lost; a request's payment ends")
    if payment.state is not PaymentState.POSTED:
        return Denied(
            "not_posted", f"it is {payment.state}; what is credited or lost was posted before"
        )
    if payment.delivered_at is not None:
        return Denied("ended", "its credit was seen and used, so it is over")
    if payment.closed_at is not None:
        return Denied("ended", "it was given up already")
    return None


def voids(proof: Proof, authorization: Authorization | None, at: datetime) -> bool:
    """Whether this proves, or settles, that what was signed can never be paid."""
    if proof.kind == "person":
        return authorization is not None and at >= authorization.expires_at + EXPIRY_MARGIN
    return proof.kind in _PROVING_DEATH
