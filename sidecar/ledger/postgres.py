"""The ledger in Postgres, shared by any number of replicas on any number of machines.

postgres               the Ledger contract, and how a ledger is opened
postgres_url           which server it is, and what of that may be shown
postgres_connections   connections that nobody waits for too long
postgres_transactions  whole or nothing, whatever becomes of the server
postgres_books         the moves, each inside a transaction
postgres_reserving     the one of them that makes a payment
postgres_statements    what the moves write
postgres_lookups       what is asked of the tables
postgres_questions     the answers, for whoever pays and for whoever only looks
postgres_rules         what the answers say against a new payment
postgres_switches      freeze, pins and approvals, changed by hand
postgres_desk          what a person asks and changes by hand
postgres_slices        what replicas hold of the budgets, to spend by themselves
postgres_instances     which replicas live, and so what they hold
postgres_bell          wakes those who wait for another replica
postgres_audit         the books against their events
postgres_opening       a schema: made, brought up to date, recognised
postgres_schema        the tables, version by version
postgres_faults        the server's faults in a person's words

What is decided, and the words for it, is the same for every store (moves, denials,
windows, discrepancies).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime

from sidecar.errors import LedgerError
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_opening as opening
from sidecar.ledger import postgres_questions as questions
from sidecar.ledger import postgres_switches as switches
from sidecar.ledger.model import (
    Asked,
    Budget,
    Change,
    Intent,
    PayeePin,
    Payment,
    Proof,
    Purchase,
    Spent,
)
from sidecar.ledger.postgres_bell import Bell
from sidecar.ledger.postgres_books import Books
from sidecar.ledger.postgres_connections import Connections
from sidecar.ledger.postgres_instances import Lease
from sidecar.ledger.postgres_reserving import Reserving
from sidecar.ledger.postgres_slices import PostgresSlices
from sidecar.ledger.postgres_transactions import WAIT_S, Transactions
from sidecar.ledger.postgres_url import read_url
from sidecar.ledger.rows import payment_of
from sidecar.refusal import BudgetUse, Denied
from sidecar.tasks import Supervisor
from sidecar.x402.types import Authorization

SCHEMA = "sidecar"
LEASE_S = 15.0
CONNECTIONS_MAX = 8


def _not_told(sentence: str) -> None:
    """Nobody wants to hear of failed writes but those whose writes failed."""


class PostgresLedger:
    """The ``Ledger`` of one instance; each method's contract is written there."""

    def __init__(self, transactions: Transactions, lease: Lease, bell: Bell) -> None:
        self._transactions = transactions
        self._books = Books(transactions)
        self._lease = lease
        self._bell = bell
        self._tasks = Supervisor(lambda name, fault: None)
        self._kept: tuple[asyncio.Task[None], ...] = (
            self._tasks.spawn("lease", lease.keep()),
            self._tasks.spawn("bell", bell.listen()),
        )

    @classmethod
    async def open(
        cls,
        url: str,
        instance: str,
        on_write_failure: Callable[[str], None] = _not_told,
        *,
        schema: str = SCHEMA,
        migrate: bool = True,
        wait_s: float = WAIT_S,
        lease_s: float = LEASE_S,
        connections_max: int = CONNECTIONS_MAX,
    ) -> PostgresLedger:
        """Open the ledger in this database as this instance; the tables are made if ``migrate``.

        ``instance`` names this process, and never another one. ``wait_s`` is how long a move
        waits for the server and for others; ``lease_s`` how long after its last word others take
        this process for gone. LedgerError: it cannot be used, is of another version, would lose
        what was committed, or its books do not agree with their events.
        """
        place = read_url(url).place
        connections = Connections(url, connections_max, wait_s)
        transactions = Transactions(place, schema, instance, connections, on_write_failure, wait_s)
        try:
            await opening.require_durable(transactions)
            if migrate:
                await opening.migrate(transactions)
            await opening.require_version(transactions)
            await opening.audit(transactions)
            lease = Lease(transactions, lease_s)
            await lease.join()
        except BaseException:
            await transactions.close(0)
            raise
        return cls(transactions, lease, Bell(connections, transactions))

    @property
    def slices(self) -> PostgresSlices:
        """What replicas hold of the budgets of this ledger."""
        return PostgresSlices(self._transactions)

    async def switched(self) -> None:
        """Come back when somebody froze all signing. May never come back."""
        await self._bell.rung(switches.FREEZE)

    @property
    def freeze_lock(self) -> int:
        """The advisory lock that who signs shares, and who freezes has alone."""
        return switches.freeze_lock(self._transactions)

    async def reserve(self, intent: Intent, at: datetime) -> Payment | Denied:
        return await self._transactions.do(
            lambda tx: Reserving(self._books, tx, intent, at).reserve()
        )

    async def authorize(
        self, payment_id: str, authorization: Authorization, at: datetime
    ) -> Denied | None:
        with self._transactions.dropping(payment_id):
            return await self._transactions.do(
                lambda tx: self._books.authorize(tx, payment_id, authorization, at)
            )

    async def post(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        return await self._transactions.do(lambda tx: self._books.post(tx, payment_id, proof, at))

    async def void(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        # Who says that nothing was signed is done with it; other proofs are of what was.
        is_done = proof.kind == "unsigned"
        with self._transactions.dropping(payment_id) if is_done else nullcontext():
            return await self._transactions.do(
                lambda tx: self._books.void(tx, payment_id, proof, at)
            )

    async def claim(
        self, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        # As of now: what is let go of while it looks is still held in what it sees.
        own, unsure = self._transactions.own, bool(self._transactions.unsure)
        frozen, rows = await self._transactions.read(
            (lookups.FROZEN, ()), lookups.claimable(purchase, own, undelivered_since)
        )
        # Mostly there is nothing; and what may be held for nobody is let go of first.
        if not (frozen or unsure or any(not row["kept"] for row in rows)):
            return None
        return await self._transactions.do(
            lambda tx: self._books.claim(tx, purchase, at, undelivered_since)
        )

    async def newest_top_up(self, purchase: Purchase) -> Payment | None:
        return await questions.newest_top_up(self._transactions, purchase)

    async def authorizations(self, purchase: Purchase, since: datetime) -> int:
        ((row,),) = await self._transactions.read(lookups.authorizations(purchase, since))
        return int(row["made"])

    async def topped_up(self, purchase: Purchase) -> None:
        await self._bell.rung(purchase.key)

    async def release(self, payment_id: str) -> None:
        await self._transactions.do(lambda tx: self._books.release(tx, payment_id))

    async def deliver(self, payment_id: str, at: datetime) -> None:
        await self._transactions.do(lambda tx: self._books.deliver(tx, payment_id, at))

    async def conclude(
        self, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
    ) -> Change:
        return await self._transactions.do(
            lambda tx: self._books.conclude(tx, payment_id, proof, at, delivered=delivered)
        )

    async def give_up(self, payment_id: str, at: datetime) -> None:
        await self._transactions.do(lambda tx: self._books.give_up(tx, payment_id, at))

    async def in_doubt(self) -> tuple[Payment, ...]:
        return await questions.in_doubt(self._transactions)

    async def to_prove(self, at: datetime) -> tuple[Payment, ...]:
        asked = lookups.to_prove(self._transactions.own, at)
        return await questions.payments(self._transactions, asked)

    async def unconfirmed(self) -> tuple[Payment, ...]:
        return await questions.payments(self._transactions, (lookups.UNCONFIRMED, ()))

    async def orphaned(self) -> tuple[Payment, ...]:
        # Whoever asked for these was told that they were not made.
        dropped = self._transactions.dropped
        over, rows = await self._transactions.read(
            lookups.past_reserved(dropped), lookups.orphaned(self._transactions.own)
        )
        # One that is not there may still come.
        dropped.difference_update(row["id"] for row in over)
        return tuple(payment_of(row) for row in rows if not row["owned"] or row["id"] in dropped)

    async def undelivered(self, posted_before: datetime) -> tuple[Payment, ...]:
        asked = lookups.undelivered(self._transactions.own, posted_before)
        (rows,) = await self._transactions.read(asked)
        return tuple(payment_of(row) for row in rows if not row["kept"])

    async def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        return await questions.budgets(self._transactions, budgets, at)

    async def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        return await questions.newest(self._transactions, since, limit)

    async def spending(self, since: datetime) -> tuple[Spent, ...]:
        return await questions.spending(self._transactions, since)

    async def pins(self) -> tuple[PayeePin, ...]:
        return await questions.pins(self._transactions)

    async def forget_pins(self, route: str) -> tuple[PayeePin, ...]:
        return await self._transactions.do(switches.forget_pins(route))

    async def freeze(self, at: datetime) -> datetime:
        return await self._transactions.do(lambda tx: switches.freeze(tx, self._transactions, at))

    async def unfreeze(self) -> datetime | None:
        return await self._transactions.do(switches.unfreeze())

    async def frozen_since(self) -> datetime | None:
        return await questions.frozen_since(self._transactions)

    async def approved(self, payment_id: str) -> bool | None:
        (rows,) = await self._transactions.read((lookups.STEPS_ASKED, (payment_id,)))
        said = {row["kind"] for row in rows}
        return "approved" in said if said & {"approved", "refused"} else None

    async def asked(self) -> tuple[Asked, ...]:
        return await questions.asked(self._transactions)

    async def decide(
        self, payment_id: str, by: str, at: datetime, *, approve: bool
    ) -> Payment | Denied:
        return await self._transactions.do(
            lambda tx: switches.decide(tx, payment_id, by, at, approve=approve)
        )

    async def rehearse(self, payment: Payment, at: datetime) -> Denied | None:
        with self._transactions.dropping(payment.id):
            return await self._transactions.do(lambda tx: self._books.rehearse(tx, payment, at))

    async def check_writable(self) -> None:
        await self._transactions.do(switches.probe)

    async def close(self) -> None:
        if self._kept:
            await self._end()
            # A server that is away lets the lease run out.
            with suppress(LedgerError):
                await self._lease.leave()
            await self._transactions.close(WAIT_S)

    async def abandon(self) -> None:
        """Let go as a killed process does: nothing queued is written, and its lease runs out."""
        await self._end()
        await self._transactions.close(0)

    async def _end(self) -> None:
        for task in self._kept:
            task.cancel()
        await asyncio.gather(*self._kept, return_exceptions=True)
        self._kept = ()
