"""What a person asks of a ledger in Postgres, or changes in it, beside all who pay from it.

The statements and the moves are the ledger's own. A desk is no instance: it has no lease, and it
holds nothing. What a reservation would be told is asked by a reservation that is taken back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from sidecar.errors import LedgerError
from sidecar.ledger import denials, windows
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_opening as opening
from sidecar.ledger import postgres_questions as questions
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger import postgres_switches as switches
from sidecar.ledger.model import (
    Asked,
    Budget,
    Found,
    Intent,
    PayeePin,
    Payment,
    Proof,
    Purchase,
    Step,
)
from sidecar.ledger.postgres_books import Books
from sidecar.ledger.postgres_connections import Connections
from sidecar.ledger.postgres_reserving import Reserving
from sidecar.ledger.postgres_transactions import WAIT_S, Record, Transaction, Transactions
from sidecar.ledger.postgres_url import read_url
from sidecar.ledger.resolutions import Resolution, objection
from sidecar.ledger.rows import moment, payment_of
from sidecar.refusal import BudgetUse, Denied
from sidecar.values import dataclass

T = TypeVar("T")

_OWN = "desk"  # the name of no instance: it has no lease
_MADE = "SELECT to_regclass('migrations') IS NOT NULL AS made"
_STEPS = """
SELECT at, kind, detail FROM events
WHERE payment = (SELECT seq FROM payments WHERE id = %s)
ORDER BY seq
"""
_RESOLVERS = """
SELECT DISTINCT ON (events.payment) payments.id, detail::json ->> 'by' AS name
FROM events JOIN payments ON payments.seq = events.payment
WHERE payments.id = ANY(%s) AND kind IN ('posted', 'voided', 'delivered', 'closed')
  AND kind <> 'claimed' AND detail::json ->> 'by' IS NOT NULL
ORDER BY events.payment, events.seq DESC
"""
_TOP_UPS = "SELECT * FROM payments WHERE purpose = 'top_up' ORDER BY seq"
_MADE_BY = "SELECT * FROM payments WHERE owner = %s ORDER BY seq"
_SERVER = "SELECT current_setting('server_version') AS version, clock_timestamp() AS now"
# What would be refused for no reason but that nobody wants it to be made.
_WOULD_BE_MADE = Denied("", "nothing speaks against it")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the server is, and who uses the ledger: how many instances are ``living``.

    ``orphaned``: payments that were set aside, unsigned, by instances that are gone.
    """

    server: str  # its version
    now: datetime  # by its clock
    living: int
    orphaned: int


