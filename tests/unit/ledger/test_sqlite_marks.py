"""Marks: how far a ledger had come, in the lock files beside it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_marks
from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_file import require_whole
from sidecar.ledger.sqlite_instances import Instances
from sidecar.ledger.sqlite_writer import Writer
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import intent

WAIT_S = 0.05


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


def lock_of(path: Path, instance: str) -> Path:
    return sqlite_marks.directory_of(path) / f"{instance}.lock"


def marked(path: Path, **texts: str) -> None:
    """Lock files of the dead, with this in them."""
    sqlite_marks.directory_of(path).mkdir()
    for instance, text in texts.items():
        lock_of(path, instance).write_text(text)


async def test_after_each_commit(path: Path) -> None:
    """Whoever has an answer knows that the mark is there: it is the last committed event's."""
    writer = Writer(path, lambda: open_books(path, "one", WAIT_S), lambda sentence: None)
    await writer.start()
    seen = [sqlite_marks.read(path)]
    for n in range(2):
        await writer.do(partial(Books.reserve, intent=intent(f"p{n}"), at=NOON))
        seen.append(sqlite_marks.read(path))
    await writer.do(lambda books: None, writes=False)
    seen.append(sqlite_marks.read(path))
    refused = await writer.do(lambda books: books.reserve(intent("p3", amount=999), NOON))
    seen.append(sqlite_marks.read(path))
    await writer.close()

    assert isinstance(refused, Denied)
    assert [{lock_of(path, "one"): event} for event in (0, 1, 2, 2, 2)] == seen


def owe(books: Books) -> None:
    """An event of a payment that is not there: it is refused when it is committed."""
    books.connection.execute("PRAGMA defer_foreign_keys = ON")
    books.connection.execute(
        "INSERT INTO events (at, payment, kind, detail) VALUES (0, 99, 'reserved', '{}')"
    )


async def test_not_what_was_undone(path: Path) -> None:
    """A commit that failed leaves no mark."""
    writer = Writer(path, lambda: open_books(path, "one", WAIT_S), lambda sentence: None)
    await writer.start()
    with pytest.raises(LedgerError, match="FOREIGN KEY"):
        await writer.do(owe)

    assert {lock_of(path, "one"): 0} == sqlite_marks.read(path)
    await writer.close()


def test_unreadable_marks(path: Path) -> None:
    """What was cut by a power failure, or is empty, says nothing; the others do."""
    marked(path, cut="000000", empty="", nulls="\0" * 20, whole=f"{7:019}\n", word="x" * 20)

    assert {lock_of(path, "whole"): 7} == sqlite_marks.read(path)


def test_gone_while_looking(path: Path) -> None:
    """A lock file that is gone when it is read was left in peace."""
    marked(path)
    lock_of(path, "gone").symlink_to(path.with_name("nowhere"))

    assert {} == sqlite_marks.read(path)


def test_all_are_named(path: Path) -> None:
    """Every file that would have to be deleted is named, and no other."""
    marked(path, behind=f"{0:019}\n", one=f"{3:019}\n", two=f"{5:019}\n")

    with pytest.raises(LedgerError, match=r"events 1 to 5 were") as refused:
        require_whole(path)

    named = f"delete {lock_of(path, 'one')}, {lock_of(path, 'two')}"
    assert str(refused.value).endswith(named)


@pytest.mark.parametrize("present", [False, True])
def test_nothing_there(path: Path, present: bool) -> None:
    """An empty file is missed as one that is not there, and nothing is missed without a mark."""
    if present:
        path.write_bytes(b"")
    require_whole(path)
    marked(path, one=f"{3:019}\n")

    with pytest.raises(LedgerError, match=r"events 1 to 3 were"):
        require_whole(path)


def test_mark_of_the_dead_is_taken_over(path: Path) -> None:
    """Who clears away the marks of the dead has its own by then."""
    marked(path, dead=f"{3:019}\n")
    instances = Instances(path, "one", WAIT_S)
    with instances.alone():
        instances.join(3)

    assert {lock_of(path, "one"): 3} == sqlite_marks.read(path)
    instances.leave()


def test_own_id_of_a_dead_one(path: Path) -> None:
    """A file that a dead one of the same id left is taken over, mark and all."""
    marked(path, one=f"{3:019}\n")
    instances = Instances(path, "one", WAIT_S)
    with instances.alone():
        instances.join(5)

    assert {lock_of(path, "one"): 5} == sqlite_marks.read(path)
    instances.leave()


def test_kept_with_the_log(path: Path) -> None:
    """A mark outlives an end in peace for as long as the log has something, and no longer."""
    one, two = Instances(path, "one", WAIT_S), Instances(path, "two", WAIT_S)
    log = Path(f"{path}-wal")
    for instances in (one, two):
        with instances.alone():
            instances.join(4)
    log.write_bytes(b"frames")
    one.leave()
    os.truncate(log, 0)
    two.leave()

    assert {lock_of(path, "one"): 4} == sqlite_marks.read(path)
