"""One thread, one commit for many, and what happens to them when it fails."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import Purchase
from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_instances import Instances
from sidecar.ledger.sqlite_writer import BATCH_MAX, QUEUED_MAX, Writer
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import authorization, intent

WAIT_S = 0.05


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def failures() -> list[str]:
    """What ``on_write_failure`` heard."""
    return []


@pytest.fixture
async def writer(path: Path, failures: list[str]) -> AsyncIterator[Writer]:
    """A writer that has opened its books."""
    made = Writer(path, lambda: open_books(path, "one", WAIT_S), failures.append)
    await made.start()
    yield made
    await made.close()


class Busy:
    """Work that keeps the thread from everything else until it is let go."""

    def __init__(self) -> None:
        self.begun, self.done = threading.Event(), threading.Event()

    def __call__(self, books: Books) -> None:
        self.begun.set()
        self.done.wait()


async def in_one_batch(
    writer: Writer, *works: Callable[[Books], Any], writes: bool = True
) -> list[asyncio.Task[Any]]:
    """All of this in one transaction: the thread is kept busy until all of it is queued."""
    busy = Busy()
    first = asyncio.create_task(writer.do(busy))
    await asyncio.to_thread(busy.begun.wait)
    tasks = [asyncio.create_task(writer.do(work, writes=writes)) for work in works]
    await asyncio.sleep(0)
    busy.done.set()
    await first
    return tasks


def add(books: Books) -> int:
    """Some work with a result."""
    books.connection.execute("UPDATE probe SET count = count + 1")
    return total(books)


def total(books: Books) -> int:
    """What the work came to."""
    value: int = books.connection.execute("SELECT count FROM probe").fetchone()[0]
    return value


def refuse(books: Books) -> Denied:
    """Work that changes something, and then refuses."""
    add(books)
    return Denied("budget", "no")


def break_a_rule(books: Books) -> None:
    """Work that changes something, and then breaks a rule of the tables."""
    add(books)
    books.connection.execute("UPDATE probe SET count = NULL")


def bug(books: Books) -> None:
    """Work that changes something, and then turns out to be wrong."""
    add(books)
    raise AssertionError("a bug")


def owe(books: Books) -> None:
    """Work whose fault comes out only at the commit: an event of a payment that is not there."""
    books.connection.execute("PRAGMA defer_foreign_keys = ON")
    books.connection.execute(
        "INSERT INTO events (at, payment, kind, detail) VALUES (0, 99, 'reserved', '{}')"
    )


def write_much(books: Books) -> None:
    """More than there is room for."""
    books.connection.execute("CREATE TABLE much (a BLOB)")
    books.connection.execute("INSERT INTO much VALUES (zeroblob(1000000))")


KEY = Purchase("key", explicit=False)


def in_doubt(books: Books) -> None:
    """A payment that was signed for."""
    books.reserve(intent("p", key="key"), NOON)
    books.authorize("p", authorization("p"), NOON)


def claim_and_fail_to_commit(books: Books) -> None:
    """A claim whose commit fails."""
    books.claim(KEY, NOON, NOON)
    owe(books)


def holder(books: Books) -> str | None:
    """Who holds the payment."""
    found: str | None = books.connection.execute("SELECT holder FROM payments").fetchone()[0]
    return found


@contextmanager
def failing_disk(path: Path) -> Iterator[None]:
    """No file of this process may grow past the size that the write-ahead log has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(f"{path}-wal"), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def outcomes(tasks: list[asyncio.Task[Any]]) -> list[str]:
    """The result of each, or what it raised, in words."""
    return [str(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]


async def test_group_commit(writer: Writer) -> None:
    """All that is queued is committed once."""
    statements: list[str] = []
    tasks = await in_one_batch(
        writer, lambda books: books.connection.set_trace_callback(statements.append), *[add] * 20
    )

    assert ["None", *map(str, range(1, 21))] == await outcomes(tasks)
    assert 1 == statements.count("COMMIT")
    assert 0 == statements.count("SAVEPOINT step")


async def test_done_once_more(writer: Writer) -> None:
    """Where a piece has to be undone, all is done once more, each piece in a savepoint."""
    statements: list[str] = []
    tasks = await in_one_batch(
        writer, lambda books: books.connection.set_trace_callback(statements.append), add, bug, add
    )

    assert ["None", "1", "a bug", "2"] == await outcomes(tasks)
    assert 1 == statements.count("COMMIT")
    assert 4 == statements.count("SAVEPOINT step")
    assert 2 == await writer.do(total)


async def test_refused_unchanged(writer: Writer) -> None:
    """A refusal that has changed nothing costs the others nothing."""
    statements: list[str] = []
    tasks = await in_one_batch(
        writer,
        lambda books: books.connection.set_trace_callback(statements.append),
        add,
        lambda books: Denied("budget", "no"),
        add,
    )

    assert [1, Denied("budget", "no"), 2] == (await asyncio.gather(*tasks))[1:]
    assert [] == [each for each in statements if each in ("SAVEPOINT step", "ROLLBACK")]


async def test_bounded_batch(writer: Writer) -> None:
    """A transaction takes only so many, and the next takes the rest."""
    statements: list[str] = []
    tasks = await in_one_batch(
        writer,
        lambda books: books.connection.set_trace_callback(statements.append),
        *[add] * (2 * BATCH_MAX),
    )

    await asyncio.gather(*tasks)
    assert 3 == statements.count("COMMIT")


async def test_answered_after_commit(writer: Writer, path: Path) -> None:
    """Only when it is committed does anybody get an answer."""
    await asyncio.gather(*await in_one_batch(writer, *[add] * 5))

    with closing(sqlite3.connect(path)) as other:
        assert (5,) == other.execute("SELECT count FROM probe").fetchone()


async def test_each_for_itself(writer: Writer, failures: list[str]) -> None:
    """Work that fails, or refuses, is undone alone; a bug reaches its caller as it is."""
    tasks = await in_one_batch(writer, add, break_a_rule, refuse, bug, add)

    first, broken, refused, wrong, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert (1, 2) == (first, last)
    assert isinstance(broken, LedgerError)
    assert "a rule of the ledger forbids it" in str(broken)
    assert Denied("budget", "no") == refused
    assert isinstance(wrong, AssertionError)
    assert 2 == await writer.do(total)
    assert [] == failures


async def test_alone(writer: Writer, failures: list[str]) -> None:
    """Work that came alone, and fails or refuses, leaves nothing behind; the next one works."""
    outcomes = [
        (await asyncio.gather(writer.do(work), return_exceptions=True))[0]
        for work in (break_a_rule, refuse, bug)
    ]

    assert [LedgerError, Denied, AssertionError] == [type(each) for each in outcomes]
    assert [] == failures
    assert 1 == await writer.do(add)


async def test_alone_takes_no_savepoint(writer: Writer) -> None:
    """Work that came alone has the transaction for itself."""
    statements: list[str] = []
    await writer.do(lambda books: books.connection.set_trace_callback(statements.append))
    await writer.do(add)

    assert "COMMIT" == statements[-1]
    assert [] == [each for each in statements if "SAVEPOINT" in each]


async def test_refused_beside_a_release(writer: Writer, path: Path) -> None:
    """Whoever is refused does not undo the release of what a failed commit may have claimed."""
    await writer.do(in_doubt)
    await writer.do(lambda books: books.release("p"))
    with pytest.raises(LedgerError):
        await writer.do(claim_and_fail_to_commit)
    # It failed, and was written all the same.
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE payments SET holder = 'one'")

    await writer.do(refuse)

    assert await writer.do(holder, writes=False) is None


async def test_commit_fails(writer: Writer, path: Path, failures: list[str]) -> None:
    """When the commit fails, everybody in it hears so, and nothing is half applied."""
    await writer.do(add)

    with failing_disk(path):
        said = await outcomes(await in_one_batch(writer, add, add, write_much))

    (sentence,) = set(said)
    assert sentence.startswith(f"ledger {path}: the disk failed (disk I/O error)")
    assert [sentence] == failures
    assert 1 == await writer.do(total)


async def test_commit_refused(writer: Writer, failures: list[str]) -> None:
    """A commit that is refused leaves no transaction behind: the next operation works."""
    said = await outcomes(await in_one_batch(writer, add, owe))

    assert 1 == len(set(said))
    assert "FOREIGN KEY constraint failed" in said[0]
    assert said[:1] == failures
    assert 1 == await writer.do(add)


async def test_recovers_with_the_disk(writer: Writer, path: Path) -> None:
    """The ledger recovers when the disk does: the next operation works."""
    await writer.do(add)
    with failing_disk(path), pytest.raises(LedgerError):
        await writer.do(write_much)

    await writer.do(write_much)

    assert 2 == await writer.do(add)


async def test_reads_with_a_failing_disk(writer: Writer, path: Path, failures: list[str]) -> None:
    """Questions are answered while the disk takes nothing."""
    await writer.do(add)

    with failing_disk(path):
        assert 1 == await writer.do(total, writes=False)

    assert [] == failures


async def test_disk_full(writer: Writer, path: Path, failures: list[str]) -> None:
    """A full disk ends the whole transaction, even for those whose work was done."""
    await writer.do(lambda books: books.connection.execute("PRAGMA max_page_count = 30"))

    said = await outcomes(await in_one_batch(writer, add, write_much, add))

    assert [f"ledger {path}: the disk is full; make room on it"] * 3 == said
    assert said[:1] == failures
    assert 1 == await writer.do(add)


async def test_locked(writer: Writer, path: Path, failures: list[str]) -> None:
    """Locked for too long: nothing is written; when the lock is gone, it goes on."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LedgerError) as refused:
            await writer.do(add)
        # Readers do not wait for another process's write.
        assert 0 == await writer.do(total, writes=False)

    locked = f"ledger {path}: another process kept it locked for too long; see what has it open"
    assert locked == str(refused.value)
    assert [locked] == failures
    assert 1 == await writer.do(add)


@pytest.mark.parametrize("replaced", [False, True])
async def test_file_gone(writer: Writer, path: Path, replaced: bool) -> None:
    """A file that was deleted or replaced under its feet takes no payment to nowhere."""
    moved = path.rename(path.with_name("moved.db"))
    if replaced:
        path.write_bytes(b"")

    with pytest.raises(LedgerError, match=r"was replaced|No such file"):
        await writer.do(add)

    moved.replace(path)
    assert 1 == await writer.do(add)


async def test_failed_reads_are_no_write_failures(
    writer: Writer, path: Path, failures: list[str]
) -> None:
    """A question that cannot be answered is not counted as a failed write."""
    moved = path.rename(path.with_name("moved.db"))

    with pytest.raises(LedgerError, match="No such file"):
        await writer.do(total, writes=False)

    moved.rename(path)
    assert [] == failures


async def test_cancelled(writer: Writer) -> None:
    """A caller who is cancelled breaks nothing; what it recorded has happened."""
    busy = Busy()
    first = asyncio.create_task(writer.do(busy))
    await asyncio.to_thread(busy.begun.wait)
    tasks = [asyncio.create_task(writer.do(add)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    busy.done.set()

    await first
    assert 1 == await tasks[0]
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert 3 == await tasks[2]


async def test_too_many(writer: Writer) -> None:
    """What waits for the disk is bounded."""
    busy = Busy()
    first = asyncio.create_task(writer.do(busy))
    await asyncio.to_thread(busy.begun.wait)
    tasks = [asyncio.create_task(writer.do(add)) for _ in range(QUEUED_MAX + 1)]
    await asyncio.sleep(0)
    busy.done.set()

    *done, late = await asyncio.gather(first, *tasks, return_exceptions=True)

    assert [None, *range(1, QUEUED_MAX + 1)] == done
    assert isinstance(late, LedgerError)
    assert f"{QUEUED_MAX} pieces of work wait for the disk" in str(late)


async def test_close_drains(path: Path, failures: list[str]) -> None:
    """Closing finishes what is queued; afterwards nothing is taken, and closing is harmless."""
    writer = Writer(path, lambda: open_books(path, "one", WAIT_S), failures.append)
    await writer.start()
    tasks = [asyncio.create_task(writer.do(add)) for _ in range(5)]
    await asyncio.sleep(0)

    await writer.close()

    assert [1, 2, 3, 4, 5] == [await task for task in tasks]
    with pytest.raises(LedgerError, match="it is closed"):
        await writer.do(add)
    await writer.close()
    await writer.abandon()
    assert [] == list(path.with_name("ledger.db.instances").iterdir())


async def test_cannot_let_go(path: Path, failures: list[str]) -> None:
    """Who closes hears what stood in the way, and the lock has fallen all the same."""
    writer = Writer(path, lambda: open_books(path, "one", WAIT_S), failures.append)
    await writer.start()
    lock = path.with_name("ledger.db.instances") / "one.lock"
    lock.unlink()
    lock.mkdir()

    with pytest.raises(LedgerError, match=f"Is a directory: {lock}"):
        await writer.close()

    assert not Instances(path, "two", WAIT_S).is_alive("one")


async def test_abandon(path: Path, failures: list[str]) -> None:
    """Let go of the file as a killed process does: what is queued is not written."""
    writer = Writer(path, lambda: open_books(path, "one", WAIT_S), failures.append)
    await writer.start()
    busy = Busy()
    first = asyncio.create_task(writer.do(busy))
    await asyncio.to_thread(busy.begun.wait)
    queued = asyncio.create_task(writer.do(add))
    leaving = asyncio.create_task(writer.abandon())
    await asyncio.sleep(0)
    busy.done.set()

    await leaving

    await first
    with pytest.raises(LedgerError, match="it was abandoned"):
        await queued
    with closing(sqlite3.connect(path)) as other:
        assert (0,) == other.execute("SELECT count FROM probe").fetchone()
    assert ["one.lock"] == [file.name for file in path.with_name("ledger.db.instances").iterdir()]


async def test_cannot_open(path: Path, failures: list[str]) -> None:
    """What opening the books raised, the opener hears."""
    path.write_text("not a ledger")
    writer = Writer(path, lambda: open_books(path, "one", WAIT_S), failures.append)

    with pytest.raises(LedgerError, match="not an SQLite database"):
        await writer.start()

    with pytest.raises(LedgerError, match="it is closed"):
        await writer.do(add)


async def test_opener_cancelled(path: Path, failures: list[str]) -> None:
    """An opener who is cancelled leaves nothing open behind."""
    writer = Writer(path, lambda: open_books(path, "one", 60), failures.append)
    with Instances(path, "first", WAIT_S).alone():
        opening = asyncio.create_task(writer.start())
        await asyncio.sleep(0)
        (thread,) = [each for each in threading.enumerate() if each.name == "ledger"]
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening

    await asyncio.to_thread(thread.join)

    assert path.exists()
    assert [] == list(path.with_name("ledger.db.instances").iterdir())


def test_other_loop(path: Path, failures: list[str]) -> None:
    """Each answer goes to the loop that waits for it; a loop that has gone is forgotten."""
    writer = Writer(path, lambda: open_books(path, "one", WAIT_S), failures.append)
    busy = Busy()

    async def ask_and_go() -> None:
        await writer.start()
        task = asyncio.ensure_future(writer.do(busy))
        await asyncio.to_thread(busy.begun.wait)
        task.cancel()

    async def ask() -> int:
        result = await writer.do(add)
        await writer.close()
        return result

    asyncio.run(ask_and_go())
    busy.done.set()
    assert 1 == asyncio.run(ask())
