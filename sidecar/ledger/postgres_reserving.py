"""The one move that makes a payment: everything that speaks against it, asked in one round trip.

The windows are raised, and the payee is pinned, with the questions, so that the answer comes with
them; what did so for nothing is rolled back, or, where another payment is taken instead, undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sidecar.ledger import denials, moves, windows
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger import postgres_statements as statements
from sidecar.ledger.model import Budget, Intent, Payment, PaymentState, Proof
from sidecar.ledger.postgres_books import Books, purchase_lock
from sidecar.ledger.postgres_switches import freeze_lock
from sidecar.ledger.postgres_transactions import Record, Statement, Transaction, Transactions
from sidecar.ledger.rows import (
    milliseconds,
    payment_of,
    reserved_columns,
    reserved_payment,
    to_json,
)
from sidecar.ledger.windows import WindowKey
from sidecar.refusal import Denied


class Reserving:
    """One reservation, inside one transaction."""

    def __init__(self, books: Books, tx: Transaction, intent: Intent, at: datetime) -> None:
        self._books, self._tx = books, tx
        self._intent, self._at, self._at_ms = intent, at, milliseconds(at)
        self._wanted = windows.wanted(intent.budgets, intent.amount, at)
        self._dropped = False  # something of the dead, which the rules had looked at

    async def reserve(self) -> Payment | Denied:
        """``Ledger.reserve``."""
        if self._tx.again and (made := await self._made_before()) is not None:
            return made
        raising = {} if isinstance(self._wanted, Denied) else self._raising(self._wanted)
        frozen, rivals, pinned_now, *found = await self._ask(raising.values())
        # Before anything is bound: what was signed is not presented again either.
        denied = rules.frozen(frozen)
        if denied is not None:
            return denied
        raised = {key: bool(rows) for key, rows in zip(raising, found[5:], strict=True)}
        slot = self._bind(rivals)
        if isinstance(slot, Payment):
            self._lower(raised)
            if pinned_now:
                text, key = lookups.unpin(self._intent)
                self._tx.later(text, *key)
        if not isinstance(slot, int):
            return slot
        denied = await self._refusal(found[:5])
        if denied is not None:
            return denied
        if isinstance(self._wanted, Denied):
            return self._wanted
        for key, budget in self._wanted.items():
            # What was dropped for it just now may have left it room.
            if not raised[key] and not (await self._tx.ask(raising[key]))[0]:
                return await self._no_room(budget)
        return self._insert(slot, tuple(self._wanted))

    async def _ask(self, raising: Iterable[Statement]) -> list[list[Record]]:
        """Who stands in the way, whether the payee was pinned, the rules' answers, the windows."""
        intent, transactions = self._intent, self._books.transactions
        _, _, since, rivals, *found = await self._tx.ask(
            (statements.LOCK, (purchase_lock(transactions, intent.purchase),)),
            (statements.LOCK_SHARED, (freeze_lock(transactions),)),
            (lookups.FROZEN, ()),
            lookups.locked(lookups.rivals(intent.purchase, self._books.own)),
            lookups.pin(intent, self._at_ms),
            *self._rules(),
            *raising,
        )
        return [since, rivals, *found]

    def _rules(self) -> list[Statement]:
        intent = self._intent
        return [
            lookups.pinned(intent),
            lookups.prices(intent, self._at_ms, denials.PRICE_DAYS),
            lookups.closed_since(intent, self._at),
            lookups.topped_up_since(intent),
            lookups.top_ups_since(intent, self._at - denials.HOUR),
        ]

    async def _made_before(self) -> Payment | None:
        """This payment, where an attempt with an unknown end has made it."""
        # While that attempt is under way, it has the lock.
        lock = purchase_lock(self._books.transactions, self._intent.purchase)
        _, found = await self._tx.ask(
            (statements.LOCK, (lock,)), (lookups.FIND, (self._intent.id,))
        )
        if not found:
            return None
        self._tx.held.add(self._intent.id)
        return payment_of(found[0])

    def _bind(self, rivals: list[Record]) -> Payment | Denied | int:
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
                    self._books.drop(self._tx, row, Proof("unsigned"), self._at_ms)
                    self._dropped = True
            elif state is PaymentState.AUTHORIZED or moves.is_wanted(row, self._intent):
                return self._books.hold(self._tx, row, self._at_ms)
        if taken and (self._intent.purchase.explicit or self._intent.top_up is not None):
            return denials.in_progress()
        return int(min(set(range(len(taken) + 1)) - taken))

    async def _refusal(self, found: list[list[Record]]) -> Denied | None:
        if self._dropped:
            # What is void counts for nothing: neither its price nor, for a top-up, that it was.
            found = await self._tx.ask(*self._rules())
        pinned, prices, *others = found
        if self._intent.price is not None and not prices:
            # Nobody has paid there yet: of two who come at once, one is the first.
            _, prices = await self._tx.ask(
                (statements.LOCK, (_price_lock(self._books.transactions, self._intent),)),
                lookups.prices(self._intent, self._at_ms, denials.PRICE_DAYS),
            )
        return rules.refusal(self._intent, [pinned, prices, *others], self._at)

    def _raising(self, wanted: Mapping[WindowKey, Budget]) -> dict[WindowKey, Statement]:
        amount = self._intent.amount.atomic
        caps = {key: windows.cap(budget) for key, budget in wanted.items()}
        return {
            key: (statements.RAISE, (*key, amount, amount, cap, cap)) for key, cap in caps.items()
        }

    def _lower(self, raised: dict[WindowKey, bool]) -> None:
        for key, done in raised.items():
            if done:
                self._tx.later(statements.SPEND, self._intent.amount.atomic, 0, *key)

    async def _no_room(self, budget: Budget) -> Denied:
        (rows,) = await self._tx.ask(lookups.window(budget, self._at))
        return denials.no_room(rules.use_of(rows, budget, self._at), self._intent.amount)

    def _insert(self, slot: int, keys: tuple[WindowKey, ...]) -> Payment:
        intent, tx = self._intent, self._tx
        windows_json = windows.as_text(keys)
        # Word for word what the audit puts together from the row.
        detail = f'{{"amount":{intent.amount.atomic},"windows":{windows_json}}}'
        explicit, own = intent.purchase.explicit, self._books.own
        columns = reserved_columns(intent, explicit, slot, own, self._at_ms, windows_json)
        tx.later(statements.INSERT, *columns, self._at_ms, detail)
        if intent.ask_until is not None:
            until = to_json({"until": milliseconds(intent.ask_until)})
            tx.later(statements.ASK, self._at_ms, until, intent.id)
        tx.held.add(intent.id)
        return reserved_payment(intent, self._at_ms)


def _price_lock(transactions: Transactions, intent: Intent) -> int:
    assert intent.price is not None
    place = (intent.route, intent.purpose, intent.price.place)
    return transactions.lock("price", to_json(place))
