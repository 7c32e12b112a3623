"""What one of everything costs a Postgres: counted by the server itself, on this machine, now."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import psycopg

from bench.distance import distant
from bench.growth import intent
from bench.paying import budgets_of, opened, pay, start
from bench.planning_model import Costs, Each
from bench.postgres import Server, Work
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment
from sidecar.ledger.postgres import PostgresLedger
from sidecar.ledger.slices import LeaseTerms
from sidecar.money import Usdc
from sidecar.x402.types import Authorization
from tests.world.postgres import PostgresServer, database_of

# Of these two distances, the nearer; both so far that nothing but the way takes time.
ROUND_TRIP_S = 0.04
COMMITS = 200
PAYMENTS = 400
RATE_S = 6.0
SLICE = 10  # payments, where exchanges are counted
LEASED_REPLICAS = 8
BEATS_S, BEAT_LEASE_S = 4.0, 0.15
LOOKS, OPEN = 40, 500
LISTENERS, RINGS = 100, 100
CHANNEL = "sidecar top-ups"
TERMS = LeaseTerms(Usdc(intent("any", ()).amount.atomic * SLICE), 600.0)


class Measured:
    """A server to measure on."""

    def __init__(self, postgres: PostgresServer, server: Server) -> None:
        self._postgres, self._server = postgres, server

    def costs(self) -> Costs:
        """All of them, one after the other."""
        look, full = (self._cost("postgres", LOOKS, _look, rows) for rows in (0, OPEN))
        near, far = (self._rate("shared", 8, each * ROUND_TRIP_S) for each in (1, 3))
        wake_cpu_s, connection_bytes = self._listeners()
        return Costs(
            payment=self._cost("postgres", PAYMENTS, _payments),
            exchange=self._cost("leased", PAYMENTS / SLICE, _payments),
            beat=self._beat(),
            look=look,
            row_cpu_s=max(0.0, full.cpu_s - look.cpu_s) / OPEN,
            wake_cpu_s=wake_cpu_s,
            connection_bytes=connection_bytes,
            round_trips=self._round_trips(),
            commit_s=self._commit_s(),
            hot_round_trips=(1 / far - 1 / near) / (2 * ROUND_TRIP_S),
            exchange_round_trips=self._exchange_round_trips(),
        )

    def _cost(
        self, store: str, many: float, job: Callable[[Ledger], Awaitable[None]], rows: int = 0
    ) -> Each:
        """What one costs of so many that ``job`` does, on open books with so many open payments."""

        async def whole(url: str, folder: str) -> Work:
            place = f"{url}={Path(folder) / 'slices.db'}" if store == "leased" else url
            async with opened(store, place, "one", TERMS) as ledger:
                for number in range(rows):
                    await _authorized(ledger, f"open-{number}")
                with self._server.watched(database_of(url)) as work:
                    await job(ledger)
            return work

        with self._postgres.database() as url, tempfile.TemporaryDirectory() as folder:
            work = asyncio.run(whole(url, folder))
        return Each(
            work.transactions / many,
            work.statements / many,
            work.log_bytes / many,
            work.cpu_s / many,
        )

    def _beat(self) -> Each:
        async def whole(url: str) -> Work:
            ledger = await PostgresLedger.open(url, "heart", lease_s=BEAT_LEASE_S)
            with self._server.watched(database_of(url)) as work:
                await asyncio.sleep(BEATS_S)
            await ledger.close()
            return work

        with self._postgres.database() as url:
            work = asyncio.run(whole(url))
        # As many as there were in truth: each is a transaction.
        many = work.transactions
        return Each(1.0, work.statements / many, work.log_bytes / many, work.cpu_s / many)

    def _rate(self, kind: str, payers: int, round_trip_s: float) -> float:
        """How many payments a second two replicas make at this distance."""
        said = self._said(kind, payers, 2, round_trip_s)
        return sum(each["payments"] for each in said) / max(each["lasted_s"] for each in said)

    def _round_trips(self) -> float:
        """By how much longer one payment takes where the database is further away."""
        near, far = (self._said("own", 1, 1, each)[0]["p50_ms"] for each in (0.0, ROUND_TRIP_S))
        return (far - near) / 1e3 / ROUND_TRIP_S

    def _exchange_round_trips(self) -> float:
        """For how many round trips an exchange keeps others from its window."""
        near, far = (self._exchange_rate(each * ROUND_TRIP_S) for each in (1, 3))
        return (1 / far - 1 / near) / (2 * ROUND_TRIP_S)

    def _exchange_rate(self, round_trip_s: float) -> float:
        """How many exchanges a second one budget takes, at this distance, from many replicas."""
        one = LeaseTerms(intent("any", ()).amount, TERMS.lifetime_s)

        async def replica(url: str, folder: Path, number: int) -> int:
            # A slice is one payment, so each reservation takes one more.
            place = f"{url}={folder / f'{number}.db'}"
            async with opened("leased", place, f"replica-{number}", one) as ledger:
                ends_at, made = time.monotonic() + RATE_S, 0
                while time.monotonic() < ends_at:
                    wanted = intent(f"{number}-{made}", budgets_of("shared", ""))
                    assert isinstance(await ledger.reserve(wanted, datetime.now(UTC)), Payment)
                    made += 1
            return made

        async def all_of(url: str, folder: Path) -> int:
            each = (replica(url, folder, number) for number in range(LEASED_REPLICAS))
            return sum(await asyncio.gather(*each))

        with (
            self._postgres.database() as url,
            distant(self._postgres.port, round_trip_s) as port,
            tempfile.TemporaryDirectory() as folder,
        ):
            # The tables are there before anybody is far away.
            asyncio.run(_nothing(url))
            place = url.replace(f":{self._postgres.port}/", f":{port}/")
            return asyncio.run(all_of(place, Path(folder))) / RATE_S

    def _said(
        self, kind: str, payers: int, replicas: int, round_trip_s: float
    ) -> list[dict[str, float]]:
        with self._postgres.database() as url, ExitStack() as stack:
            place = url
            if round_trip_s:
                port = stack.enter_context(distant(self._postgres.port, round_trip_s))
                place = url.replace(f":{self._postgres.port}/", f":{port}/")
            started = [
                start("postgres", place, f"replica-{n}", payers, RATE_S, kind)
                for n in range(replicas)
            ]
            for payer in started:
                assert payer.stdin is not None
                payer.stdin.write("\n")
                payer.stdin.flush()
            return [json.loads(payer.communicate()[0]) for payer in started]

    def _commit_s(self) -> float:
        """The shortest durable transaction, as fast as it is when nobody else uses the disk."""
        took = []
        with self._postgres.database() as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE counted (number integer)")
            connection.execute("INSERT INTO counted VALUES (0)")
            for _ in range(COMMITS):
                began = time.perf_counter()
                connection.execute("UPDATE counted SET number = number + 1")
                took.append(time.perf_counter() - began)
        return quantiles(took, n=10)[0]

    def _listeners(self) -> tuple[float, float]:
        """What one more connection that listens costs: CPU for each top-up, and memory."""
        with self._postgres.database() as url, ExitStack() as stack:
            alone = self._rung(url)
            pids = []
            for _ in range(LISTENERS):
                listener = stack.enter_context(psycopg.connect(url, autocommit=True))
                listener.execute(f'LISTEN "{CHANNEL}"')
                pids.append(listener.info.backend_pid)
            heard = self._rung(url)
            own = median(_private_bytes(pid) for pid in pids)
        return max(0.0, heard - alone) / LISTENERS, own

    def _rung(self, url: str) -> float:
        """CPU of the server for one ring."""
        with (
            psycopg.connect(url, autocommit=True) as ringer,
            self._server.watched(database_of(url)) as work,
        ):
            for number in range(RINGS):
                ringer.execute("SELECT pg_notify(%s, %s)", (CHANNEL, f"account {number}"))
        return work.cpu_s / RINGS


async def _nothing(url: str) -> None:
    async with opened("postgres", url, "maker"):
        pass


async def _look(ledger: Ledger) -> None:
    for _ in range(LOOKS):
        await ledger.orphaned()
        await ledger.in_doubt()
        await ledger.unconfirmed()
        await ledger.undelivered(datetime.now(UTC))


async def _payments(ledger: Ledger) -> None:
    for number in range(PAYMENTS):
        await pay(ledger, f"payment-{number}", budgets_of("own", "one"))


async def _authorized(ledger: Ledger, payment_id: str) -> None:
    now = datetime.now(UTC)
    wanted = intent(payment_id, budgets_of("own", "one"))
    assert isinstance(await ledger.reserve(wanted, now), Payment)
    signed = Authorization(wanted.network, payment_id, now + timedelta(minutes=2), {})
    assert await ledger.authorize(payment_id, signed, now) is None


def _private_bytes(pid: int) -> float:
    """The memory that only this process has."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("Private_"))
