"""A ledger file that is copied from: read as of one moment, and left as it is.

It has to be whole, and nobody may have it open: what would be paid from it meanwhile, or
afterwards, would be missing in the copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_file
from sidecar.ledger.sqlite_audit import audit
from sidecar.ledger.sqlite_instances import Instances
from sidecar.values import dataclass

LOCK_WAIT_S = 5.0

# What a ledger is, and in which order its rows stand. The events follow the payments they are of.
TABLES: Mapping[str, tuple[str, ...]] = {
    "payments": ("seq",),
    "events": ("seq",),
    "windows": ("budget", "starts_at"),
    "pins": ("route", "purpose", "network", "place"),
    "freeze": ("id",),
}
SUMS = "SELECT state, count(*), sum(amount) FROM payments GROUP BY state ORDER BY state"

# Its rows mean nothing.
_PROBE = "probe"
_EVERY_TABLE = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


@dataclass(frozen=True, slots=True)
class Source:
    """One moment of a ledger file."""

    path: Path
    connection: sqlite3.Connection

    def columns(self, table: str) -> tuple[str, ...]:
        """What a row of this table has, in the order of ``rows``."""
        found = self.connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - of TABLES
        return tuple(name for name, *_ in found.description)

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        """Every row of this table."""
        order = ", ".join(TABLES[table])
        select = f"SELECT * FROM {table} ORDER BY {order}"  # noqa: S608 - names of our own table
        found = self.connection.execute(select)
        yield from map(tuple, found)

    def sums(self) -> list[tuple[Any, ...]]:
        """How many payments there are in each state, and what they come to."""
        return [*map(tuple, self.connection.execute(SUMS))]


@contextmanager
def source(path: Path) -> Iterator[Source]:
    """The ledger in this file, for as long as the block lasts; nobody comes to it meanwhile.

    LedgerError: there is none, it is damaged, or a sidecar has it open; and at the block's end
    where it was changed all the same, by a command that had come before.
    """
    sqlite_file.require_library()
    with sqlite_file.explained(path):
        file = path.resolve()
        if not file.exists():
            raise LedgerError(f"ledger {path}: there is none")
        instances = Instances(file, "copy", LOCK_WAIT_S)
        with instances.alone():
            living = instances.living()
            if living:
                raise LedgerError(
                    f"ledger {path}: sidecars have it open ({len(living)}); stop them first, so "
                    "that nothing is paid from it any more"
                )
            audit(file)
            with closing(sqlite_file.read_only(file)) as connection:
                before = _version(connection)
                connection.execute("BEGIN")
                _require_alone(connection, path)
                yield Source(path, connection)
                connection.execute("COMMIT")
                if _version(connection) != before:
                    raise LedgerError(f"ledger {path}: it was changed meanwhile; copy it again")


def _require_alone(connection: sqlite3.Connection, path: Path) -> None:
    """What else is in the file would be lost, such as slices of the budgets of other books."""
    names = {name for (name,) in connection.execute(_EVERY_TABLE)}
    others = sorted(names - {*TABLES, _PROBE})
    if others:
        raise LedgerError(
            f"ledger {path}: it has tables that no ledger of its own has ({', '.join(others)}): "
            "it spends slices of another ledger, which is the one to copy"
        )


def _version(connection: sqlite3.Connection) -> int:
    """A number that changes with each commit of somebody else."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)