class PostgresDesk:
    """The ``Desk`` of a ledger in one schema of a database."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema
        self.place = read_url(url).place

    def exists(self) -> bool:
        return self._talk(_is_made)

    def migrate(self) -> tuple[int, int]:
        """Bring the tables up to date; the version before, 0 for none, and now."""
        return self._talk(opening.migrate)

    def standing(self) -> Standing:
        """LedgerError, too, where the server would lose what it has committed."""

        async def look(transactions: Transactions) -> Standing:
            await opening.require_durable(transactions)
            (server,), living, reserved = await transactions.read(
                (_SERVER, ()), (lookups.LIVING, ()), lookups.orphaned(transactions.own)
            )
            orphaned = sum(not row["owned"] for row in reserved)
            return Standing(server["version"], server["now"], len(living), orphaned)

        return self._use(look)

    def freeze(self, at: datetime) -> datetime:
        if not self.exists():
            self.migrate()
        return self._use(
            lambda transactions: transactions.do(lambda tx: switches.freeze(tx, transactions, at))
        )

    def unfreeze(self) -> datetime | None:
        return self._change(switches.unfreeze())

    def frozen_since(self) -> datetime | None:
        return self._use(questions.frozen_since)

    def in_doubt(self) -> tuple[Payment, ...]:
        return self._use(questions.in_doubt)

    def check_writable(self) -> None:
        self._change(switches.probe)

    def pins(self) -> tuple[PayeePin, ...]:
        return self._use(questions.pins)

    def forget_pins(self, route: str) -> tuple[PayeePin, ...]:
        return self._change(switches.forget_pins(route))

    def asked(self) -> tuple[Asked, ...]:
        return self._use(questions.asked)

    def decide(self, payment_id: str, by: str, at: datetime, *, approve: bool) -> Payment | Denied:
        return self._change(lambda tx: switches.decide(tx, payment_id, by, at, approve=approve))

    def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        return self._use(lambda transactions: questions.newest(transactions, since, limit))

    def find(self, payment_id: str) -> Found | None:
        for row in self._rows(*lookups.found(payment_id, _OWN)):
            return Found(payment_of(row), row["kept"])
        return None

    def history(self, payment_id: str) -> tuple[Step, ...]:
        rows = self._rows(_STEPS, [payment_id])
        return tuple(
            Step(moment(row["at"]), row["kind"], json.loads(row["detail"])) for row in rows
        )

    def resolve(
        self, payment_id: str, resolution: Resolution, proof: Proof, by: str, at: datetime
    ) -> Payment | Denied:
        async def settle(books: Books, tx: Transaction) -> Payment | Denied:
            (rows,) = await tx.ask(lookups.locked(lookups.found(payment_id, books.own)))
            if not rows:
                raise LedgerError(f"there is no payment {payment_id}")
            denied = objection(payment_of(rows[0]), resolution, rows[0]["kept"], at)
            if denied is not None:
                return denied
            books.said_by = {"by": by}
            match resolution:
                case Resolution.POSTED:
                    await books.post(tx, payment_id, proof, at)
                case Resolution.VOIDED:
                    await books.void(tx, payment_id, proof, at)
                case Resolution.CREDITED:
                    await books.deliver(tx, payment_id, at)
                case Resolution.LOST:
                    await books.give_up(tx, payment_id, at)
            (row,) = await tx.find(lookups.FIND, payment_id)
            return payment_of(row)

        return self._move(settle)

    def resolvers(self, payments: Iterable[Payment]) -> Mapping[str, str]:
        rows = self._rows(_RESOLVERS, [[payment.id for payment in payments]])
        return {row["id"]: row["name"] for row in rows}

    def top_ups(self) -> tuple[Payment, ...]:
        return tuple(map(payment_of, self._rows(_TOP_UPS)))

    def made_by(self, instance: str) -> tuple[Payment, ...]:
        return tuple(map(payment_of, self._rows(_MADE_BY, [instance])))

    def refusal(self, intent: Intent, at: datetime) -> Denied | None:
        async def ask(books: Books, tx: Transaction) -> Denied:
            made = await Reserving(books, tx, intent, at).reserve()
            # A refusal has changed nothing.
            return made if isinstance(made, Denied) else _WOULD_BE_MADE

        if not self.exists():
            return _refusal_of_nothing(intent, at)
        denied = self._move(ask)
        return None if denied == _WOULD_BE_MADE else denied

    def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        if not self.exists():
            return tuple(rules.use_of([], budget, at) for budget in budgets)
        return self._use(lambda transactions: questions.budgets(transactions, budgets, at))

    def newest_top_up(self, purchase: Purchase) -> Payment | None:
        if not self.exists():
            return None
        return self._use(lambda transactions: questions.newest_top_up(transactions, purchase))

    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[Record]:
        """What this statement finds."""

        async def look(transactions: Transactions) -> list[Record]:
            (rows,) = await transactions.read((text, values))
            return rows

        return self._use(look)

    def _change(self, move: Callable[[Transaction], Awaitable[T]]) -> T:
        return self._use(lambda transactions: transactions.do(move))

    def _move(self, move: Callable[[Books, Transaction], Awaitable[T]]) -> T:
        """A move of the books."""

        async def make(transactions: Transactions) -> T:
            books = Books(transactions)
            return await transactions.do(lambda tx: move(books, tx))

        return self._use(make)

    def _use(self, ask: Callable[[Transactions], Awaitable[T]]) -> T:
        """What a ledger answers that has the tables that are known here."""

        async def look(transactions: Transactions) -> T:
            await opening.require_version(transactions)
            return await ask(transactions)

        return self._talk(look)

    def _talk(self, ask: Callable[[Transactions], Awaitable[T]]) -> T:
        # In a thread of its own: a command may ask from within its own event loop.
        with ThreadPoolExecutor(1, "ledger-desk") as beside:
            return beside.submit(asyncio.run, self._come(ask)).result()

    async def _come(self, ask: Callable[[Transactions], Awaitable[T]]) -> T:
        connections = Connections(self._url, 1, WAIT_S)
        transactions = Transactions(
            self.place, self._schema, _OWN, connections, lambda sentence: None, WAIT_S
        )
        try:
            return await ask(transactions)
        finally:
            await transactions.close(WAIT_S)


async def _is_made(transactions: Transactions) -> bool:
    ((row,),) = await transactions.read((_MADE, ()))
    return bool(row["made"])


def _refusal_of_nothing(intent: Intent, at: datetime) -> Denied | None:
    """What a ledger without a row says: only a payment that no window is large enough for."""
    asked = windows.wanted(intent.budgets, intent.amount, at)
    if isinstance(asked, Denied):
        return asked
    for budget in asked.values():
        if intent.amount.atomic > windows.cap(budget):
            return denials.no_room(rules.use_of([], budget, at), intent.amount)
    return None
