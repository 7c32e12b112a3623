"""A ledger that spends slices of the centre's budgets in books of its own: one disk, no round trip.

    here         payments of hashed purchases, out of slices: reserved, authorized, posted, voided
                 and delivered without the centre, while there is a lease (leases)
    the centre   the rest: explicit keys, top-ups, what a person approves, what has a price rule;
                 and the caps, the pins and the freeze of all

What one replica has paid here another does not see: an identical call is a retry only where it
comes to the same replica. Its processes share the file, and so are one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from sidecar.clock import Clock
from sidecar.errors import LedgerError
from sidecar.ledger import Ledger, sqlite_rehearsal, sqlite_slices
from sidecar.ledger.leased_books import TwoBooks
from sidecar.ledger.leases import Leases
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
from sidecar.ledger.slices import LeaseTerms, Slices
from sidecar.ledger.sqlite import LOCK_WAIT_S, SqliteLedger, open_books
from sidecar.ledger.sqlite_slices import Absent, Held
from sidecar.ledger.sqlite_writer import Writer
from sidecar.refusal import BudgetUse, Denied
from sidecar.tasks import Supervisor
from sidecar.x402.types import Authorization


class LeasedLedger:
    """The ``Ledger`` of one process of a replica; each method's contract is written there."""

    def __init__(self, centre: Ledger, writer: Writer, leases: Leases) -> None:
        self._centre = centre
        self._writer = writer
        self._here = SqliteLedger(writer)
        self._leases = leases
        self._both = TwoBooks(writer, self._here, centre)
        self._accounts: set[str] = set()  # purchases that are top-ups, as far as anybody asked
        self._tasks = Supervisor(lambda name, fault: None)
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False
        self._under_way = 0
        self._quiet = asyncio.Condition()

    @classmethod
    async def open(
        cls,
        centre: Ledger,
        slices: Slices,
        path: Path,
        instance: str,
        terms: LeaseTerms,
        clock: Clock,
        on_write_failure: Callable[[str], None],
    ) -> LeasedLedger:
        """Open the file that slices are spent in, made if it is not there; the centre is open.

        ``instance`` as in ``SqliteLedger.open``: the one that makes the file also names it to
        the centre. LedgerError: the file cannot be used.
        """
        writer = Writer(path, lambda: open_books(path, instance, LOCK_WAIT_S), on_write_failure)
        await writer.start()
        holder = await writer.do(lambda books: sqlite_slices.prepare(books.connection, instance))
        return cls(centre, writer, Leases(writer, slices, holder, terms, clock))

    def begin_keeping(self, switched: Callable[[], Awaitable[None]]) -> None:
        """Renew, and give back what is not used, until this is closed."""
        self._keeping = self._tasks.spawn("leases", self._leases.run(switched))

    async def keep_leases(self) -> None:
        """Do so once."""
        await self._leases.keep()

    async def held(self) -> tuple[Held, ...]:
        """The slices that are held, with what is used of them."""
        return await self._leases.held()

    async def reserve(self, intent: Intent, at: datetime) -> Payment | Denied:
        # Of several steps, and a ledger that closes finishes what has begun.
        if self._closed:
            raise LedgerError("the ledger is closed")
        self._under_way += 1
        try:
            return await self._reserve(intent, at)
        finally:
            self._under_way -= 1
            async with self._quiet:
                self._quiet.notify_all()

    async def _reserve(self, intent: Intent, at: datetime) -> Payment | Denied:
        if intent.purchase.explicit or intent.top_up is not None:
            return await self._centre.reserve(intent, at)
        answer: Payment | Denied | Absent = Absent()
        # What a person approves is asked for where all see it, and a price is compared with
        # everybody's.
        if self._leases.takes_slices and intent.ask_until is None and intent.price is None:
            answer = await self._leases.reserve(intent, at)
        if isinstance(answer, Absent):
            return await self._reserve_there(intent, at)
        return answer

    async def _reserve_there(self, intent: Intent, at: datetime) -> Payment | Denied:
        """A hashed purchase in the centre's books: here it is remembered that it is there."""
        await self._leases.require()
        bound = await self._writer.do(lambda books: sqlite_slices.leave(books, intent, at))
        if bound is not None:
            return bound
        answer = await self._centre.reserve(intent, at)
        await self._writer.do(
            lambda books: sqlite_slices.found_elsewhere(books.connection, intent, answer)
        )
        return answer

    async def authorize(
        self, payment_id: str, authorization: Authorization, at: datetime
    ) -> Denied | None:
        await self._leases.require()
        return await self._both.move(
            payment_id,
            lambda books: books.authorize(payment_id, authorization, at),
            lambda: self._centre.authorize(payment_id, authorization, at),
        )

    async def post(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        return await self._both.move(
            payment_id,
            lambda books: books.post(payment_id, proof, at),
            lambda: self._centre.post(payment_id, proof, at),
        )

    async def void(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        return await self._both.end(
            payment_id,
            lambda books: books.void(payment_id, proof, at),
            lambda: self._centre.void(payment_id, proof, at),
        )

    async def claim(
        self, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        if not purchase.explicit:
            await self._leases.require()
            claimed = await self._writer.do(
                lambda books: sqlite_slices.claim(books, purchase, at, undelivered_since)
            )
            if isinstance(claimed, Payment | Denied):
                return claimed
            here_only = self._leases.takes_slices and purchase.key not in self._accounts
            if claimed is None and here_only:
                return None
        return await self._centre.claim(purchase, at, undelivered_since)

    async def newest_top_up(self, purchase: Purchase) -> Payment | None:
        # Whoever looks for one may claim it next, and another replica may have made it.
        self._accounts.add(purchase.key)
        return await self._centre.newest_top_up(purchase)

    async def topped_up(self, purchase: Purchase) -> None:
        await self._centre.topped_up(purchase)

    async def authorizations(self, purchase: Purchase, since: datetime) -> int:
        return await self._centre.authorizations(purchase, since)

    async def release(self, payment_id: str) -> None:
        await self._both.move(
            payment_id,
            lambda books: books.release(payment_id),
            lambda: self._centre.release(payment_id),
        )

    async def deliver(self, payment_id: str, at: datetime) -> None:
        await self._both.end(
            payment_id,
            lambda books: books.deliver(payment_id, at),
            lambda: self._centre.deliver(payment_id, at),
        )

    async def conclude(
        self, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
    ) -> Change:
        return await self._both.conclude(payment_id, proof, at, delivered=delivered)

    async def give_up(self, payment_id: str, at: datetime) -> None:
        await self._both.end(
            payment_id,
            lambda books: books.give_up(payment_id, at),
            lambda: self._centre.give_up(payment_id, at),
        )

    async def in_doubt(self) -> tuple[Payment, ...]:
        return await self._both.oldest_first(lambda books: books.in_doubt())

    async def to_prove(self, at: datetime) -> tuple[Payment, ...]:
        return await self._both.oldest_first(lambda books: books.to_prove(at))

    async def unconfirmed(self) -> tuple[Payment, ...]:
        return await self._both.oldest_first(lambda books: books.unconfirmed())

    async def orphaned(self) -> tuple[Payment, ...]:
        return await self._both.oldest_first(lambda books: books.orphaned())

    async def undelivered(self, posted_before: datetime) -> tuple[Payment, ...]:
        return await self._both.oldest_first(lambda books: books.undelivered(posted_before))

    async def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        return await self._leases.uses(budgets, at)

    async def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        return await self._both.newest_first(since, limit)

    async def spending(self, since: datetime) -> tuple[Spent, ...]:
        return await self._both.spending(since)

    async def pins(self) -> tuple[PayeePin, ...]:
        return await self._centre.pins()

    async def forget_pins(self, route: str) -> tuple[PayeePin, ...]:
        forgotten = await self._centre.forget_pins(route)
        self._leases.forget_pins()
        return forgotten

    async def freeze(self, at: datetime) -> datetime:
        async def both() -> datetime:
            since = await self._centre.freeze(at)
            return await self._here.freeze(since)

        return await self._leases.alone(both)

    async def unfreeze(self) -> datetime | None:
        async def both() -> datetime | None:
            since = await self._centre.unfreeze()
            await self._here.unfreeze()
            return since

        return await self._leases.alone(both)

    async def frozen_since(self) -> datetime | None:
        await self._leases.require()
        return await self._here.frozen_since()

    async def approved(self, payment_id: str) -> bool | None:
        return await self._centre.approved(payment_id)

    async def asked(self) -> tuple[Asked, ...]:
        return await self._centre.asked()

    async def decide(
        self, payment_id: str, by: str, at: datetime, *, approve: bool
    ) -> Payment | Denied:
        return await self._centre.decide(payment_id, by, at, approve=approve)

    async def rehearse(self, payment: Payment, at: datetime) -> Denied | None:
        return await self._both.move(
            payment.id,
            lambda books: sqlite_rehearsal.rehearse(books, payment, at),
            lambda: self._centre.rehearse(payment, at),
        )

    async def check_writable(self) -> None:
        await self._leases.require()
        await self._here.check_writable()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        async with self._quiet:
            await self._quiet.wait_for(lambda: self._under_way == 0)
        self._stop_keeping()
        await self._leases.give_back()
        await self._here.close()
        await self._centre.close()

    async def abandon(self) -> None:
        """Let go of the file as a killed process does; the centre is its opener's to abandon."""
        self._closed = True
        self._stop_keeping()
        await self._here.abandon()

    def _stop_keeping(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
