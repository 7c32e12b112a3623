"""How far the ledger had come, as its instances saw it: written beside the file, not into it.

A write-ahead log that was removed or cut takes committed events with it, and SQLite opens what is
left as if nothing had been there. So each instance keeps a mark in its lock file: the number of
the last event that it knows to be committed, written after each commit and before anybody is
answered. It is not synced. It outlives kill -9, which is what leaves a log that somebody may take
for rubbish; it may fall behind in a power cut, and is never ahead of what the disk has.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sidecar.errors import LedgerError

_DIGITS = 19  # as many as an SQLite row number has at most
_LAST_EVENT = "SELECT coalesce(max(seq), 0) FROM events"
_HAS_EVENTS = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'events'"


def directory_of(ledger: Path) -> Path:
    """Where the lock files of this ledger's instances are."""
    return ledger.with_name(f"{ledger.name}.instances")


def last_event(connection: sqlite3.Connection) -> int:
    """The number of the newest event; 0 where there is none."""
    (newest,) = connection.execute(_LAST_EVENT).fetchone()
    return int(newest)


def write(lock_file: int, event: int) -> None:
    """Set the mark in this open lock file."""
    # Always as long, so that it takes its room on the disk once and is never half there.
    os.pwrite(lock_file, b"%0*d\n" % (_DIGITS, event), 0)


def read(ledger: Path) -> dict[Path, int]:
    """The mark in each lock file; none in one that was cut by a power failure, or never got one."""
    found = {}
    for file in sorted(directory_of(ledger).glob("*.lock")):
        try:
            written = file.read_bytes()
        except FileNotFoundError:
            continue  # its instance has just left
        if len(written) == _DIGITS + 1 and written[:_DIGITS].isdigit():
            found[file] = int(written)
    return found


def require_reached(
    connection: sqlite3.Connection | None, ledger: Path, marks: dict[Path, int]
) -> None:
    """LedgerError that names what is missing, and the ways out, when a mark is past the file's end.

    The marks are those of a moment before the connection looks: the living go on writing. No
    connection: there is no file, or it has nothing in it.
    """
    there = 0
    if connection is not None and connection.execute(_HAS_EVENTS).fetchone()[0]:
        there = last_event(connection)
    missed = {file: mark for file, mark in marks.items() if mark > there}
    if missed:
        raise LedgerError(
            f"ledger {ledger}: it is not whole: events {there + 1} to {max(missed.values())} were "
            f"committed and are not there, so payments may be missing. Put back {ledger}-wal if "
            "it was moved away, or a backup that has them. To go on without them, at the risk of "
            "paying again what they paid, stop whoever has it open and delete "
            f"{', '.join(map(str, missed))}"
        )
