"""The moves of a ledger file. Each runs inside a transaction that its caller opens and commits.

Every move changes the row only where its state permits that, tells why where it does not, and
adds the event that says so. A move that raises, or returns a refusal, is undone by its caller.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from sidecar.errors import LedgerError
from sidecar.ledger import (
    denials,
    moves,
    sqlite_approvals,
    sqlite_budgets,
    sqlite_freeze,
    sqlite_lists,
    sqlite_rules,
)
from sidecar.ledger import sqlite_statements as statements
from sidecar.ledger.model import Change, Intent, Payment, PaymentState, Proof, Purchase
from sidecar.ledger.rows import (
    authorization_columns,
    milliseconds,
    payment_of,
    reserved_columns,
    reserved_payment,
    texts_to_json,
    windows_in,
    windows_of,
)
from sidecar.ledger.sqlite_claims import Claims
from sidecar.ledger.sqlite_instances import Instances
from sidecar.ledger.sqlite_seen import Seen
from sidecar.ledger.sqlite_signed import Signed
from sidecar.ledger.sqlite_sums import Sums
from sidecar.ledger.windows import as_text
from sidecar.refusal import Denied
from sidecar.x402.types import Authorization


class Books:
    """One connection to the ledger, and what one instance does with it."""

    def __init__(self, connection: sqlite3.Connection, instances: Instances, path: Path) -> None:
        self.connection = connection
        self.instances = instances
        self._path = path
        self.claims = Claims()
        self.seen = Seen(connection)
        self.sums = Sums(connection)
        self._signed = Signed()
        self.said_by: dict[str, str] = {}  # {"by": name} where a person makes the moves
        self._identity = _identity(path)

    def reserve(self, intent: Intent, at: datetime) -> Payment | Denied:
        seen = self.seen.look(intent, at)
        # Before anything is bound: what was signed is not presented again either.
        frozen = sqlite_freeze.refusal_since(seen["frozen_since"])
        if frozen is not None:
            return frozen
        at_ms, slot = milliseconds(at), 0
        if seen["rivalled"] or intent.purchase.explicit:
            bound = self._bind(intent, at_ms)
            if not isinstance(bound, int):
                return bound
            slot = bound
        denied = sqlite_rules.refusal(self.connection, intent, at, seen)
        if denied is not None:
            return denied
        windows = self.sums.set_aside(intent.budgets, intent.amount, at)
        if isinstance(windows, Denied):
            return windows
        windows_json = as_text(windows)
        # The driver looks up how to adapt a bool each time, and knows what an int is.
        explicit, own = int(intent.purchase.explicit), self.instances.own
        made = self.connection.execute(
            statements.INSERT, reserved_columns(intent, explicit, slot, own, at_ms, windows_json)
        )
        # Word for word what the audit puts together from the row.
        detail = f'{{"amount":{intent.amount.atomic},"windows":{windows_json}}}'
        seq = made.lastrowid
        assert seq is not None
        self.connection.execute(statements.TELL, (at_ms, seq, "reserved", detail))
        sqlite_approvals.ask(self.connection, intent, at_ms)
        self.seen.reserved()
        payment = reserved_payment(intent, at_ms)
        if intent.ask_until is None:
            self._signed.reserved(seq, payment, windows_json)
        return payment

    def _bind(self, intent: Intent, at_ms: int) -> Payment | Denied | int:
        """A payment of this purchase that is free to claim; else the slot for a new one."""
        purchase, taken = intent.purchase, set()
        for row in sqlite_lists.rivals(self.connection, purchase):
            state = PaymentState(row["state"])
            if self.instances.is_held(row["holder"]):
                taken.add(row["slot"])
            elif state is PaymentState.RESERVED:
                if self.instances.is_alive(row["owner"]):
                    taken.add(row["slot"])
                else:
                    self._void(row, Proof("unsigned"), at_ms)
            elif state is PaymentState.AUTHORIZED or moves.is_wanted(row, intent):
                return self._hold(row, at_ms)
        if taken and (purchase.explicit or intent.top_up is not None):
            return denials.in_progress()
        return min(set(range(len(taken) + 1)) - taken)

    def authorize(
        self, payment_id: str, authorization: Authorization, at: datetime
    ) -> Denied | None:
        at_ms, seq = milliseconds(at), self._signed.seq_of(payment_id)
        before = self.connection.total_changes
        written = (at_ms, *authorization_columns(authorization), payment_id)
        # Nearly always it may be: why it may not is looked up afterwards.
        if seq is None or not self._is_changed(statements.AUTHORIZE_KNOWN, *written, seq):
            row = self._found(payment_id, sqlite_approvals.look(self.connection, payment_id))
            frozen = sqlite_freeze.refusal_since(row["frozen_since"])
            if frozen is not None:
                return frozen
            moves.permit(row, PaymentState.AUTHORIZED)
            denied = sqlite_approvals.refusal(row)
            if denied is not None:
                return denied
            self._change(statements.AUTHORIZE, *written)
            seq = row["seq"]
        known_as = {"network": authorization.network, "identity": authorization.identity}
        self._tell(seq, "authorized", at_ms, **known_as)
        self._signed.authorized(payment_id, authorization, at_ms)
        self.seen.moved(before)
        return None

    def post(
        self, payment_id: str, proof: Proof, at: datetime, *, delivers: bool = False
    ) -> Change:
        at_ms = milliseconds(at)
        # A row is 1 KB or more: it is written once for both.
        delivery = (at_ms, self.instances.own) if delivers else (None, None)
        confirmed = int(proof.confirmed)  # as in ``reserve``
        written = (at_ms, proof.kind, proof.transaction, confirmed, *delivery, payment_id)
        posted = self._post_known(payment_id, proof, written, delivers=delivers)
        if posted is not None:
            return Change(posted, "posted")
        row = self._look(payment_id)
        if moves.is_terminal(row):
            made = ""
            if moves.confirms(row, proof):
                made = "confirmed"
                self._change(statements.CONFIRM, proof.kind, proof.transaction, payment_id)
                self._tell(row["seq"], made, at_ms, **moves.evidence(proof))
            return Change(payment_of(self._find(payment_id)), made)
        moves.permit_post(row, proof)
        self._change(statements.POST, *written)
        self.sums.spend(windows_of(row), row["amount"])
        self._tell(row["seq"], "posted", at_ms, **moves.evidence(proof))
        if delivers and row["delivered_at"] is None:
            self._tell(row["seq"], "delivered", at_ms)
        self._signed.posted(payment_id)
        return Change(payment_of(self._find(payment_id)), "posted")

    def _post_known(
        self, payment_id: str, proof: Proof, written: tuple[Any, ...], *, delivers: bool
    ) -> Payment | None:
        """Post what was signed for here; None where its row has to be asked."""
        kept = self._signed.signed_for(payment_id)
        if kept is None or not moves.proves_transfer(proof):
            return None
        at_ms, delivered_at = written[0], kept.delivered_at
        before = self.connection.total_changes
        statement, values = kept.posting(written, delivers=delivers)
        if not self._is_changed(statement, *values):
            return None
        self.sums.spend(windows_in(kept.windows), kept.reserved.amount.atomic)
        self._tell(kept.seq, "posted", at_ms, **moves.evidence(proof))
        if is_delivered := delivers and delivered_at is None:
            delivered_at = at_ms
            self._tell(kept.seq, "delivered", at_ms)
        posted = kept.posted(proof, at_ms, delivered_at)
        self._signed.posted(payment_id)
        if is_delivered:
            self._signed.delivered(payment_id, at_ms)
        self.seen.moved(before)
        return posted

    def void(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        row = self._find(payment_id)
        if made := "" if moves.is_terminal(row) else "voided":
            self._void(row, proof, milliseconds(at))
        return Change(payment_of(self._find(payment_id)), made)

    def _void(self, row: sqlite3.Row, proof: Proof, at_ms: int) -> None:
        moves.permit_void(row, proof, at_ms)
        self._change(statements.VOID, at_ms, proof.kind, proof.transaction, row["id"], row["state"])
        sqlite_budgets.free(self.connection, windows_of(row), row["amount"])
        self._tell(row["seq"], "voided", at_ms, **moves.evidence(proof))
        self._signed.over(row["id"])

    def claim(
        self, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        frozen = sqlite_freeze.refusal(self.connection)
        if frozen is not None:
            return frozen
        for row in sqlite_lists.claimable(self.connection, purchase, undelivered_since):
            if not self.instances.is_held(row["holder"]):
                return self._hold(row, milliseconds(at))
        return None

    def release(self, payment_id: str) -> None:
        self.connection.execute(statements.RELEASE, (payment_id, self.instances.own))

    def deliver(self, payment_id: str, at: datetime) -> None:
        at_ms, seq = milliseconds(at), self._signed.seq_of(payment_id)
        before = self.connection.total_changes
        written = (at_ms, self.instances.own, payment_id)
        # Nearly always it is changed: why it was not is looked up afterwards.
        if seq is None or not self._is_changed(statements.DELIVER, *written, seq):
            row = self._look(payment_id)
            moves.permit_deliver(row)
            seq = row["seq"]
            if not self._is_changed(statements.DELIVER, *written, seq):
                self.release(payment_id)
                return
        self._tell(seq, "delivered", at_ms)
        self._signed.delivered(payment_id, at_ms)
        self.seen.moved(before)

    def give_up(self, payment_id: str, at: datetime) -> None:
        row = self._look(payment_id)
        moves.permit_give_up(row)
        if row["closed_at"] is None:
            self._change(statements.CLOSE, milliseconds(at), payment_id)
            self._tell(row["seq"], "closed", milliseconds(at))
        self.release(payment_id)

    def _hold(self, row: sqlite3.Row, at_ms: int) -> Payment:
        self.claims.made(row["id"])
        self._change(statements.HOLD, self.instances.own, row["id"], row["holder"])
        self._tell(row["seq"], "claimed", at_ms, holder=self.instances.own, after=row["holder"])
        return payment_of(row)

    def _find(self, payment_id: str) -> sqlite3.Row:
        return self._found(
            payment_id, self.connection.execute(statements.FIND, (payment_id,)).fetchone()
        )

    def _look(self, payment_id: str) -> sqlite3.Row:
        return self._found(
            payment_id, self.connection.execute(statements.LOOK, (payment_id,)).fetchone()
        )

    @staticmethod
    def _found(payment_id: str, row: sqlite3.Row | None) -> sqlite3.Row:
        if row is None:
            raise LedgerError(f"there is no payment {payment_id}")
        return row

    def _change(self, statement: str, *values: Any) -> None:
        is_changed = self._is_changed(statement, *values)
        assert is_changed, "the row was not in the state that it was found in"

    def _is_changed(self, statement: str, *values: Any) -> bool:
        return self.connection.execute(statement, values).rowcount == 1

    def _tell(self, seq: int, kind: str, at_ms: int, **detail: str | None) -> None:
        told = texts_to_json(detail | self.said_by)
        self.connection.execute(statements.TELL, (at_ms, seq, kind, told))

    def require_file(self) -> None:
        """LedgerError when the file is not at its path any more: writing to it would be lost."""
        if _identity(self._path) != self._identity:
            raise LedgerError(
                f"ledger {self._path}: the file was replaced while it was open; start again"
            )

    def require_new_instance(self) -> None:
        """LedgerError when an earlier process had this id: what that one held would seem alive."""
        own = self.instances.own
        if self.connection.execute(statements.USED, (own, own)).fetchone() is not None:
            raise LedgerError(f"ledger {self._path}: the instance id {own!r} was used before")

    def leave(self) -> None:
        self.connection.close()
        self.instances.leave()

    def abandon(self) -> None:
        self.connection.close()
        self.instances.abandon()


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
