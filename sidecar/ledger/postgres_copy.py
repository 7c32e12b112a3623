"""A ledger's file, copied into an empty schema of Postgres: every row, or none.

It is one transaction. Before its COMMIT all that was written is read again and held against the
source: the number of rows, the sums of the money, and every row, column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from sidecar.errors import LedgerError
from sidecar.ledger.postgres_desk import PostgresDesk
from sidecar.ledger.postgres_faults import FAULTS, explain
from sidecar.ledger.postgres_transactions import WAIT_S
from sidecar.ledger.sqlite_source import SUMS, TABLES, Source, source
from sidecar.money import Usdc
from sidecar.values import dataclass

FETCHED_AT_ONCE = 5_000

_NAMES = {"freeze": "frozen"}  # tables that are called otherwise here
_NUMBERED = ("payments", "events")
_TEXTS = frozenset({"budget", "route", "purpose", "network", "place"})


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: rows by table, and what the payments come to, by their state."""

    rows: Mapping[str, int]
    amounts: Mapping[str, Usdc]


def copy(path: Path, url: str, schema: str) -> Copied:
    """Copy the ledger in this file; the schema is made, and may not hold a row.

    LedgerError: one of the two cannot be used, or the copy differs. Nothing was copied then.
    """
    desk = PostgresDesk(url, schema)
    desk.migrate()
    # What speaks against this server is told before anything is in it.
    desk.standing()
    try:
        with psycopg.connect(
            url, connect_timeout=int(WAIT_S), prepare_threshold=None
        ) as connection:
            copying = _Copying(connection, desk.place)
            copying.begin(schema)
            # Its last look at the source comes before the COMMIT.
            with source(path) as found:
                return copying.copy(found)
    except FAULTS as fault:
        raise explain(desk.place, fault) from fault


class _Copying:
    def __init__(self, connection: Connection[TupleRow], place: str) -> None:
        self._connection = connection
        self._place = place

    def begin(self, schema: str) -> None:
        """Whoever else comes waits until the copy is there, or is not."""
        ask = self._connection.execute
        ask(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
        ask(sql.SQL("SET LOCAL lock_timeout TO {}").format(f"{WAIT_S:g}s"))
        names = sql.SQL(", ").join(map(_named, TABLES))
        ask(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(names))
        for table in TABLES:
            if self._count(table):
                raise LedgerError(
                    f"ledger {self._place}: it has rows already ({table}); copy into an empty one"
                )

    def copy(self, found: Source) -> Copied:
        rows = {table: self._fill(found, table) for table in TABLES}
        for table in _NUMBERED:
            self._connection.execute(
                sql.SQL(
                    "SELECT setval(pg_get_serial_sequence({}, 'seq'), max(seq)) FROM {}"
                ).format(table, _named(table))
            )
        sums = [(state, count, int(amount)) for state, count, amount in self._ask(SUMS)]
        self._require(found.sums() == sums, "the sums of the payments differ")
        for table, count in rows.items():
            self._compare(found, table, count)
        return Copied(rows, {state: Usdc(amount) for state, _, amount in sums})

    def _fill(self, found: Source, table: str) -> int:
        columns = sql.SQL(", ").join(map(sql.Identifier, found.columns(table)))
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(_named(table), columns)
        count = 0
        with self._connection.cursor() as cursor, cursor.copy(into) as rows:
            for row in found.rows(table):
                rows.write_row(row)
                count += 1
        return count

    def _compare(self, found: Source, table: str, count: int) -> None:
        self._require(count == self._count(table), f"the number of rows of {table} differs")
        pairs = zip_longest(found.rows(table), self._rows(found, table))
        for number, (theirs, ours) in enumerate(pairs, start=1):
            self._require(theirs == ours, f"row {number} of {table} differs")

    def _rows(self, found: Source, table: str) -> Iterator[tuple[Any, ...]]:
        """What is here, in the columns and the order of the source."""
        asked = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
            sql.SQL(", ").join(map(sql.Identifier, found.columns(table))),
            _named(table),
            sql.SQL(", ").join(map(_in_order, TABLES[table])),
        )
        with self._connection.cursor(name="copied") as cursor:
            cursor.itersize = FETCHED_AT_ONCE
            yield from cursor.execute(asked)

    def _count(self, table: str) -> int:
        ((count,),) = self._connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(_named(table))
        )
        return int(count)

    def _ask(self, text: str) -> list[TupleRow]:
        return self._connection.execute(text.encode()).fetchall()

    def _require(self, agrees: bool, what: str) -> None:
        if not agrees:
            raise LedgerError(f"ledger {self._place}: {what} in the copy; nothing was copied")


def _named(table: str) -> sql.Identifier:
    return sql.Identifier(_NAMES.get(table, table))


def _in_order(column: str) -> sql.Composable:
    """As SQLite has it: texts by their bytes."""
    order = sql.Identifier(column)
    return sql.SQL('{} COLLATE "C"').format(order) if column in _TEXTS else order
