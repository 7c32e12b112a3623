"""The ledger in one SQLite file, shared by any number of processes on one machine.

sqlite            the Ledger contract, and how a ledger is opened
sqlite_writer     the one thread that touches the file, and the group commit
sqlite_books      the moves, each inside a transaction
sqlite_statements what they say to SQLite
sqlite_budgets    the windows, raised by one conditional update
sqlite_sums       the windows of a batch, raised and spent together
sqlite_rules      what speaks against a new payment
sqlite_seen       what they found for one payment, for the next of its transaction
sqlite_pins       the payee that each route is used to
sqlite_prices     what each route is used to pay
sqlite_freeze     the switch that stops all signing
sqlite_approvals  what waits for a person's word
sqlite_conclusion the two last moves of a payment, as one
sqlite_rehearsal  shadow mode's one move
sqlite_desk       pins, switch and approvals, changed by hand; what a person settles
sqlite_quote      what a reservation would be told, asked without writing
sqlite_lists      questions
sqlite_spending   what moved in each hour
sqlite_audit      the books against their events, when a ledger is opened
sqlite_signed     what this process has signed for, so that it need not be read back
sqlite_instances  which processes live, and so what they hold
sqlite_marks      how far they had come, kept outside of the file
memory_counts     what the library does not count
sqlite_file       the file: made, recognised, hardened; its faults in a person's words
sqlite_schema     the tables
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

import sidecar.ledger.memory_counts  # noqa: F401 - before sqlite3 is imported
from sidecar.ledger import (
    sqlite_approvals,
    sqlite_budgets,
    sqlite_conclusion,
    sqlite_file,
    sqlite_freeze,
    sqlite_lists,
    sqlite_marks,
    sqlite_pins,
    sqlite_rehearsal,
    sqlite_spending,
)
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
from sidecar.ledger.sqlite_audit import audit
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_instances import Instances
from sidecar.ledger.sqlite_writer import Writer
from sidecar.refusal import BudgetUse, Denied
from sidecar.x402.types import Authorization

LOCK_WAIT_S = 5.0


def _not_told(sentence: str) -> None:
    """Nobody wants to hear of failed writes but those whose writes failed."""


class SqliteLedger:
    """The ``Ledger`` of one instance; each method's contract is written there."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @classmethod
    async def open(
        cls,
        path: Path,
        instance: str,
        on_write_failure: Callable[[str], None] = _not_told,
        *,
        lock_wait_s: float = LOCK_WAIT_S,
    ) -> SqliteLedger:
        """Open the ledger, made if it is not there, as this instance.

        ``instance`` names this process, and never another one, not even after its end. Each time
        that a commit fails, ``on_write_failure`` is called in the loop, with a sentence for
        people. ``lock_wait_s`` is how long to wait for other processes. LedgerError: the file
        cannot be used, is damaged, or its books do not agree with their events.
        """
        writer = Writer(path, lambda: open_books(path, instance, lock_wait_s), on_write_failure)
        await writer.start()
        return cls(writer)

    @classmethod
    def read(cls, path: Path, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        """The newest payments first, read beside whoever writes, or when nobody does."""
        sqlite_file.require_library()
        with (
            sqlite_file.explained(path),
            closing(sqlite_file.read_only(path.resolve())) as connection,
        ):
            return sqlite_lists.newest(connection, since, limit)

    async def reserve(self, intent: Intent, at: datetime) -> Payment | Denied:
        return await self._writer.do(lambda books: books.reserve(intent, at))

    async def authorize(
        self, payment_id: str, authorization: Authorization, at: datetime
    ) -> Denied | None:
        return await self._writer.do(lambda books: books.authorize(payment_id, authorization, at))

    async def post(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        return await self._writer.do(lambda books: books.post(payment_id, proof, at))

    async def void(self, payment_id: str, proof: Proof, at: datetime) -> Change:
        return await self._writer.do(lambda books: books.void(payment_id, proof, at))

    async def claim(
        self, purchase: Purchase, at: datetime, undelivered_since: datetime
    ) -> Payment | Denied | None:
        return await self._writer.do(lambda books: books.claim(purchase, at, undelivered_since))

    async def newest_top_up(self, purchase: Purchase) -> Payment | None:
        return await self._writer.do(
            lambda books: sqlite_lists.newest_top_up(books.connection, purchase), writes=False
        )

    async def authorizations(self, purchase: Purchase, since: datetime) -> int:
        return await self._writer.do(
            lambda books: sqlite_lists.authorizations(books.connection, purchase, since),
            writes=False,
        )

    async def topped_up(self, purchase: Purchase) -> None:
        # Nothing tells one process on a file of another.
        await asyncio.Event().wait()

    async def release(self, payment_id: str) -> None:
        await self._writer.do(lambda books: books.release(payment_id))

    async def deliver(self, payment_id: str, at: datetime) -> None:
        await self._writer.do(lambda books: books.deliver(payment_id, at))

    async def conclude(
        self, payment_id: str, proof: Proof, at: datetime, *, delivered: bool
    ) -> Change:
        return await self._writer.do(
            lambda books: sqlite_conclusion.conclude(
                books, payment_id, proof, at, delivered=delivered
            )
        )

    async def give_up(self, payment_id: str, at: datetime) -> None:
        await self._writer.do(lambda books: books.give_up(payment_id, at))

    async def in_doubt(self) -> tuple[Payment, ...]:
        return await self._writer.do(
            lambda books: sqlite_lists.in_doubt(books.connection), writes=False
        )

    async def to_prove(self, at: datetime) -> tuple[Payment, ...]:
        return await self._writer.do(
            lambda books: sqlite_lists.to_prove(books.connection, books.instances, at),
            writes=False,
        )

    async def unconfirmed(self) -> tuple[Payment, ...]:
        return await self._writer.do(
            lambda books: sqlite_lists.unconfirmed(books.connection), writes=False
        )

    async def orphaned(self) -> tuple[Payment, ...]:
        return await self._writer.do(
            lambda books: sqlite_lists.orphaned(books.connection, books.instances), writes=False
        )

    async def undelivered(self, posted_before: datetime) -> tuple[Payment, ...]:
        return await self._writer.do(
            lambda books: sqlite_lists.undelivered(
                books.connection, books.instances, posted_before
            ),
            writes=False,
        )

    async def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        return await self._writer.do(
            lambda books: tuple(
                sqlite_budgets.use(books.connection, budget, at) for budget in budgets
            ),
            writes=False,
        )

    async def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        return await self._writer.do(
            lambda books: sqlite_lists.newest(books.connection, since, limit), writes=False
        )

    async def spending(self, since: datetime) -> tuple[Spent, ...]:
        return await self._writer.beside(
            lambda connection: sqlite_spending.spending(connection, since)
        )

    async def pins(self) -> tuple[PayeePin, ...]:
        return await self._writer.do(lambda books: sqlite_pins.pins(books.connection), writes=False)

    async def forget_pins(self, route: str) -> tuple[PayeePin, ...]:
        return await self._writer.do(lambda books: sqlite_pins.forget(books.connection, route))

    async def freeze(self, at: datetime) -> datetime:
        return await self._writer.do(lambda books: sqlite_freeze.freeze(books.connection, at))

    async def unfreeze(self) -> datetime | None:
        return await self._writer.do(lambda books: sqlite_freeze.unfreeze(books.connection))

    async def frozen_since(self) -> datetime | None:
        return await self._writer.do(
            lambda books: sqlite_freeze.frozen_since(books.connection), writes=False
        )

    async def approved(self, payment_id: str) -> bool | None:
        return await self._writer.do(
            lambda books: sqlite_approvals.approved(books.connection, payment_id), writes=False
        )

    async def asked(self) -> tuple[Asked, ...]:
        return await self._writer.do(
            lambda books: sqlite_approvals.asked(books.connection), writes=False
        )

    async def decide(
        self, payment_id: str, by: str, at: datetime, *, approve: bool
    ) -> Payment | Denied:
        return await self._writer.do(
            lambda books: sqlite_approvals.decide(
                books.connection, payment_id, by, at, approve=approve
            )
        )

    async def rehearse(self, payment: Payment, at: datetime) -> Denied | None:
        return await self._writer.do(lambda books: sqlite_rehearsal.rehearse(books, payment, at))

    async def check_writable(self) -> None:
        await self._writer.do(lambda books: sqlite_file.probe(books.connection))

    async def close(self) -> None:
        await self._writer.close()

    async def abandon(self) -> None:
        """Let go as a killed process does: nothing queued is written, and its holding ends."""
        await self._writer.abandon()


def open_books(path: Path, instance: str, lock_wait_s: float) -> Books:
    """Come to the ledger as this instance, and look whether it may be paid from."""
    sqlite_file.require_library()
    with sqlite_file.explained(path), ExitStack() as undo:
        # Links are followed, so that all who open one file find the same locks beside it.
        file = path.resolve()
        sqlite_file.make_directory(file)
        _look(file)
        instances = Instances(file, instance, lock_wait_s)
        undo.callback(instances.leave)
        with instances.alone():
            sqlite_file.require_whole(file)
            sqlite_file.make(file)
            connection = sqlite_file.connect(file, lock_wait_s)
            undo.callback(connection.close)
            instances.join(sqlite_marks.last_event(connection))
        books = Books(connection, instances, file)
        books.require_new_instance()
        undo.pop_all()
    return books


def _look(file: Path) -> None:
    """LedgerError when there is a ledger already and it may not be paid from.

    Looked at by a connection that cannot write: any other one, as the last to close, would fold
    the write-ahead log into a damaged file, and a backup or a person may still need both.
    """
    if not file.exists() or file.stat().st_size == 0:
        return
    with closing(sqlite_file.reader(file)) as connection:
        if sqlite_file.is_fresh(connection):
            return
        sqlite_file.recognise(connection, file)
    audit(file)
