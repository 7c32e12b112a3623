"""One machine's leased ledgers over a centre: any number of processes, and a way to kill one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sidecar.ledger import Ledger
from sidecar.ledger.leased import LeasedLedger
from sidecar.ledger.postgres import PostgresLedger
from sidecar.ledger.slices import LeaseTerms, Slices
from sidecar.money import Usdc
from tests.world.fakes import FakeClock
from tests.world.sqlite_centre import SqliteCentre
from tests.world.stores import end_lease

TERMS = LeaseTerms(Usdc(10), 60.0)


class Centre(Protocol):
    """Where the caps are."""

    async def open(self, instance: str) -> tuple[Ledger, Slices]: ...

    async def kill(self, instance: str, ledger: Ledger) -> None: ...


class InPostgres:
    """A centre in this database."""

    def __init__(self, url: str, wait_s: float = 5.0) -> None:
        self._url = url
        self._wait_s = wait_s

    async def open(self, instance: str) -> tuple[Ledger, Slices]:
        ledger = await PostgresLedger.open(self._url, instance, wait_s=self._wait_s)
        return ledger, ledger.slices

    async def kill(self, instance: str, ledger: Ledger) -> None:
        assert isinstance(ledger, PostgresLedger)
        await ledger.abandon()
        await end_lease(self._url, instance)


class InSqlite:
    """A centre in a file of this folder; ``slices`` of each instance that came to it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "centre.db"
        self.slices: dict[str, SqliteCentre] = {}

    async def open(self, instance: str) -> tuple[Ledger, Slices]:
        centre = self.slices[instance] = await SqliteCentre.open(self._path, instance)
        return centre.ledger, centre

    async def kill(self, instance: str, ledger: Ledger) -> None:
        await self.slices[instance].ledger.abandon()


class LeasedStore:
    """Processes of one replica: they share a file, and with all replicas the centre."""

    def __init__(
        self,
        folder: Path,
        centre: Centre,
        terms: LeaseTerms = TERMS,
        clock: FakeClock | None = None,
        name: str = "leased",
    ) -> None:
        self._path = folder / f"{name}.db"
        self._centre = centre
        self._terms = terms
        self._clock = clock or FakeClock()
        self._opened: dict[LeasedLedger, tuple[str, Ledger]] = {}

    async def open(self, instance: str) -> LeasedLedger:
        ledger, slices = await self._centre.open(instance)
        leased = await LeasedLedger.open(
            ledger, slices, self._path, instance, self._terms, self._clock, lambda sentence: None
        )
        self._opened[leased] = instance, ledger
        return leased

    async def kill(self, ledger: Ledger) -> None:
        assert isinstance(ledger, LeasedLedger)
        await ledger.abandon()
        await self._centre.kill(*self._opened[ledger])

    async def close(self) -> None:
        for ledger in self._opened:
            await ledger.close()
