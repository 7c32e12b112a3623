"""Two sidecars with leases on one Postgres and one budget; one is killed while it pays.

Their apps send no Idempotency-Key, and each retries where it asked first. Counted at the seller:
no purchase is paid twice, the database's sums are what moved, and the budget is reached exactly.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.model import Budget, Window
from sidecar.ledger.postgres import PostgresLedger
from sidecar.money import Usdc
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.replicas import Replica, Shop, fleet
from tests.world.running import TOKEN
from tests.world.stores import PostgresStore

CALLS = 30  # at each replica
PRICE = Usdc(10_000)
ROOM = 40
BUDGET = Budget("all", Usdc(ROOM * PRICE.atomic), Window.TOTAL)
PATIENCE = 200
PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Leased(PostgresStore):
    """A database whose processes take slices of it."""

    @property
    def section(self) -> str:
        return "{postgres: {env: BOOKS, leases: {size: 0.05 USDC, lifetime_s: 5}}}"

    @property
    def environ(self) -> Mapping[str, str]:
        return {"BOOKS": self.url}


async def call(session: aiohttp.ClientSession, replica: Replica, number: int) -> int:
    """The last status of a call that is retried at the one replica while that is of use."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"model": "m", "messages": [{"role": "user", "content": f"{replica.port} {number}"}]}
    url = f"{replica.base_url}/chat/completions"
    for _ in range(PATIENCE):
        try:
            async with session.post(url, json=body, headers=headers) as answer:
                await answer.read()
                if answer.headers.get("x-should-retry") != "true":
                    return answer.status
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(PAUSE_S)
    raise AssertionError(f"call {number} was never answered")


async def calls(replicas: list[Replica], numbers: range) -> Counter[int]:
    """All of these at each replica, a few at a time; how they ended."""
    async with aiohttp.ClientSession() as session:
        places = asyncio.Semaphore(8)

        async def one(replica: Replica, number: int) -> int:
            async with places:
                return await call(session, replica, number)

        ended = await asyncio.gather(
            *(one(replica, number) for number in numbers for replica in replicas)
        )
    return Counter(ended)


async def test_leases(tmp_path: Path, database: str) -> None:
    """A budget that machines spend by themselves is spent to the unit, whoever is killed."""
    options = SandboxOptions(replays_delivered=True, price=PRICE)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    try:
        shop = Shop(sandbox.url, sandbox.rpc_url, str(BUDGET.limit))
        async with fleet(tmp_path, Leased(database), shop, 2) as replicas:
            paying = asyncio.create_task(calls(replicas, range(CALLS)))
            while len(sandbox.books.settlements) < ROOM // 4:
                await asyncio.sleep(0.05)
            await replicas[0].kill()
            at_the_kill = len(sandbox.books.settlements)
            await replicas[0].start()
            await replicas[0].ready()
            first = await paying
            # Until nobody has room: what one gives back another takes.
            number = CALLS
            while len(sandbox.books.settlements) < ROOM:
                first += await calls(replicas, range(number, number := number + 3))
            last = await calls(replicas, range(number, number + 2))
        ledger = await PostgresLedger.open(database, "auditor")
        (use,) = await ledger.budgets([BUDGET], SystemClock().now())
        await ledger.close()
        moved = sandbox.books.settlements
    finally:
        await sandbox.stop()

    assert at_the_kill < ROOM
    assert {200, 402} == {*first, *last}
    assert {402: 4} == last
    assert ROOM == len({one.body_sha256 for one in moved}) == len(moved)
    assert (0, BUDGET.limit) == (use.reserved.atomic, use.spent)
    assert all((tmp_path / f"replica-{n}" / "state" / "leased.db").exists() for n in range(2))
