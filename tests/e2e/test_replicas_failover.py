"""The primary of the ledger's server dies under load, and its synchronous standby takes over.

Replicas know both by one URL. Counted at the seller: no purchase is paid twice, and every
authorization that the seller ever saw is on the new primary. What needs no payment flows all the
while. How long it took until the next payment is printed (pytest -s).
SIDECAR_REPLICAS_FAILOVER=2000 makes so many calls, over four replicas.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import aiohttp

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.model import Payment, PaymentState
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.e2e.replica_apps import Apps, at_rest, calls_of, identities
from tests.world.postgres import PostgresServer, database_of, url_of
from tests.world.replicas import Replica, Shop, fleet
from tests.world.running import TOKEN
from tests.world.stores import PostgresStore

SHORT = 120
CALLS = int(os.environ.get("SIDECAR_REPLICAS_FAILOVER", str(SHORT)))
REPLICAS = 4 if CALLS > SHORT else 2
AT_ONCE = 12
# So many payments have been made when the primary dies.
BEFORE = CALLS // 3
WAIT_S = 120.0
CLOCK = SystemClock()


@dataclass
class Unpaid:
    """Somebody who asks each replica in turn for what is free, all the time."""

    replicas: Sequence[Replica]
    statuses: list[int] = field(default_factory=list)

    async def ask(self) -> None:
        """Until cancelled."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while True:
                for replica in self.replicas:
                    async with session.get(f"{replica.base_url}/models") as response:
                        await response.read()
                        self.statuses.append(response.status)
                await asyncio.sleep(0.05)


async def fail_over(
    primary: PostgresServer, standby: PostgresServer, sandbox: Sandbox
) -> tuple[datetime, datetime]:
    """Kill the one once enough is paid, and promote the other; when that was."""
    async with asyncio.timeout(WAIT_S):
        while len(sandbox.books.settlements) < BEFORE:
            await asyncio.sleep(0.02)
    await asyncio.to_thread(primary.kill)
    killed_at = CLOCK.now()
    await asyncio.to_thread(standby.promote)
    return killed_at, CLOCK.now()


def paid_again(rows: Sequence[Payment], killed_at: datetime) -> datetime:
    """When the first payment was known to have moved that was only begun after this."""
    return min(
        row.settled_at
        for row in rows
        if row.settled_at is not None
        and row.reserved_at > killed_at
        and row.state is PaymentState.POSTED
    )


async def test_failover(tmp_path: Path, own_postgres: PostgresServer) -> None:
    """Nothing is paid twice, no row is lost, and what needs no payment is served all the while."""
    name = database_of(own_postgres.fresh_database())
    standby = await asyncio.to_thread(own_postgres.standby)
    store = PostgresStore(url_of(own_postgres, standby, database=name))
    options = SandboxOptions(replays_delivered=True, hang_max_s=20, slow_head_s=6)
    sandbox = Sandbox(options, CLOCK, SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    try:
        shop = Shop(sandbox.url, sandbox.rpc_url, "50.00 USDC")
        async with fleet(tmp_path, store, shop, REPLICAS) as replicas:
            unpaid = Unpaid(replicas)
            asking = asyncio.create_task(unpaid.ask())
            failing = asyncio.create_task(fail_over(own_postgres, standby, sandbox))
            async with Apps(replicas, AT_ONCE) as apps:
                heard = await apps.all_of(calls_of(random.Random(7), CALLS))
            killed_at, promoted_at = await failing
            rows = await at_rest(store)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        moved = sandbox.books.settlements
        seen = {one.nonce for one in sandbox.books.authorizations}
    finally:
        await sandbox.stop()
    print(
        f"\npromoted {(promoted_at - killed_at).total_seconds():.2f} s after the kill, paid again "
        f"after {(paid_again(rows, killed_at) - killed_at).total_seconds():.2f} s; "
        f"{CALLS} calls, {len(moved)} payments, "
        f"{len(unpaid.statuses)} unpaid requests"
    )

    assert [200] * CALLS == [one.status for one in heard]
    assert 1 == max(Counter(one.body_sha256 for one in moved).values())
    assert seen <= identities(rows, *PaymentState)
    assert {one.nonce for one in moved} == identities(rows, PaymentState.POSTED)
    assert {200} == set(unpaid.statuses)
