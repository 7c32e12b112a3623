"""Shadow mode: what would have been paid is booked as if it had been, and nothing is signed.

The books are a file of their own, so budgets, pins and prices fill up as they would, and no payment
that was rehearsed can be taken for one that was made.
"""

from __future__ import annotations

from sidecar.clock import Clock
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment, Proof
from sidecar.payments.events import Emit, PaymentRehearsed
from sidecar.refusal import Denied


async def rehearse(ledger: Ledger, clock: Clock, emit: Emit, payment: Payment) -> Denied:
    """Book a reserved payment to its end; what the app is told instead of being served."""
    denied = await ledger.rehearse(payment, clock.now())
    if denied is not None:
        await ledger.void(payment.id, Proof("unsigned"), clock.now())
        return denied
    emit(PaymentRehearsed(payment))
    return Denied(
        "shadow",
        f"shadow mode: {payment.amount} would have been paid to {payment.pay_to} on "
        f"{payment.network}, and nothing was signed",
    )
