"""The payments that this process reserved and wrote down as authorized, until they are posted.

To read such a row back, and to make a payment of it, was half of what posting it took. What is
kept is only what no row ever changes; the rest, and that it was this authorization which the row
holds, is looked up in the transaction that posts. Where it differs, or nothing is kept, as after
another process or a restart, the row is read.
"""

from __future__ import annotations

from sidecar.ledger.model import Payment, PaymentState, Proof, moved
from sidecar.ledger.rows import Row, milliseconds, moment, moment_or_none
from sidecar.x402.types import Authorization

# About 3 KB each. Of those that are under way beyond it, the rows are read.
KEPT_MAX = 256


class Signed:
    """What was made by one connection, and with which authorization."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Payment, Authorization | None]] = {}

    def reserved(self, payment: Payment) -> None:
        """This payment was just made."""
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[payment.id] = (payment, None)

    def authorized(self, payment_id: str, authorization: Authorization) -> None:
        """It may be presented with this authorization."""
        payment, _ = self._kept.pop(payment_id, (None, None))
        # What is finer than a millisecond, no row holds.
        expires_at = authorization.expires_at
        if payment is not None and moment(milliseconds(expires_at)) == expires_at:
            self._kept[payment_id] = (payment, authorization)

    def posted(self, row: Row, proof: Proof, at_ms: int) -> Payment | None:
        """The payment as this proof has just posted it; None: its row has to be read.

        ``row``: what it was before, authorized, looked up in this transaction.
        """
        payment, authorization = self._kept.pop(row["id"], (None, None))
        if payment is None or authorization is None:
            return None
        if authorization.identity != row["auth_identity"]:
            return None
        return moved(
            payment,
            PaymentState.POSTED,
            authorization,
            moment(row["authorized_at"]),
            proof=proof,
            settled_at=moment(at_ms),
            delivered_at=moment_or_none(row["delivered_at"]),
            closed_at=moment_or_none(row["closed_at"]),
        )

    def voided(self, payment_id: str) -> None:
        """Nothing will be posted."""
        self._kept.pop(payment_id, None)
