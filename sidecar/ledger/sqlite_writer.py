"""The one thread that touches the ledger file, and the group commit.

It takes all the work that is queued, does it in one transaction, commits once, and only then
answers. So a commit, which waits for the disk, is shared by everybody who came while the last one
was under way; and an answer always means that it is on the disk. Where a piece has to be undone,
the transaction is, and all is done once more, each piece in a savepoint: nearly always none has
to, and for a savepoint SQLite copies every page that is changed.
A question that may take long is asked beside it, on a connection that cannot write.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_marks
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_file import explain, explained, read_only
from sidecar.refusal import Denied
from sidecar.values import dataclass

T = TypeVar("T")

BATCH_MAX = 256
QUEUED_MAX = 10_000


@dataclass(slots=True, eq=False)
class _Job:
    """Something to be done, who waits for it, and what became of it."""

    work: Callable[[Books], Any] | None  # None: the last one
    writes: bool
    future: asyncio.Future[Any]
    result: Any = None
    fault: Exception | None = None

    @property
    def is_undone(self) -> bool:
        """Whether what the work has changed is taken back: it failed, or refused."""
        return self.fault is not None or isinstance(self.result, Denied)


class Writer:
    """Does work on the books, in order and durably, for any number of callers."""

    def __init__(
        self, path: Path, open_books: Callable[[], Books], on_write_failure: Callable[[str], None]
    ) -> None:
        self._path = path
        self._open_books = open_books
        self._on_write_failure = on_write_failure
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._closed = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    async def start(self) -> None:
        """Open the books. Raises what opening them raised."""
        self._thread.start()
        opened = False
        try:
            await self._put(lambda books: None, writes=False)
            opened = True
        finally:
            if not opened:
                self._end()

    async def do(self, work: Callable[[Books], T], *, writes: bool = True) -> T:
        """The result of this work, after its commit. A ``Denied`` has changed nothing.

        The work changes nothing but the books: it may be undone, and done once more.
        LedgerError: nothing was written. A caller who is cancelled learns nothing; the work is
        done all the same, because what it records has happened.
        """
        if self._closed:
            raise LedgerError(f"ledger {self._path}: it is closed")
        if self._jobs.qsize() >= QUEUED_MAX:
            raise LedgerError(f"ledger {self._path}: {QUEUED_MAX} pieces of work wait for the disk")
        result: T = await self._put(work, writes=writes)
        return result

    async def beside(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer to a question that may take long: in another thread, and nobody waits for it.

        It sees what was committed before. LedgerError: the file cannot be read.
        """
        return await asyncio.to_thread(self._ask, question)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self._path), closing(read_only(self._path.resolve())) as connection:
            return question(connection)

    async def close(self) -> None:
        """Finish what is queued, and let go of the file. A second time does nothing."""
        if not self._closed:
            await self._end()

    async def abandon(self) -> None:
        """Let go of the file as a killed process does: what is queued is not written."""
        self._abandoned = True
        await self.close()

    def _end(self) -> asyncio.Future[Any]:
        self._closed = True
        return self._put(None, writes=False)

    def _put(self, work: Callable[[Books], Any] | None, *, writes: bool) -> asyncio.Future[Any]:
        # A future belongs to the loop that waits for it, and there may be several.
        future = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, writes, future))
        return future

    def _run(self) -> None:
        try:
            books = self._open_books()
        except Exception as fault:  # a thread has nobody above it: the opener hears of it
            opener = self._jobs.get()
            opener.fault = fault
            _answer([opener])
            return
        last = None
        while last is None:
            jobs, last = self._take()
            if self._abandoned:
                for job in jobs:
                    job.fault = LedgerError(f"ledger {self._path}: it was abandoned")
            elif jobs:
                self._transact(books, jobs)
            _answer(jobs)
        self._let_go(books, last)
        _answer([last])

    def _let_go(self, books: Books, last: _Job) -> None:
        try:
            if self._abandoned:
                books.abandon()
            else:
                books.leave()
        except Exception as fault:  # a thread has nobody above it: the closer hears of it
            last.fault = explain(self._path, fault)

    def _take(self) -> tuple[list[_Job], _Job | None]:
        """Wait for work; then all that there is, up to the limit or the last one."""
        job = self._jobs.get()
        jobs: list[_Job] = []
        while job.work is not None:
            jobs.append(job)
            if len(jobs) == BATCH_MAX:
                return jobs, None
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, None
        return jobs, job

    def _transact(self, books: Books, jobs: list[_Job]) -> None:
        """Do it all and commit; or nothing of it, and everybody hears the same fault."""
        writes = any(job.writes for job in jobs)
        connection = books.connection
        try:
            books.require_file()
            _begin(books, writes=writes)
            if not self._are_done(books, jobs):
                connection.execute("ROLLBACK")
                _begin(books, writes=writes)
                self._do_apart(books, jobs)
            last_event = sqlite_marks.last_event(connection) if writes else None
            connection.execute("COMMIT")
            if last_event is not None:
                books.claims.conclude(committed=True)
                books.instances.record(last_event)
        except Exception as fault:  # a thread has nobody above it: its callers hear of it
            books.claims.conclude(committed=False)
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            sentence = str(explain(self._path, fault))
            if writes:
                _call(jobs[0].future, self._on_write_failure, sentence)
            for job in jobs:
                job.fault = LedgerError(sentence)
        finally:
            books.seen.end()
            books.sums.end()

    def _are_done(self, books: Books, jobs: list[_Job]) -> bool:
        """Do one piece after the other; False as soon as one, or all, has to be undone."""
        connection = books.connection
        if len(jobs) > 1:
            books.sums.begin()
        for job in jobs:
            before = connection.total_changes
            self._work(books, job)
            # Most refusals come before anything is changed.
            if job.is_undone and (job.fault is not None or connection.total_changes != before):
                return False
        return books.sums.settle()

    def _do_apart(self, books: Books, jobs: list[_Job]) -> None:
        """Do each piece: whole, or undone without a trace on the others."""
        books.seen.end()
        books.sums.end()
        for job in jobs:
            books.connection.execute("SAVEPOINT step")
            self._work(books, job)
            if job.is_undone:
                books.connection.execute("ROLLBACK TO step")
            books.connection.execute("RELEASE step")

    def _work(self, books: Books, job: _Job) -> None:
        assert job.work is not None
        try:
            job.result, job.fault = job.work(books), None
        except Exception as fault:  # a thread has nobody above it: the caller hears of it
            if not books.connection.in_transaction:
                # SQLite gave up the whole transaction, as it does when the disk is full.
                raise
            job.fault = explain(self._path, fault)


def _begin(books: Books, *, writes: bool) -> None:
    # Readers do not wait for another process's write, nor for a disk to be writable.
    books.connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    if writes:
        books.seen.begin()
    for payment_id in books.claims.unsure if writes else ():
        books.release(payment_id)


def _answer(jobs: Iterable[_Job]) -> None:
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.future.get_loop()].append(job)
    for share in by_loop.values():
        _call(share[0].future, _settle, share)


def _call(future: asyncio.Future[Any], function: Callable[[Any], None], value: Any) -> None:
    """Call it in the future's loop. If that is closed, nobody waits there any more."""
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(function, value)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue  # its caller was cancelled
        if job.fault is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.fault)
