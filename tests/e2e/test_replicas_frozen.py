"""A replica that stands still for longer than its lease, at a moment of a payment, and goes on.

The others take it for dead meanwhile: they drop what it had only set aside, and present again
what it had written down. Counted at the seller: the purchase is paid for once, whoever serves it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.model import Payment, PaymentState
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.e2e.replica_apps import Apps, Call, at_rest
from tests.world.postgres import PostgresServer
from tests.world.replicas import Replica, Shop, fleet
from tests.world.stores import PostgresStore, Store

LEASE_S = 2.0
WAIT_S = 60.0
LIVING = "SELECT count(*) FROM sidecar.instances WHERE expires_at > clock_timestamp()"
CALL = Call(1, "m")
PAID = (PaymentState.POSTED, True)
# What was only set aside is dropped, and the frozen one must never sign for it.
DROPPED = (PaymentState.VOIDED, False)
# The payments that there are in the end.
MOMENTS = {
    "after ledger.reserve": [DROPPED, PAID],
    "after ledger.authorize": [PAID],
    "before ledger.conclude": [PAID],
    "after ledger.conclude": [PAID],
}


async def until_frozen(replica: Replica) -> None:
    """Come back once it stands still."""
    assert replica.child is not None
    status = Path(f"/proc/{replica.child.pid}/stat")
    async with asyncio.timeout(WAIT_S):
        while status.read_text().rpartition(")")[2].split()[0] != "T":
            await asyncio.sleep(0.02)


async def until_given_up(postgres: PostgresServer, url: str, living: int) -> None:
    """Come back once the leases of all but so many have run out."""
    async with asyncio.timeout(WAIT_S):
        while postgres.execute(LIVING, url=url) != [(living,)]:
            await asyncio.sleep(0.05)


def end_of(rows: tuple[Payment, ...]) -> list[tuple[PaymentState, bool]]:
    """The state of each payment, the oldest first, and whether anything was signed for it."""
    return [(row.state, row.authorization is not None) for row in reversed(rows)]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_frozen(tmp_path: Path, postgres: PostgresServer, database: str, moment: str) -> None:
    """Whatever it was about to do: one transfer for the purchase, and nothing of it is lost."""
    store: Store = PostgresStore(database, lease_s=LEASE_S)
    # It will be asked for the answer twice.
    options = SandboxOptions(replays_delivered=True)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    try:
        shop = Shop(sandbox.url, sandbox.rpc_url, "1.00 USDC")
        async with fleet(tmp_path, store, shop, 2) as (cold, warm):
            await cold.stop()
            config = str(cold.folder / "sidecar.yaml")
            await cold.start("tests.world.mortal_sidecar", config, moment, "1", "freeze")
            await cold.ready()
            async with Apps([cold], 1) as first, Apps([warm], 1) as second:
                asked = asyncio.create_task(first.all_of([CALL]))
                await until_frozen(cold)
                await until_given_up(postgres, database, living=1)
                (served,) = await second.all_of([CALL])
                cold.thaw()
                (thawed,) = await asked
            rows = await at_rest(store)
        settled = [one.nonce for one in sandbox.books.settlements]
        seen = {one.nonce for one in sandbox.books.authorizations}
    finally:
        await sandbox.stop()

    assert (200, 200) == (served.status, thawed.status)
    assert 1 == len(settled)
    assert set(settled) == seen
    assert seen <= {row.authorization.identity for row in rows if row.authorization}
    assert MOMENTS[moment] == end_of(rows)
