"""A ledger file is private, durable, and known as one; and what its faults say to a person."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_schema
from sidecar.ledger.sqlite import SqliteLedger, open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_file import (
    connect,
    explain,
    explained,
    harden,
    make,
    refuse_weaker,
    require_library,
)
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import intent

WAIT_S = 0.05


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is, or will be."""
    return tmp_path / "ledger.db"


@pytest.fixture
def books(path: Path) -> Iterator[Books]:
    """An open ledger."""
    opened = open_books(path, "one", WAIT_S)
    yield opened
    opened.leave()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def fill(path: Path, payments: int) -> None:
    """A ledger with this many payments, closed in peace."""
    books = open_books(path, "earlier", WAIT_S)
    for n in range(payments):
        assert not isinstance(books.reserve(intent(f"p{n}", amount=0), NOON), Denied)
    books.leave()


def test_private(tmp_path: Path) -> None:
    """File 0600, also -wal and -shm; a directory that had to be made is for this user only."""
    path = tmp_path / "state" / "ledger.db"
    before = os.umask(0)
    try:
        books = open_books(path, "one", WAIT_S)
        assert not isinstance(books.reserve(intent("p1"), NOON), Denied)
    finally:
        os.umask(before)

    assert 0o700 == mode(path.parent)
    assert [0o600] * 3 == [mode(Path(f"{path}{end}")) for end in ("", "-wal", "-shm")]
    books.leave()


def test_made_private(path: Path) -> None:
    """A ledger that others could read is closed to them when it is opened."""
    first = open_books(path, "one", WAIT_S)
    files = [Path(f"{path}{end}") for end in ("", "-wal", "-shm")]
    for file in files:
        file.chmod(0o644)

    second = open_books(path, "two", WAIT_S)

    assert [0o600] * 3 == [mode(file) for file in files]
    second.leave()
    first.leave()


def test_durable_settings(books: Books) -> None:
    """SQLite: WAL, synchronous=FULL, foreign keys, and a bounded wait for locks."""
    settings = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")

    assert ["wal", 2, 1, 50] == [
        books.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in settings
    ]


@pytest.mark.parametrize("setting", ["synchronous = NORMAL", "synchronous = OFF"])
def test_weaker_synchronous(books: Books, path: Path, setting: str) -> None:
    """Refuse weaker settings: a commit must survive a power cut."""
    refuse_weaker(books.connection, path)
    books.connection.execute(f"PRAGMA {setting}")

    with pytest.raises(LedgerError, match="needs journal_mode=wal and synchronous=FULL"):
        refuse_weaker(books.connection, path)


def test_no_wal(path: Path) -> None:
    """A store that cannot keep a write-ahead log is refused."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        harden(connection)

        with pytest.raises(LedgerError, match="got journal_mode=memory"):
            refuse_weaker(connection, path)


def test_strict_integers(books: Books) -> None:
    """STRICT tables, integers only: money that is not a whole number is refused."""
    tables = books.connection.execute("SELECT name, strict FROM pragma_table_list").fetchall()
    ours = {name: strict for name, strict in map(tuple, tables) if "sqlite_" not in name}
    strict = ("payments", "windows", "events", "pins", "freeze", "probe")
    assert dict.fromkeys(strict, 1) | {"open_payments": 0} == ours

    for amount in (1.5, "1.5", "many", b"1", None):
        with pytest.raises(sqlite3.IntegrityError):
            books.connection.execute(
                "INSERT INTO windows (budget, starts_at, reserved, spent) VALUES ('a', 0, ?, 0)",
                (amount,),
            )


def test_events_are_append_only(books: Books) -> None:
    """Rows are append-only events behind the current state."""
    books.reserve(intent("p1"), NOON)

    with pytest.raises(sqlite3.IntegrityError, match="events are never changed"):
        books.connection.execute("UPDATE events SET at = 0")
    with pytest.raises(sqlite3.IntegrityError, match="events are never deleted"):
        books.connection.execute("DELETE FROM events")


def test_no_step_twice(books: Books) -> None:
    """A life has no step twice."""
    books.reserve(intent("p1"), NOON)

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        books.connection.execute(
            "INSERT INTO events (at, payment, kind, detail) VALUES (0, 1, 'reserved', '{}')"
        )


def test_one_open_payment(books: Books) -> None:
    """A partial unique index allows one open payment per purchase."""
    books.reserve(intent("p1", key="one call"), NOON)
    books.reserve(intent("p2", key="one call"), NOON)

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        books.connection.execute("UPDATE payments SET slot = 0")
    books.connection.execute("UPDATE payments SET delivered_at = 0, slot = 0 WHERE id = 'p1'")
    books.connection.execute("UPDATE payments SET slot = 0")


def test_explicit_has_one_slot(books: Books) -> None:
    """An explicit purchase never has a second place beside its first."""
    books.reserve(intent("p1", explicit=True), NOON)

    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        books.connection.execute("UPDATE payments SET slot = 1")


def test_made_again_after_a_crash(path: Path) -> None:
    """A file whose making was cut short, before it had tables, becomes a ledger."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")

    open_books(path, "one", WAIT_S).leave()

    assert () == SqliteLedger.read(path, None, 10)


def test_empty_file(path: Path) -> None:
    """A ledger that was cut to nothing is not taken for a new one."""
    fill(path, 1)
    os.truncate(path, 0)

    with pytest.raises(LedgerError, match="it is empty, so it was cut off or never finished"):
        open_books(path, "one", WAIT_S)


@pytest.mark.parametrize("pages", [1, 2, 5, 20])
def test_truncated_file(path: Path, pages: int) -> None:
    """A truncated file is damaged, and says so."""
    fill(path, 200)
    os.truncate(path, pages * 4096)

    with pytest.raises(LedgerError, match=f"ledger {path}: it is damaged"):
        open_books(path, "one", WAIT_S)


