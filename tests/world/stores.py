"""The stores that a ledger can be kept in, as tests open them and name them to processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg

from sidecar.ledger import Ledger
from sidecar.ledger.desk import Desk, SqliteDesk
from sidecar.ledger.postgres import LEASE_S, SCHEMA, PostgresLedger
from sidecar.ledger.postgres_desk import PostgresDesk
from sidecar.ledger.postgres_transactions import WAIT_S
from sidecar.ledger.sqlite import SqliteLedger

URL = "SIDECAR_LEDGER_URL"
_auditors = count(1)


class Store(Protocol):
    """Where the books are: any number of instances may open them."""

    @property
    def section(self) -> str:
        """The ``ledger`` section of a config that names it."""
        ...

    @property
    def environ(self) -> Mapping[str, str]:
        """What the environment of such a process needs."""
        ...

    async def open(self, instance: str) -> Ledger:
        """Come to it as this instance."""
        ...

    async def kill(self, ledger: Ledger, instance: str) -> None:
        """This instance dies, and everybody knows."""
        ...

    def desk(self) -> Desk:
        """The same, as a person comes to it."""
        ...

    def another(self, name: str) -> Store:
        """One of the same kind that nobody has used."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteStore:
    """One file on this machine."""

    path: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def section(self) -> str:
        return f"{{sqlite: {self.path}}}"

    async def open(self, instance: str) -> Ledger:
        return await SqliteLedger.open(self.path, instance)

    async def kill(self, ledger: Ledger, instance: str) -> None:
        assert isinstance(ledger, SqliteLedger)
        await ledger.abandon()

    def desk(self) -> Desk:
        return SqliteDesk(self.path)

    def another(self, name: str) -> Store:
        return SqliteStore(self.path.with_name(f"{name}.db"))


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """One schema of a database. Processes that go by its section use the usual one."""

    url: str
    schema: str = SCHEMA
    lease_s: float = LEASE_S  # of those processes
    wait_s: float = WAIT_S

    @property
    def section(self) -> str:
        return f"{{postgres: {{env: {URL}, lease_s: {self.lease_s:g}}}}}"

    @property
    def environ(self) -> Mapping[str, str]:
        return {URL: self.url}

    async def open(self, instance: str) -> Ledger:
        return await PostgresLedger.open(self.url, instance, schema=self.schema, wait_s=self.wait_s)

    async def kill(self, ledger: Ledger, instance: str) -> None:
        assert isinstance(ledger, PostgresLedger)
        await ledger.abandon()
        await end_lease(self.url, instance, self.schema)

    def desk(self) -> Desk:
        return PostgresDesk(self.url, self.schema)

    def another(self, name: str) -> Store:
        return replace(self, schema=f"{self.schema}_{name}")


class Opened:
    """A store as its instances come to it in one test, and the end of them all."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._opened: dict[Ledger, str] = {}

    async def open(self, instance: str) -> Ledger:
        """Come to it as this instance."""
        ledger = await self._store.open(instance)
        self._opened[ledger] = instance
        return ledger

    async def kill(self, ledger: Ledger) -> None:
        """Who opened it dies, and everybody knows."""
        await self._store.kill(ledger, self._opened[ledger])

    async def close(self) -> None:
        """All go in peace, the dead too."""
        for ledger in self._opened:
            await ledger.close()


async def end_lease(url: str, instance: str, schema: str = SCHEMA) -> None:
    """What the time would do to one who fell silent."""
    ended = f"UPDATE {schema}.instances SET expires_at = clock_timestamp() WHERE id = %s"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(ended.encode(), (instance,))


@asynccontextmanager
async def audited(store: Store) -> AsyncIterator[Ledger]:
    """The books as somebody sees them who only looks."""
    ledger = await store.open(f"auditor-{next(_auditors)}")
    try:
        yield ledger
    finally:
        await ledger.close()
