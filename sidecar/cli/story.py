"""What happened to a payment, in sentences: its steps from the ledger, and what it is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sidecar.ledger.model import Payment, PaymentState, Step
from sidecar.ledger.rows import moment

# Why a payment counts as made, or as one that can never be.
_PROOFS = {
    "receipt": "the seller's receipt says so",
    "served": "the seller served; nobody has vouched for the transfer yet",
    "upfront": "the seller's receipt says so, beside an error answer",
    "chain": "its chain shows the transfer",
    "expired": "its time is over on the chain, and the chain says that it was never used",
    "canceled": "it was canceled on its chain",
    "unsigned": "nothing was ever signed for it",
    "rehearsed": "shadow mode: it was rehearsed, and nothing was signed",
    "person": "a person said so",
}


def sentence(step: Step, payment: Payment) -> str:
    """One step in words."""
    say = _STEPS.get(step.kind)
    return step.kind if say is None else say(step.detail, payment)


def outcome(payment: Payment) -> str:
    """What it is now, and what to do about it."""
    match payment.state:
        case PaymentState.RESERVED:
            return (
                "It is set aside and not signed: it is being made, or waits for `sidecar approve`. "
                "Where its process is gone, the next one drops it."
            )
        case PaymentState.AUTHORIZED:
            return (
                f"It is in doubt: signed{_until(payment)}, and nobody can say yet whether it "
                "moved. It counts as spent until its chain proves otherwise. The same call again "
                "presents the same payment. Without an RPC endpoint, `sidecar resolve` settles it."
            )
        case PaymentState.VOIDED:
            return "Nothing moved, and nothing can any more."
        case PaymentState.POSTED:
            return _after_posting(payment)


def _after_posting(payment: Payment) -> str:
    if payment.delivered_at is not None:
        return "It was made, and what it paid for was delivered: all is well."
    if payment.closed_at is not None:
        return (
            "It was made, and the seller did not serve. Show the seller the transaction; the next "
            "call is a new purchase."
        )
    if payment.purpose == "top_up":
        return (
            "The credit was paid, and its use is still to be seen: no other is bought before. "
            "Where it never came, `sidecar resolve PAYMENT --lost` says so."
        )
    return (
        "It was made, and the app does not have its last byte yet: the same call again gets the "
        "answer for the same payment, for a while."
    )


def _proof(detail: Mapping[str, Any]) -> str:
    why = _PROOFS.get(detail["proof"], detail["proof"])
    transaction = f", in transaction {detail['transaction']}" if detail["transaction"] else ""
    return f"{why}{_said_by(detail)}{transaction}"


def _said_by(detail: Mapping[str, Any]) -> str:
    return f" ({detail['by']})" if "by" in detail else ""


def _until(payment: Payment) -> str:
    authorization = payment.authorization
    return "" if authorization is None else f", good until {_time(authorization.expires_at)}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _reserved(detail: Mapping[str, Any], payment: Payment) -> str:
    names = dict.fromkeys(str(budget) for budget, _ in detail["windows"])
    where = f"the budget{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return f"{payment.amount} was set aside in {where}; nothing was signed yet"


def _authorized(_: Mapping[str, Any], payment: Payment) -> str:
    return f"it was written down, then signed{_until(payment)}; from here it may be spent"


_STEPS: Mapping[str, Callable[[Mapping[str, Any], Payment], str]] = {
    "reserved": _reserved,
    "asked": lambda detail, _: f"it waited for a person, until {_time(moment(detail['until']))}",
    "approved": lambda detail, _: f"it was approved by {detail['by']}",
    "refused": lambda detail, _: f"it was refused by {detail['by']}",
    "authorized": _authorized,
    "claimed": lambda *_: "a repeated request took it up, in place of a second payment",
    "posted": lambda detail, _: f"it was made: {_proof(detail)}",
    "confirmed": lambda detail, _: f"it was confirmed: {_proof(detail)}",
    "voided": lambda detail, _: f"it can never be made, and its amount is free: {_proof(detail)}",
    "delivered": lambda detail, _: f"what it paid for arrived whole{_said_by(detail)}",
    "closed": lambda detail, _: f"it was given up as paid for nothing{_said_by(detail)}",
}