@pytest.mark.parametrize("page", [1, 3, 12, 20])
def test_corrupt_file(path: Path, page: int) -> None:
    """``quick_check`` at start: a file with a page of noise is not paid from."""
    fill(path, 200)
    with path.open("r+b") as file:
        file.seek(page * 4096)
        file.write(b"\xa5" * 4096)

    with pytest.raises(LedgerError, match=f"ledger {path}: it is damaged"):
        open_books(path, "one", WAIT_S)


def test_no_database(path: Path) -> None:
    """A file that is no database is left as it is."""
    path.write_text("version: 1\n" * 1000)

    with pytest.raises(LedgerError, match="it is not an SQLite database, so not a ledger"):
        open_books(path, "one", WAIT_S)

    assert "version: 1\n" * 1000 == path.read_text()


def test_other_program(path: Path) -> None:
    """The database of another program is refused, and left as it is."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()

    with pytest.raises(LedgerError, match="it is the database of another program"):
        open_books(path, "one", WAIT_S)
    with pytest.raises(LedgerError, match="it is the database of another program"):
        SqliteLedger.read(path, None, 10)

    assert before == path.read_bytes()


def test_newer_version(path: Path) -> None:
    """A newer version is refused with a clear error."""
    fill(path, 0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {sqlite_schema.VERSION + 1}")

    with pytest.raises(LedgerError, match="it has version 5, and this sidecar knows version 4"):
        open_books(path, "one", WAIT_S)
    with pytest.raises(LedgerError, match="run the sidecar that wrote it, or a newer one"):
        SqliteLedger.read(path, None, 10)


def test_directory(tmp_path: Path) -> None:
    """A directory is not a file."""
    with pytest.raises(LedgerError, match="it is a directory; name a file in it"):
        open_books(tmp_path, "one", WAIT_S)


def test_below_a_file(path: Path) -> None:
    """A path below a file cannot be made."""
    path.write_text("")

    with pytest.raises(LedgerError, match=f"Not a directory: {path}"):
        open_books(path / "deeper" / "ledger.db", "one", WAIT_S)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write anywhere, so where the tests run as root, somebody else goes on."""
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


def test_unwritable_directory() -> None:
    """A directory where this user may not write is named, with the reason."""
    # Not below tmp_path, whose parents nobody else may enter.
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)

        with as_nobody(), pytest.raises(LedgerError) as refused:
            open_books(folder / "ledger.db", "one", WAIT_S)

    assert f"ledger {folder}/ledger.db: Permission denied: {folder}" in str(refused.value)


def test_links(tmp_path: Path) -> None:
    """Two that open one file through a link find each other."""
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    first = open_books(tmp_path / "ledger.db", "one", WAIT_S)
    second = open_books(tmp_path / "link.db", "two", WAIT_S)

    assert first.instances.is_alive("two")
    assert second.instances.is_alive("one")
    second.leave()
    first.leave()


def test_reused_instance(path: Path) -> None:
    """An instance id is never used again: what its first owner held would seem alive."""
    first = open_books(path, "one", WAIT_S)
    first.reserve(intent("p1"), NOON)
    first.abandon()

    with pytest.raises(LedgerError, match="the instance id 'one' was used before"):
        open_books(path, "one", WAIT_S)
    second = open_books(path, "two", WAIT_S)

    assert not second.instances.is_alive("one")
    second.leave()


def test_old_library() -> None:
    """An SQLite without STRICT tables is named before it stumbles over them."""
    require_library((3, 37, 0))

    with pytest.raises(LedgerError, match=r"needs SQLite 3\.37\.0 or newer; this Python has 3\.34"):
        require_library((3, 34, 1))


def _busy(path: Path) -> None:
    with closing(connect(path, WAIT_S)) as one, closing(connect(path, WAIT_S)) as two:
        one.execute("BEGIN IMMEDIATE")
        two.execute("BEGIN IMMEDIATE")


def _full(path: Path) -> None:
    with closing(connect(path, WAIT_S)) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("CREATE TABLE more (a BLOB)")


def _read_only(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("UPDATE probe SET count = 1")


def _missing(path: Path) -> None:
    connect(path.with_name("missing.db"), WAIT_S)


def _forbidden(path: Path) -> None:
    with closing(connect(path, WAIT_S)) as connection:
        connection.execute("UPDATE probe SET count = NULL")


def _nonsense(path: Path) -> None:
    with closing(connect(path, WAIT_S)) as connection:
        connection.execute("NONSENSE")


def _closed(path: Path) -> None:
    connection = connect(path, WAIT_S)
    connection.close()
    connection.execute("SELECT 1")


def _denied(path: Path) -> None:
    make(path / "below")


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (_busy, "another process kept it locked for too long; see what has it open"),
        (_full, "the disk is full; make room on it"),
        (_read_only, "it is read-only; this user must be able to write the file and its directory"),
        (_missing, "it cannot be opened; its directory must exist, and this user must be able"),
        (_forbidden, r"a rule of the ledger forbids it \(NOT NULL constraint failed: probe.count"),
        (_nonsense, 'near "NONSENSE": syntax error'),
        (_closed, "Cannot operate on a closed database"),
        (_denied, "Not a directory: .*/below"),
    ],
)
def test_explained(path: Path, cause: Callable[[Path], None], sentence: str) -> None:
    """A fault of the store says which file, what is wrong, and what to do."""
    fill(path, 0)

    with pytest.raises(LedgerError, match=f"^ledger {path}: {sentence}"), explained(path):
        cause(path)


def test_not_explained(path: Path) -> None:
    """What is not the store's fault stays what it is."""
    bug = AssertionError("a bug")

    assert bug is explain(path, bug)
