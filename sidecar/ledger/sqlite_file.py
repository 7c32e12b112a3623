"""A ledger file: made, opened and recognised; and what its faults mean to a person.

A file is used only as WAL with ``synchronous=FULL``: with anything less, a payment that has left
could be missing after a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_marks, sqlite_schema

# What SQLite and the system raise; a text that has no bytes (half of a surrogate pair), and bytes
# that are no text, as where SQLite quotes what it found in a damaged file.
FAULTS = (sqlite3.Error, OSError, UnicodeError)

LIBRARY_MIN = (3, 37, 0)  # STRICT tables
_FULL = 2

_MEANINGS = {
    sqlite3.SQLITE_BUSY: "another process kept it locked for too long; see what has it open",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; its directory must exist, and this user "
    "must be able to write there",
    sqlite3.SQLITE_CONSTRAINT: "a rule of the ledger forbids it ({message})",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup",
    sqlite3.SQLITE_FULL: "the disk is full; make room on it",
    sqlite3.SQLITE_IOERR: "the disk failed ({message}); look at the disk and its quota",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database, so not a ledger; choose another path",
    sqlite3.SQLITE_READONLY: "it is read-only; this user must be able to write the file and "
    "its directory",
}


def explain(path: Path, fault: Exception) -> Exception:
    """The fault in a person's words: which file, what is wrong, what to do.

    A fault that is not the store's is a bug, or a LedgerError already: returned as it is.
    """
    match fault:
        case sqlite3.Error():
            # The low byte is the kind; the rest says which of its cases it was.
            kind = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            meaning = _MEANINGS.get(kind, "{message}").format(message=fault)
        case OSError():
            meaning = f"{fault.strerror}: {fault.filename}"
        case UnicodeEncodeError():
            meaning = f"a text cannot be stored ({fault.reason})"
        case UnicodeDecodeError():
            meaning = _MEANINGS[sqlite3.SQLITE_CORRUPT]
        case _:
            return fault
    return LedgerError(f"ledger {path}: {meaning}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite or the system raises inside leaves as a LedgerError."""
    try:
        yield
    except FAULTS as fault:
        raise explain(path, fault) from fault


def require_library(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse an SQLite that does not know STRICT tables."""
    if version < LIBRARY_MIN:
        needed, found = (".".join(map(str, parts)) for parts in (LIBRARY_MIN, version))
        raise LedgerError(f"the ledger needs SQLite {needed} or newer; this Python has {found}")


def make_directory(path: Path) -> None:
    """Make the directory of the file, for this user only."""
    if path.is_dir():
        raise LedgerError(f"ledger {path}: it is a directory; name a file in it")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def make(path: Path) -> None:
    """Make the file, or close an existing one to other users.

    An existing file is never opened here: closing it would drop the locks that SQLite holds on
    it for another ledger object of this process.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if path.stat().st_size == 0:
            raise LedgerError(
                f"ledger {path}: it is empty, so it was cut off or never finished; restore it "
                "from a backup, or delete it if it never held a payment"
            ) from None
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            with suppress(FileNotFoundError):
                file.chmod(0o600)
        return
    for directory in (path.parent, path.parent.parent):
        _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    """Make the names in it durable: a file without its name is lost."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path, lock_wait_s: float) -> sqlite3.Connection:
    """Open an existing file for writing; an empty database gets the tables of a ledger."""
    with ExitStack() as undo:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, timeout=lock_wait_s, isolation_level=None
        )
        undo.callback(connection.close)
        connection.row_factory = sqlite3.Row
        # Before anything is set: another program's database is left as it is.
        fresh = is_fresh(connection)
        if not fresh:
            recognise(connection, path)
        harden(connection)
        refuse_weaker(connection, path)
        if fresh:
            _create(connection)
        undo.pop_all()
    return connection


def read_only(path: Path) -> sqlite3.Connection:
    """Open a ledger to look at it, beside whoever is writing."""
    marks = sqlite_marks.read(path)
    with ExitStack() as undo:
        connection = reader(path)
        undo.callback(connection.close)
        # A list that lacks payments must not look like a whole one.
        sqlite_marks.require_reached(connection, path, marks)
        recognise(connection, path)
        undo.pop_all()
    return connection


def require_whole(path: Path) -> None:
    """LedgerError when events that were committed are not there any more, or the file is not."""
    marks = sqlite_marks.read(path)
    if not path.exists() or path.stat().st_size == 0:
        sqlite_marks.require_reached(None, path, marks)
        return
    with closing(reader(path)) as connection:
        sqlite_marks.require_reached(connection, path, marks)


def reader(path: Path) -> sqlite3.Connection:
    """Open whatever database this is, and never write to it, not even by closing it."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _pragma(connection: sqlite3.Connection, name: str) -> int | str:
    value: int | str = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def is_fresh(connection: sqlite3.Connection) -> bool:
    """Whether nobody has put anything into it yet."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return bool(tables == 0 and _pragma(connection, "application_id") == 0)


def recognise(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not a ledger, or is one that this sidecar does not understand."""
    if _pragma(connection, "application_id") != sqlite_schema.APPLICATION_ID:
        raise LedgerError(
            f"ledger {path}: it is the database of another program; choose another path"
        )
    version = _pragma(connection, "user_version")
    if version != sqlite_schema.VERSION:
        raise LedgerError(
            f"ledger {path}: it has version {version}, and this sidecar knows version "
            f"{sqlite_schema.VERSION}; run the sidecar that wrote it, or a newer one"
        )


def harden(connection: sqlite3.Connection) -> None:
    """Ask for durability and for the rules of the tables."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Where fsync leaves data in the drive's cache (macOS), this asks the drive too.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")


def refuse_weaker(connection: sqlite3.Connection, path: Path) -> None:
    """LedgerError unless a commit on this connection survives a power cut."""
    journal, synchronous = _pragma(connection, "journal_mode"), _pragma(connection, "synchronous")
    if journal != "wal" or synchronous != _FULL:
        raise LedgerError(
            f"ledger {path}: needs journal_mode=wal and synchronous=FULL, and got "
            f"journal_mode={journal} and synchronous={synchronous}; use a local disk"
        )


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in sqlite_schema.STATEMENTS:
        connection.execute(statement)
    connection.execute("COMMIT")


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """LedgerError when SQLite finds its own structures damaged."""
    with closing(connection.execute("PRAGMA quick_check(3)")) as found:
        said = [row[0] for row in found]
    if said != ["ok"]:
        raise LedgerError(f"ledger {path}: it is damaged ({'; '.join(said)}); restore a backup")


def probe(connection: sqlite3.Connection) -> None:
    """Write something that means nothing. sqlite3.Error where nothing can be written."""
    connection.execute("UPDATE probe SET count = count + 1")
