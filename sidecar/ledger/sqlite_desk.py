"""What a person changes in a ledger file, beside whoever pays from it, or when nobody does.

Each change is one transaction of its own. Nobody who pays remembers pins or the freeze from one
payment to the next, so what is changed here holds from the next look on, in every process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sidecar.ledger import sqlite_file, sqlite_freeze, sqlite_pins
from sidecar.ledger.model import PayeePin
from sidecar.ledger.sqlite_instances import Instances

LOCK_WAIT_S = 5.0


def freeze(path: Path, at: datetime) -> datetime:
    """``Ledger.freeze``; the file is made if it is not there, so that the first run is frozen."""
    with _changing(path) as connection:
        return sqlite_freeze.freeze(connection, at)


def unfreeze(path: Path) -> datetime | None:
    """``Ledger.unfreeze``."""
    with _changing(path) as connection:
        return sqlite_freeze.unfreeze(connection)


def pins(path: Path) -> tuple[PayeePin, ...]:
    """``Ledger.pins``."""
    sqlite_file.require_library()
    with (
        sqlite_file.explained(path),
        closing(sqlite_file.read_only(path.resolve())) as connection,
    ):
        return sqlite_pins.pins(connection)


def forget_pins(path: Path, route: str) -> tuple[PayeePin, ...]:
    """``Ledger.forget_pins``."""
    with _changing(path) as connection:
        return sqlite_pins.forget(connection, route)


@contextmanager
def _changing(path: Path) -> Iterator[sqlite3.Connection]:
    sqlite_file.require_library()
    with sqlite_file.explained(path):
        file = path.resolve()
        sqlite_file.make_directory(file)
        # The pages and the books are not checked: a switch that stops paying must not wait, nor
        # fail where paying would.
        with Instances(file, "desk", LOCK_WAIT_S).alone():
            if not file.exists():
                sqlite_file.make(file)
            connection = sqlite_file.connect(file, LOCK_WAIT_S)
        with closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
