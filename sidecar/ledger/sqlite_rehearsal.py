"""Shadow mode's one move: a reserved payment is booked to its end as if it had been made.

All in one transaction, so that no rehearsal is ever found in doubt, or claimed, after a crash.
"""

from __future__ import annotations

from datetime import datetime

from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.ledger.sqlite_books import Books
from sidecar.refusal import Denied
from sidecar.x402.types import Authorization


def rehearse(books: Books, payment: Payment, at: datetime) -> Denied | None:
    """Book it; Denied where nothing could be authorized. One that was booked stays as it is."""
    if payment.state is PaymentState.RESERVED:
        nothing = Authorization(payment.network, f"rehearsed {payment.id}", at, {})
        denied = books.authorize(payment.id, nothing, at)
        if denied is not None:
            return denied
        books.post(payment.id, Proof("rehearsed"), at)
    books.deliver(payment.id, at)
    return None
