"""The payments that this process reserved and wrote down as authorized, until they are over.

To look up what a move is decided by, and to read back the row that it makes, was half of what
posting a payment took. What is kept is what no row ever changes, and what this process has made of
the rest. It decides nothing: a move that goes by it says in its statement what the row has to
hold. Where the row holds something else, or nothing is kept, as after another process or a
restart, it is looked up.
"""

from __future__ import annotations

from typing import Any

from sidecar.ledger import sqlite_statements as statements
from sidecar.ledger.drafts import moved
from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.ledger.rows import moment, moment_or_none
from sidecar.values import dataclass
from sidecar.x402.types import Authorization

# About 3 KB each. Of those that are under way beyond it, the rows are read.
KEPT_MAX = 256


@dataclass(slots=True, eq=False)
class Kept:
    """A payment as it was reserved, its row's number and windows; and what it is signed for."""

    seq: int
    reserved: Payment
    windows: str
    authorization: Authorization | None = None  # None: the row has to be read
    authorized_at: int = 0
    delivered_at: int | None = None

    def posting(self, written: tuple[Any, ...], *, delivers: bool) -> tuple[str, tuple[Any, ...]]:
        """What posts it where its row has all this, and with what; ``written`` as for ``POST``."""
        assert self.authorization is not None
        amount, identity = self.reserved.amount.atomic, self.authorization.identity
        held = (self.seq, amount, self.windows, identity, self.authorized_at)
        if self.delivered_at is not None:
            return statements.POST_DELIVERED, (*written, *held, self.delivered_at)
        if delivers:
            return statements.POST_DELIVERING, (*written, *held)
        return statements.POST_UNDELIVERED, (*written[:4], written[-1], *held)

    def posted(self, proof: Proof, at_ms: int, delivered_at: int | None) -> Payment:
        """The payment as this proof has just posted it."""
        assert self.authorization is not None
        return moved(
            self.reserved,
            PaymentState.POSTED,
            self.authorization,
            moment(self.authorized_at),
            proof=proof,
            settled_at=moment(at_ms),
            delivered_at=moment_or_none(delivered_at),
        )


class Signed:
    """What was made by one connection, and with which authorization."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def reserved(self, seq: int, payment: Payment, windows: str) -> None:
        """This payment was just made, and nobody was asked whether it may be authorized."""
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[payment.id] = Kept(seq, payment, windows)

    def authorized(self, payment_id: str, authorization: Authorization, at_ms: int) -> None:
        """It may be presented with this authorization."""
        kept = self._kept.get(payment_id)
        if kept is None:
            return
        if authorization.expires_at.microsecond % 1000:
            # What is finer than a millisecond, no row holds.
            del self._kept[payment_id]
            return
        kept.authorization, kept.authorized_at = authorization, at_ms
        kept.delivered_at = None

    def seq_of(self, payment_id: str) -> int | None:
        """The number of its row; None: it has to be looked up."""
        kept = self._kept.get(payment_id)
        return None if kept is None else kept.seq

    def signed_for(self, payment_id: str) -> Kept | None:
        """What is kept of a payment that may be posted; None: its row has to be read."""
        kept = self._kept.get(payment_id)
        return None if kept is None or kept.authorization is None else kept

    def posted(self, payment_id: str) -> None:
        """All that may come yet is that it is delivered."""
        kept = self._kept.get(payment_id)
        if kept is not None:
            kept.authorization = None

    def delivered(self, payment_id: str, at_ms: int) -> None:
        """Over, unless it is not posted yet."""
        kept = self._kept.get(payment_id)
        if kept is None:
            return
        if kept.authorization is None:
            del self._kept[payment_id]
        else:
            kept.delivered_at = at_ms

    def over(self, payment_id: str) -> None:
        """Nothing will be posted or delivered any more."""
        self._kept.pop(payment_id, None)
