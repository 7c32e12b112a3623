"""What a Postgres server did between two moments: transactions, log, CPU, and its waits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.machine import Tree

LOOK_EVERY_S = 0.05
_BUSY = """
SELECT coalesce(wait_event_type || ': ' || wait_event, 'running') FROM pg_stat_activity
WHERE datname = %s AND state IN ('active', 'idle in transaction')
"""
# The server's own count of transactions comes up to ten seconds late.
_COUNTED = """
SELECT coalesce(sum(calls), 0)::bigint,
  coalesce(sum(calls) FILTER (WHERE query ~* '^(COMMIT|ROLLBACK$)'), 0)::bigint,
  (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)
"""


@dataclass(slots=True)
class Work:
    """What one server did for one database."""

    transactions: int = 0
    log_bytes: int = 0
    cpu_s: float = 0.0
    statements: int = 0
    states: Counter[str] = field(default_factory=Counter)  # of connections in a transaction


class Server:
    """A server, looked at by a superuser from another database than the one that is worked in."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        ((own,),) = self._connection.execute("SELECT pg_backend_pid()").fetchall()
        status = Path(f"/proc/{own}/stat").read_text().rpartition(")")[2]
        self._own, self._tree = Tree(own), Tree(int(status.split()[1]))

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def watched(self, database: str) -> Iterator[Work]:
        """The work of the block in this database; whole once the block has ended.

        CPU is taken while it lasts, for a backend that has ended takes its own along.
        """
        work, over = Work(), threading.Event()
        before = self._counts(database)
        cpu_s = self._cpu_s()

        def look() -> None:
            while not over.wait(LOOK_EVERY_S):
                work.cpu_s = max(work.cpu_s, self._cpu_s() - cpu_s)
                found = self._connection.execute(_BUSY, (database,))
                work.states.update(str(state) for (state,) in found)

        looks = threading.Thread(target=look)
        looks.start()
        try:
            yield work
        finally:
            over.set()
            looks.join()
        work.cpu_s = max(work.cpu_s, self._cpu_s() - cpu_s)
        work.statements, work.transactions, work.log_bytes = (
            now - then for now, then in zip(self._counts(database), before, strict=True)
        )

    def _cpu_s(self) -> float:
        return self._tree.use().cpu_s - self._own.use().cpu_s

    def _counts(self, database: str) -> tuple[int, int, int]:
        (found,) = self._connection.execute(_COUNTED, (database,)).fetchall()
        statements, transactions, log_bytes = map(int, found)
        return statements, transactions, log_bytes
