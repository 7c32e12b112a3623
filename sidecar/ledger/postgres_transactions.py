"""Transactions that are whole or nothing, whatever becomes of the server meanwhile.

    what happened                      what is done
    the move refuses, or raises        rolled back; the caller hears of it
    two stood in each other's way      the move again
    lost before its COMMIT was sent    the server undoes it: the move again
    lost after                         nobody knows: the move again, which finds what was done

A move is sent as few texts of several statements, so it costs few round trips and keeps nothing in
the session. One that is made again after an unknown end knows it (``again``): it looks for its own
traces first, and it writes, so that its COMMIT waits for every standby that the lost one waited
for. The locks of a transaction whose client fell silent fall after ``idle_s``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from sidecar.errors import LedgerError
from sidecar.ledger.postgres_connections import Connection, Connections
from sidecar.ledger.postgres_faults import FAULTS, explain, passes, waited
from sidecar.refusal import Denied
from sidecar.tasks import Supervisor

T = TypeVar("T")
# A statement, and the values for its places.
Statement: TypeAlias = tuple[str, Sequence[Any]]
# One row of a table, by the names of its columns.
Record: TypeAlias = dict[str, Any]
WAIT_S = 5.0  # for the server, and for others, where nobody says otherwise
_PAUSE_S = 0.05
_READ, _WRITE = "READ ONLY", "READ WRITE"
_WRITE_SOMETHING = "UPDATE instances SET beats = beats + 1 WHERE id = %s"
_RELEASE = """
UPDATE payments SET holder = NULL WHERE id = ANY(%s) AND holder = %s AND state <> 'reserved'
"""
# "canceling wait for synchronous replication": committed here, and perhaps nowhere else.
_NOT_REPLICATED = "01000"


class UnknownEndError(Exception):
    """The COMMIT was sent, and nobody knows what became of it."""


class Transaction:
    """One open transaction: asks now, and tells with whatever is asked next."""

    def __init__(
        self, connection: Connection, first: Sequence[Statement], left: frozenset[str] | None
    ) -> None:
        # What an earlier attempt at this very move has held, if it was committed; None: no such.
        self.left = left
        self.held: set[str] = set()  # payments that this move reserves or claims
        self._connection = connection
        self._waiting = list(first)
        self._warned = False

    @property
    def again(self) -> bool:
        """Whether an earlier attempt at this very move may have been committed."""
        return self.left is not None

    def later(self, text: str, *values: Any) -> None:
        """To be done with what is sent next, at the latest with the COMMIT."""
        self._waiting.append((text, values))

    async def ask(self, *statements: Statement) -> list[list[Record]]:
        """The rows that each of these statements finds."""
        found = await self._send(statements)
        return found[len(found) - len(statements) :]

    async def find(self, text: str, *values: Any) -> list[Record]:
        """The rows that this statement finds."""
        (rows,) = await self.ask((text, values))
        return rows

    async def commit(self, *statements: Statement) -> list[list[Record]]:
        """Commit, and what these statements found before it. UnknownEndError: nobody knows."""
        self._connection.add_notice_handler(self._hear)
        try:
            found = await self._send([*statements, ("COMMIT", ())])
        except FAULTS as fault:
            # An answer that it failed leaves the connection as it is; anything else is no answer.
            if self._connection.closed:
                raise UnknownEndError from fault
            raise
        finally:
            self._connection.remove_notice_handler(self._hear)
        if self._warned:
            await self._connection.close()
            raise UnknownEndError
        return found[len(found) - len(statements) - 1 : -1]

    async def roll_back(self) -> None:
        """Undo what was done. A connection that cannot is not used again."""
        self._waiting = []
        if self._connection.info.transaction_status is not TransactionStatus.IDLE:
            with suppress(*FAULTS):
                await self._send([("ROLLBACK", ())])

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        self._warned = self._warned or notice.sqlstate == _NOT_REPLICATED

    async def _send(self, statements: Sequence[Statement]) -> list[list[Record]]:
        cursor = psycopg.AsyncClientCursor(self._connection)
        texts = [
            cursor.mogrify(text.encode(), values) if values else text
            for text, values in (*self._waiting, *statements)
        ]
        self._waiting = []
        await cursor.execute(";\n".join(texts).encode())
        found: list[list[Record]] = []
        more: bool | None = True
        while more:
            # Not ``description``: it makes an object for each column, of each empty answer, too.
            answer = cursor.pgresult
            has_rows = answer is not None and answer.ntuples > 0
            found.append(list(await cursor.fetchall()) if has_rows else [])
            more = cursor.nextset()
        return found


class Transactions:
    """Makes moves on one schema of one server."""

    def __init__(
        self,
        place: str,
        schema: str,
        own: str,
        connections: Connections,
        on_write_failure: Callable[[str], None],
        wait_s: float,
    ) -> None:
        self.place, self.schema, self.own = place, schema, own
        self.channel = f"{schema} top-ups"
        self._connections = connections
        self._on_write_failure = on_write_failure
        self._wait_s = wait_s
        # A caller who is cancelled learns nothing; what fails then has nobody to hear of it.
        self._tasks = Supervisor(lambda name, fault: None)
        self._closed = False
        # Payments that may be held for nobody: the end of what held them stayed unknown.
        self.unsure: set[str] = set()
        self._releasing: asyncio.Task[None] | None = None
        # Of these, reservations may be there that nobody asks for any more.
        self.dropped: set[str] = set()

    async def do(self, move: Callable[[Transaction], Awaitable[T]]) -> T:
        """The result of this move, after its commit. A ``Denied`` has changed nothing.

        LedgerError: it is refused, or the server stayed away for ``wait_s``; then nothing that is
        told here was written, but for a hold that is let go of before the next move.
        """
        return await asyncio.shield(self._tasks.spawn("ledger", self._do(move)))

    async def read(self, *statements: Statement) -> list[list[Record]]:
        """The rows that each of these statements finds, all as of about one moment."""

        async def look(transaction: Transaction) -> list[list[Record]]:
            return await transaction.commit(*statements)

        return await self._repeat(look, _READ)

    async def _do(self, move: Callable[[Transaction], Awaitable[T]]) -> T:
        if self.unsure:
            # One for all: who came second must neither undo a new claim nor wait for its turn.
            if self._releasing is None or self._releasing.done():
                self._releasing = self._tasks.spawn("release", self._release_unsure())
            await asyncio.shield(self._releasing)

        async def whole(transaction: Transaction) -> T:
            if transaction.left:
                transaction.later(_RELEASE, list(transaction.left), self.own)
            if transaction.again:
                transaction.later(_WRITE_SOMETHING, self.own)
            result = await move(transaction)
            if isinstance(result, Denied):
                await transaction.roll_back()
                self._lose(transaction.left)
            else:
                await transaction.commit()
            return result

        return await self._repeat(whole, _WRITE)

    async def _release_unsure(self) -> None:
        """Let go of what may be held for nobody."""
        released = frozenset(self.unsure)

        async def release(transaction: Transaction) -> None:
            transaction.later(_RELEASE, list(released), self.own)
            await transaction.commit()

        await self._repeat(release, _WRITE)
        self.unsure -= released

    async def _repeat(self, move: Callable[[Transaction], Awaitable[T]], access: str) -> T:
        """Make the move until its end is known, or the time is over."""
        if self._closed:
            raise LedgerError(f"ledger {self.place}: it is closed")
        ends_at, left = time.monotonic() + self._wait_s, None
        while True:
            left_s = ends_at - time.monotonic()
            try:
                async with self._connections.one(max(left_s, _PAUSE_S)) as connection:
                    transaction = Transaction(connection, self._start(access), left)
                    try:
                        return await move(transaction)
                    finally:
                        if not connection.closed:
                            await transaction.roll_back()
            except UnknownEndError as end:
                left = (left or frozenset()) | transaction.held
                fault: BaseException = end.__cause__ or end
            except FAULTS as failed:
                fault = failed
                if not passes(failed):
                    self._lose(left)
                    raise self._told(explain(self.place, failed), access) from failed
            except LedgerError:
                self._lose(left)
                raise
            if time.monotonic() + _PAUSE_S >= ends_at:
                self._lose(left)
                raise self._told(waited(self.place, fault, self._wait_s), access) from fault
            await asyncio.sleep(_PAUSE_S)

    @contextmanager
    def dropping(self, payment_id: str) -> Iterator[None]:
        """Whoever hears that this failed is done with the payment, and has signed nothing."""
        try:
            yield
        except LedgerError:
            self.dropped.add(payment_id)
            raise

    def _lose(self, held: frozenset[str] | None) -> None:
        """Nobody is told of what attempts with an unknown end may have held."""
        self.unsure |= held or frozenset()
        self.dropped |= held or frozenset()

    def _told(self, fault: Exception, access: str) -> Exception:
        if access == _WRITE:
            self._on_write_failure(str(fault))
        return fault

    def _start(self, access: str) -> list[Statement]:
        # A server forgets whom it waits for only when it is told how long to wait.
        wait_ms = int(self._wait_s * 1000)
        return [
            (f"BEGIN ISOLATION LEVEL READ COMMITTED {access}", ()),
            (f'SET LOCAL search_path TO "{self.schema}"', ()),
            (f"SET LOCAL lock_timeout TO {wait_ms}", ()),
            (f"SET LOCAL idle_in_transaction_session_timeout TO {2 * wait_ms}", ()),
        ]

    def lock(self, kind: str, key: str = "") -> int:
        """The number of the advisory lock for this key, which two schemas do not share."""
        digest = sha256(f"{self.schema}\n{kind}\n{key}".encode("utf-8", "backslashreplace"))
        return int.from_bytes(digest.digest()[:8], "big", signed=True)

    async def close(self, wait_s: float) -> None:
        """Finish what is under way, for this long; then let go."""
        self._closed = True
        await self._tasks.drain(wait_s)
        await self._connections.forget()
