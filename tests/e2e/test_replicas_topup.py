"""Many calls at once over four replicas, and one empty prepaid account: one top-up for all.

Counted at the vendor. How soon those wake who wait on another replica is measured and printed
(pytest -s), by the one clock of this machine: from the moment that the ledger has the top-up
delivered at to the moment when the vendor has served the first call that each of the others sent
on; first with one call on each replica, which shows the waking, and then with all of them at once,
which shows how much two cores can serve. SIDECAR_REPLICAS_WAITERS=1000 makes that so many.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.model import PaymentState
from sidecar.money import Usdc
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.sandbox.vendors.accounts import Charged
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import VendorOptions, VeniceOptions
from sidecar.wallets.evm import EvmWallet
from tests.e2e.replica_apps import Apps, Call
from tests.world.pgbouncer import PgBouncer
from tests.world.postgres import PostgresServer
from tests.world.replicas import VENICE, Shop, fleet
from tests.world.running import KEY
from tests.world.stores import PostgresStore, Store, audited

REPLICAS = 4
CALLS = int(os.environ.get("SIDECAR_REPLICAS_WAITERS", "100"))
QUIET_ROUNDS = 4
TEN = Usdc(10_000_000)
NOTHING = Decimal(0)
MILLISECOND = timedelta(milliseconds=1)
# A vendor that serves as many at once as there are, and lets them top up as often as they like.
GENEROUS = VeniceOptions(
    in_flight_max=100_000, top_ups_per_minute=100_000, balance_readings_per_minute=100_000
)


def calls_of(round_number: int, count: int) -> list[Call]:
    """What the round's apps ask for; the model tells the vendor which replica they ask."""
    first = round_number * CALLS
    return [Call(n, f"replica-{n % REPLICAS}") for n in range(first, first + count)]


def wakes(charges: Sequence[Charged], delivered_at: datetime) -> list[float]:
    """Milliseconds from the delivery to the first call of each other replica."""
    winner = min(charges, key=lambda one: one.at).model
    firsts: dict[str, float] = {}
    for one in charges:
        if one.model != winner and one.at >= delivered_at:
            firsts.setdefault(one.model, (one.at - delivered_at) / MILLISECOND)
    return list(firsts.values())


async def one_top_up(folder: Path, store: Store, rounds: Sequence[int]) -> None:
    """Once for each round an empty account, and so many who ask at once."""
    options = SandboxOptions(vendors=VendorOptions(venice=GENEROUS))
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    account = sandbox.vendors.venice.account(EvmWallet(bytes.fromhex(KEY[2:])).address)
    woken: dict[int, list[float]] = {}
    statuses: list[int] = []
    try:
        shop = Shop(sandbox.url, sandbox.rpc_url, "100.00 USDC", VENICE)
        async with fleet(folder, store, shop, REPLICAS) as replicas:
            for number, count in enumerate(rounds):
                before = len(account.charges)
                # Every call is refused and waits before there is any credit.
                sandbox.vendors.conduct.add(
                    "venice", Misdeed.TOP_UP_SLOW, seconds=0.5 + count / 250
                )
                async with Apps(replicas, count) as apps:
                    heard = await apps.all_of(calls_of(number, count))
                statuses += [one.status for one in heard]

                assert number + 1 == len(account.top_ups)
                async with audited(store) as ledger:
                    newest, *_ = await ledger.payments(None, 10)
                assert newest.delivered_at is not None
                woken.setdefault(count, []).extend(
                    wakes(account.charges[before:], newest.delivered_at)
                )
                account.balance = NOTHING
            said = [replica.said() for replica in replicas]
        async with audited(store) as ledger:
            rows = await ledger.payments(None, 100)
        moved = sandbox.books.settled_total
    finally:
        await sandbox.stop()
    for count, spans in woken.items():
        print(
            f"\n{count} calls at once: another replica's first was served {median(spans):.0f} ms "
            f"after the delivery (median of {len(spans)})"
        )

    assert [200] * sum(rounds) == statuses
    assert len(rounds) * TEN.atomic == moved.atomic
    assert [(PaymentState.POSTED, TEN)] * len(rounds) == [(row.state, row.amount) for row in rows]
    assert [""] * REPLICAS == said


async def test_one_top_up(tmp_path: Path, store: Store) -> None:
    """However many ask at once, and wherever: one top-up at the vendor, and all are served."""
    await one_top_up(tmp_path, store, [REPLICAS] * QUIET_ROUNDS + [CALLS])


async def test_nobody_rings(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    """Behind a pooler, which swallows what wakes the waiters, it is the same, and only slower."""
    with PgBouncer(postgres) as pool:
        await one_top_up(tmp_path, PostgresStore(pool.url(database)), [CALLS])
