"""The moves of a ledger in Postgres. Each runs inside a transaction that its caller commits.

What two replicas must not do at once is kept apart by four things, always taken in this order: the
advisory lock of a purchase, the row of a payment, the windows in their order, and the unique
indexes behind it all. Signing and freezing exclude each other by a lock of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sidecar.errors import LedgerError
from sidecar.ledger import denials, moves, windows
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger import postgres_statements as statements
from sidecar.ledger.model import (
    Budget,
    Change,
    Intent,
    Payment,
    PaymentState,
    Proof,
    Purchase,
)
from sidecar.ledger.postgres_switches import freeze_lock
from sidecar.ledger.postgres_transactions import Statement, Transaction, Transactions
from sidecar.ledger.rows import (
    Row,
    authorization_columns,
    milliseconds,
    payment_of,
    reserved_columns,
    reserved_payment,
    to_json,
    windows_of,
)
from sidecar.ledger.windows import WindowKey
from sidecar.money import Usdc
from sidecar.refusal import Denied
from sidecar.x402.types import Authorization


class Books:
    """What one instance does with the tables."""

    def __init__(self, transactions: Transactions) -> None:
        self.transactions = transactions
        self.own = transactions.own
        self.said_by: dict[str, str] = {}  # {"by": name} where a person makes the moves

    async def reserve(self, tx: Transaction, intent: Intent, at: datetime) -> Payment | Denied:
        at_ms = milliseconds(at)
        if tx.again:
            made = await self._made_before(tx, intent)
            if made is not None:
                return made
        # Before anything is bound: what was signed is not presented again either.
        _, _, since, rivals, _, *found = await tx.ask(
            (statements.LOCK, (self._purchase_lock(intent.purchase),)),
            (statements.LOCK_SHARED, (freeze_lock(self.transactions),)),
            (lookups.FROZEN, ()),
            lookups.rivals(intent.purchase, self.own),
            *lookups.pin(intent, at_ms),
            lookups.prices(intent, at_ms, denials.PRICE_DAYS),
            lookups.closed_since(intent, at),
            lookups.topped_up_since(intent),
            lookups.top_ups_since(intent, at - denials.HOUR),
        )
        frozen = rules.frozen(since)
        if frozen is not None:
            return frozen
        slot = await self._bind(tx, intent, rivals, at_ms)
        if not isinstance(slot, int):
            return slot
        if intent.price is not None and not found[1]:
            # Nobody has paid there yet: of two who come at once, one is the first.
            _, found[1] = await tx.ask(
                (statements.LOCK, (self._price_lock(intent),)),
                lookups.prices(intent, at_ms, denials.PRICE_DAYS),
            )
        denied = rules.refusal(intent, found, at)
        if denied is not None:
            return denied
        keys = await self._set_aside(tx, intent, at)
        if isinstance(keys, Denied):
            return keys
        windows_json = to_json(keys)
        detail = f'{{"amount":{intent.amount.atomic},"windows":{windows_json}}}'
        columns = reserved_columns(intent, slot, self.own, at_ms, windows_json)
        tx.later(statements.INSERT, *columns, at_ms, detail)
        if intent.ask_until is not None:
            until = to_json({"until": milliseconds(intent.ask_until)})
            tx.later(statements.ASK, at_ms, until, intent.id)
        tx.held.add(intent.id)
        return reserved_payment(intent, at_ms)

    async def _made_before(self, tx: Transaction, intent: Intent) -> Payment | None:
        """This payment, where an attempt with an unknown end has made it."""
        # Nobody else makes or claims for this purchase while that attempt is under way, either.
        _, found = await tx.ask(
            (statements.LOCK, (self._purchase_lock(intent.purchase),)), (lookups.FIND, (intent.id,))
        )
        for row in found:
            tx.held.add(intent.id)
            return payment_of(row)
        return None

    async def _bind(
        self, tx: Transaction, intent: Intent, rivals: list[Row], at_ms: int
    ) -> Payment | Denied | int:
        """A payment of this purchase that is free to claim; else the slot for a new one."""
        taken = set()
        for row in rivals:
            state = PaymentState(row["state"])
            if row["kept"]:
                taken.add(row["slot"])
            elif state is PaymentState.RESERVED:
                if row["owned"]:
                    taken.add(row["slot"])
                else:
                    await self._void(tx, row, Proof("unsigned"), at_ms)
            elif state is PaymentState.AUTHORIZED or moves.is_wanted(row, intent):
                return self._hold(tx, row, at_ms)
        if taken and (intent.purchase.explicit or intent.top_up is not None):
            return denials.in_progress()
        return int(min(set(range(len(taken) + 1)) - taken))

    async def _set_aside(
        self, tx: Transaction, intent: Intent, at: datetime
    ) -> list[WindowKey] | Denied:
        """Raise what is reserved in the window of every budget; the windows, or who refused."""
        asked = windows.wanted(intent.budgets, intent.amount, at)
        if isinstance(asked, Denied):
            return asked
        raised = await tx.ask(
            *(_raising(key, budget, intent.amount) for key, budget in asked.items())
        )
        for rows, budget in zip(raised, asked.values(), strict=True):
            if not rows:
                text, values = lookups.window(budget, at)
                return denials.no_room(
                    rules.use_of(await tx.find(text, *values), budget, at), intent.amount
                )
        return list(asked)

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
            known = (proof.kind, proof.transaction, payment_id)
            return Change(await self._changed(tx, (statements.CONFIRM, known)), "confirmed")
        if moves.is_terminal(row):
            return Change(payment_of(row), _made_again(tx, row, "posted", proof, at_ms))
        moves.permit_post(row, proof)
        settled = (at_ms, proof.kind, proof.transaction, proof.confirmed, payment_id)
        self._tell(tx, row, "posted", at_ms, **moves.evidence(proof))
        await self._lower(tx, row, spent=row["amount"])
        return Change(await self._changed(tx, (statements.POST, settled)), "posted")

    async def void(self, tx: Transaction, payment_id: str, proof: Proof, at: datetime) -> Change:
        row = await self._find(tx, payment_id)
        at_ms = milliseconds(at)
        if moves.is_terminal(row):
            return Change(payment_of(row), _made_again(tx, row, "voided", proof, at_ms))
        return Change(await self._void(tx, row, proof, at_ms), "voided")

    async def _void(self, tx: Transaction, row: Row, proof: Proof, at_ms: int) -> Payment:
        moves.permit_void(row, proof, at_ms)
        self._tell(tx, row, "voided", at_ms, **moves.evidence(proof))
        self._notify(tx, row["id"])
        await self._lower(tx, row, spent=0)
        settled = (at_ms, proof.kind, proof.transaction, row["id"], row["state"])
        return await self._changed(tx, (statements.VOID, settled))

    async def claim(
        self, tx: Transaction, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        _, _, since, rows = await tx.ask(
            (statements.LOCK, (self._purchase_lock(purchase),)),
            (statements.LOCK_SHARED, (freeze_lock(self.transactions),)),
            (lookups.FROZEN, ()),
            lookups.claimable(purchase, self.own, undelivered_since),
        )
        frozen = rules.frozen(since)
        if frozen is not None:
            return frozen
        for row in rows:
            if not row["kept"]:
                return self._hold(tx, row, milliseconds(at))
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

    def _purchase_lock(self, purchase: Purchase) -> int:
        return self.transactions.lock(f"purchase {purchase.explicit}", purchase.key)

    def _price_lock(self, intent: Intent) -> int:
        assert intent.price is not None
        place = (intent.route, intent.purpose, intent.price.place)
        return self.transactions.lock("price", to_json(place))

    def _hold(self, tx: Transaction, row: Row, at_ms: int) -> Payment:
        tx.held.add(row["id"])
        tx.later(statements.HOLD, self.own, row["id"], row["holder"])
        self._tell(tx, row, "claimed", at_ms, holder=self.own, after=row["holder"])
        return payment_of(row)

    async def _lower(self, tx: Transaction, row: Row, *, spent: int) -> None:
        """What was reserved for this payment is spent, or free again."""
        amount, keys = row["amount"], windows_of(row)
        lowered = await tx.ask(*((statements.SPEND, (amount, spent, *key, amount)) for key in keys))
        for rows, (budget, _) in zip(lowered, keys, strict=True):
            if not rows:
                raise LedgerError(f'budget "{budget}" lacks what was reserved in it: damaged books')

    async def _changed(self, tx: Transaction, statement: Statement) -> Payment:
        ((row,),) = await tx.ask(statement)
        return payment_of(row)

    def _notify(self, tx: Transaction, payment_id: str) -> None:
        tx.later(statements.NOTIFY, self.transactions.channel, payment_id)

    async def _find(self, tx: Transaction, payment_id: str) -> Row:
        return _only(await tx.find(lookups.FIND_FOR_UPDATE, payment_id), payment_id)

    def _tell(self, tx: Transaction, row: Row, kind: str, at_ms: int, **detail: Any) -> None:
        tx.later(statements.TELL, at_ms, row["seq"], kind, to_json(detail | self.said_by))


def _only(rows: list[Row], payment_id: str) -> Row:
    if not rows:
        raise LedgerError(f"there is no payment {payment_id}")
    return rows[0]


def _raising(key: WindowKey, budget: Budget, amount: Usdc) -> Statement:
    cap = windows.cap(budget)
    return statements.RAISE, (*key, amount.atomic, amount.atomic, cap, cap)


def _made_again(tx: Transaction, row: Row, to: str, proof: Proof, at_ms: int) -> str:
    """What this move has made of the payment before its end became unknown."""
    ours = (to, proof.kind, at_ms) == (row["state"], row["proof_kind"], row["settled_at"])
    return to if tx.again and ours else ""
