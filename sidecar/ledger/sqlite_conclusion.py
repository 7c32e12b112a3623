"""The two last moves of a payment as one: posted, and delivered or let go of."""

from __future__ import annotations

from datetime import datetime

from sidecar.ledger.model import Change, Proof
from sidecar.ledger.sqlite_books import Books


def conclude(
    books: Books, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
) -> Change:
    """``Ledger.conclude``."""
    change = books.post(payment_id, proof, at, delivers=delivered)
    if not delivered:
        books.release(payment_id)
    elif change.made != "posted":
        # Somebody else has settled it meanwhile.
        books.deliver(payment_id, at)
    return change
