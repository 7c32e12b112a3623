"""The moves of a ledger in Postgres. Each runs inside a transaction that its caller commits.

What two replicas must not do at once is kept apart by four things, always taken in this order: the
advisory lock of a purchase, the row of a payment, the windows in their order, and the unique
indexes behind it all. Signing and freezing exclude each other by a lock of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sidecar.errors import LedgerError
from sidecar.ledger import denials, moves
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger import postgres_statements as statements
from sidecar.ledger.model import (
    Change,
    Payment,
    PaymentState,
    Proof,
    Purchase,
)
from sidecar.ledger.postgres_switches import freeze_lock
from sidecar.ledger.postgres_transactions import Record, Transaction, Transactions
from sidecar.ledger.rows import (
    authorization_columns,
    milliseconds,
    payment_of,
    to_json,
    windows_of,
)
from sidecar.refusal import Denied
from sidecar.x402.types import Authorization


class Books:
    """What one instance does with the tables."""

    def __init__(self, transactions: Transactions) -> None:
        self.transactions = transactions
        self.own = transactions.own
        self.said_by: dict[str, str] = {}  # {"by": name} where a person makes the moves

    async def authorize(
        self, tx: Transaction, payment_id: str, authorization: Authorization, at: datetime
    ) -> Denied | None:
        _, since, rows, steps = await tx.ask(
            (statements.LOCK_SHARED, (freeze_lock(self.transactions),)),
            (lookups.FROZEN, ()),
            (lookups.FIND_FOR_UPDATE, (payment_id,)),
            (lookups.STEPS_ASKED, (payment_id,)),
        )
        row = _only(rows, payment_id)
        if tx.again and row["auth_identity"] == authorization.identity:
            return None
        frozen = rules.frozen(since)
        if frozen is not None:
            return frozen
        moves.permit(row, PaymentState.AUTHORIZED)
        said = {step["kind"] for step in steps}
        if "asked" in said and "approved" not in said:
            return denials.not_approved(payment_id)
        at_ms = milliseconds(at)
        tx.later(statements.AUTHORIZE, at_ms, *authorization_columns(authorization), payment_id)
        known_as = {"network": authorization.network, "identity": authorization.identity}
        self._tell(tx, row, "authorized", at_ms, **known_as)
        return None

    async def post(self, tx: Transaction, payment_id: str, proof: Proof, at: datetime) -> Change:
        row = await self._find(tx, payment_id)
        at_ms = milliseconds(at)
        if moves.confirms(row, proof):
            self._tell(tx, row, "confirmed", at_ms, **moves.evidence(proof))
            tx.later(statements.CONFIRM, proof.kind, proof.transaction, payment_id)
            return Change(payment_of(_after(row, proof, confirmed=True)), "confirmed")
        if moves.is_terminal(row):
            return Change(payment_of(row), await _made_before(tx, row, proof, at_ms))
        moves.permit_post(row, proof)
        settled = (at_ms, proof.kind, proof.transaction, proof.confirmed, payment_id)
        tx.later(statements.POST, *settled)
        self._tell(tx, row, "posted", at_ms, **moves.evidence(proof))
        self._lower(tx, row, spent=row["amount"])
        posted = _after(row, proof, state="posted", settled_at=at_ms, confirmed=proof.confirmed)
        return Change(payment_of(posted), "posted")

    async def void(self, tx: Transaction, payment_id: str, proof: Proof, at: datetime) -> Change:
        row = await self._find(tx, payment_id)
        at_ms = milliseconds(at)
        if moves.is_terminal(row):
            return Change(payment_of(row), await _made_before(tx, row, proof, at_ms))
        return Change(self.drop(tx, row, proof, at_ms), "voided")

    def drop(self, tx: Transaction, row: Record, proof: Proof, at_ms: int) -> Payment:
        """What will never be paid: its amount is free again."""
        moves.permit_void(row, proof, at_ms)
        self._tell(tx, row, "voided", at_ms, **moves.evidence(proof))
        self._notify(tx, row["id"])
        self._lower(tx, row, spent=0)
        tx.later(statements.VOID, at_ms, proof.kind, proof.transaction, row["id"], row["state"])
        return payment_of(_after(row, proof, state="voided", settled_at=at_ms))

    async def claim(
        self, tx: Transaction, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        _, _, since, rows = await tx.ask(
            (statements.LOCK, (purchase_lock(self.transactions, purchase),)),
            (statements.LOCK_SHARED, (freeze_lock(self.transactions),)),
            (lookups.FROZEN, ()),
            lookups.locked(lookups.claimable(purchase, self.own, undelivered_since)),
        )
        frozen = rules.frozen(since)
        if frozen is not None:
            return frozen
        for row in rows:
            if not row["kept"]:
                return self.hold(tx, row, milliseconds(at))
        return None

    async def release(self, tx: Transaction, payment_id: str) -> None:
        tx.later(statements.RELEASE, payment_id, self.own)
        self._notify(tx, payment_id)

    async def deliver(self, tx: Transaction, payment_id: str, at: datetime) -> None:
        row = await self._find(tx, payment_id)
        moves.permit_deliver(row)
        if row["delivered_at"] is None:
            tx.later(statements.DELIVER, milliseconds(at), payment_id)
            self._tell(tx, row, "delivered", milliseconds(at))
        await self.release(tx, payment_id)

    async def conclude(
        self, tx: Transaction, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
    ) -> Change:
        change = await self.post(tx, payment_id, proof, at)
        if delivered:
            await self.deliver(tx, payment_id, at)
        else:
            await self.release(tx, payment_id)
        return change

    async def give_up(self, tx: Transaction, payment_id: str, at: datetime) -> None:
        row = await self._find(tx, payment_id)
        moves.permit_give_up(row)
        if row["closed_at"] is None:
            tx.later(statements.CLOSE, milliseconds(at), payment_id)
            self._tell(tx, row, "closed", milliseconds(at))
        await self.release(tx, payment_id)

    async def rehearse(self, tx: Transaction, payment: Payment, at: datetime) -> Denied | None:
        if payment.state is PaymentState.RESERVED:
            nothing = Authorization(payment.network, f"rehearsed {payment.id}", at, {})
            denied = await self.authorize(tx, payment.id, nothing, at)
            if denied is not None:
                return denied
            await self.post(tx, payment.id, Proof("rehearsed"), at)
        await self.deliver(tx, payment.id, at)
        return None

    def hold(self, tx: Transaction, row: Record, at_ms: int) -> Payment:
        """Take a payment that nobody holds."""
        tx.held.add(row["id"])
        tx.later(statements.HOLD, self.own, row["id"], row["holder"])
        self._tell(tx, row, "claimed", at_ms, holder=self.own, after=row["holder"])
        return payment_of(row)

    def _lower(self, tx: Transaction, row: Record, *, spent: int) -> None:
        """What was reserved for this payment is spent, or free again."""
        for key in windows_of(row):
            tx.later(statements.SPEND, row["amount"], spent, *key)
            tx.later(statements.REQUIRE_WINDOW, *key)

    def _notify(self, tx: Transaction, payment_id: str) -> None:
        tx.later(statements.NOTIFY, self.transactions.channel, payment_id)

    async def _find(self, tx: Transaction, payment_id: str) -> Record:
        return _only(await tx.find(lookups.FIND_FOR_UPDATE, payment_id), payment_id)

    def _tell(self, tx: Transaction, row: Record, kind: str, at_ms: int, **detail: Any) -> None:
        tx.later(statements.TELL, at_ms, row["seq"], kind, to_json(detail | self.said_by))


def _only(rows: list[Record], payment_id: str) -> Record:
    if not rows:
        raise LedgerError(f"there is no payment {payment_id}")
    return rows[0]


def _after(row: Record, proof: Proof, **changed: Any) -> Record:
    """The row of a payment, as it is once this proof has settled it."""
    said = {"proof_kind": proof.kind, "proof_transaction": proof.transaction}
    return {**row, **said, **changed}


async def _made_before(tx: Transaction, row: Record, proof: Proof, at_ms: int) -> str:
    """What this move had made of the payment before its end became unknown."""
    evidence = (row["proof_kind"], row["proof_transaction"])
    if not tx.again or evidence != (proof.kind, proof.transaction):
        return ""
    made = await tx.find(lookups.LAST_SETTLING, row["seq"])
    return str(made[0]["kind"]) if made[0]["at"] == at_ms else ""


def purchase_lock(transactions: Transactions, purchase: Purchase) -> int:
    """Of those who claim or make payments for a purchase, one goes on at a time."""
    return transactions.lock(f"purchase {purchase.explicit}", purchase.key)
