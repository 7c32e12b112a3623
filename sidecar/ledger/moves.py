"""What a move may do to a payment, decided by its row: the same for every store.

LedgerError: the row does not permit it, or the proof does not prove it.
"""

from __future__ import annotations

from typing import Any

from sidecar.errors import LedgerError
from sidecar.ledger.model import TRANSITIONS, Intent, PaymentState, Proof
from sidecar.ledger.resolutions import voids
from sidecar.ledger.rows import Row, milliseconds, moment, payment_of

_POSTING = frozenset({"receipt", "served", "upfront", "chain", "person", "rehearsed"})


def is_terminal(row: Row) -> bool:
    return not TRANSITIONS[row["state"]]


def permit(row: Row, to: PaymentState) -> None:
    if to not in TRANSITIONS[row["state"]]:
        raise LedgerError(f"payment {row['id']} is {row['state']}: it cannot become {to}")


def proves_transfer(proof: Proof) -> bool:
    return proof.kind in _POSTING


def permit_post(row: Row, proof: Proof) -> None:
    permit(row, PaymentState.POSTED)
    if not proves_transfer(proof):
        raise LedgerError(f"payment {row['id']}: {proof.kind!r} does not prove a transfer")


def permit_void(row: Row, proof: Proof, at_ms: int) -> None:
    """The one door to VOIDED: what was signed can never settle, or nothing was signed."""
    permit(row, PaymentState.VOIDED)
    unsigned = row["state"] == PaymentState.RESERVED and proof.kind == "unsigned"
    if not unsigned and not voids(proof, payment_of(row).authorization, moment(at_ms)):
        raise LedgerError(
            f"payment {row['id']} is {row['state']}: {proof.kind!r} does not prove that it "
            "can never be paid"
        )


def permit_deliver(row: Row) -> None:
    if row["state"] == PaymentState.RESERVED:
        raise LedgerError(f"payment {row['id']} is reserved: nothing was bought with it yet")


def permit_give_up(row: Row) -> None:
    if row["state"] != PaymentState.POSTED or row["delivered_at"] is not None:
        raise LedgerError(f"payment {row['id']} is not one that was paid and undelivered")


def confirms(row: Row, proof: Proof) -> bool:
    """Whether this proof vouches for a posted payment that nobody has vouched for."""
    return row["state"] == PaymentState.POSTED and proof.confirmed and not row["confirmed"]


def is_wanted(row: Row, intent: Intent) -> bool:
    """Whether its purchase still hopes for this posted payment, or may have it once more."""
    if row["delivered_at"] is None:
        return True
    # The app's own key says that it is this purchase, for as long as an answer can be had again.
    since = intent.undelivered_since
    return since is not None and bool(row["settled_at"] >= milliseconds(since))


def evidence(proof: Proof) -> dict[str, Any]:
    """What an event says of a proof."""
    return {"proof": proof.kind, "transaction": proof.transaction}
