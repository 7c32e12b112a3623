"""Four replicas on one budget with room for a third of the calls, killed at random.

Counted at the seller and on its chain: no purchase is paid twice, nothing is paid over the
budget, and what the ledger has spent is what moved, to the unit. The seller misbehaves at one
call in five. SIDECAR_REPLICAS_CALLS=2500 makes so many calls for each replica, under a kill every
few seconds; SIDECAR_REPLICAS_SEED=N throws other dice.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.model import Budget, PaymentState, Window
from sidecar.money import Usdc
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.e2e.replica_apps import Apps, Heard, at_rest, calls_of, identities, killing
from tests.world.replicas import Replica, Shop, fleet
from tests.world.stores import Store, audited

REPLICAS = 4
SHORT = 60
CALLS = REPLICAS * int(os.environ.get("SIDECAR_REPLICAS_CALLS", str(SHORT)))
SEED = int(os.environ.get("SIDECAR_REPLICAS_SEED", "7"))
IS_LONG = CALLS > REPLICAS * SHORT
KILLS_MIN = 2
PAUSE_S = (1.0, 4.0) if IS_LONG else (0.5, 1.5)
AT_ONCE = 64 if IS_LONG else 24
PRICE = Usdc(10_000)
ROOM = CALLS * 3 // 10
BUDGET = Budget("all", Usdc(ROOM * PRICE.atomic), Window.TOTAL)


async def harried(replicas: Sequence[Replica]) -> tuple[list[Heard], list[int]]:
    """All calls, while replicas are killed; and which were."""
    dice, kills = random.Random(SEED), list[int]()
    async with Apps(replicas, AT_ONCE) as apps:
        killer = asyncio.create_task(killing(replicas, dice, PAUSE_S, kills))
        heard = await apps.all_of(calls_of(dice, CALLS))
        while len(kills) < KILLS_MIN:
            await asyncio.sleep(0.1)
        killer.cancel()
        with suppress(asyncio.CancelledError):
            await killer
        # The one that was killed last may not have been started again.
        for replica in replicas:
            if not replica.lives:
                await replica.start()
            await replica.ready()
        return heard, kills


async def test_budget(tmp_path: Path, store: Store) -> None:
    """Whoever is killed: spent is what moved, no purchase is paid twice, and no unit is over."""
    options = SandboxOptions(replays_delivered=True, price=PRICE, hang_max_s=20, slow_head_s=6)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    began_s = time.monotonic()
    try:
        shop = Shop(sandbox.url, sandbox.rpc_url, str(BUDGET.limit))
        async with fleet(tmp_path, store, shop, REPLICAS) as replicas:
            heard, kills = await harried(replicas)
            harried_s = time.monotonic() - began_s
            rows = await at_rest(store)
            first = len(sandbox.books.settlements)
            # What the dead had set aside is free again: all of the budget can be spent.
            async with Apps(replicas, AT_ONCE) as apps:
                again = await apps.all_of(one.call for one in heard if not one.served)
            rows = await at_rest(store)
            said = [replica.said() for replica in replicas]
        async with audited(store) as ledger:
            (use,) = await ledger.budgets([BUDGET], SystemClock().now())
        moved = sandbox.books.settlements
        seen = {one.nonce for one in sandbox.books.authorizations}
    finally:
        await sandbox.stop()
    ended = {one.call.number: one for one in [*heard, *again]}.values()
    posted = [row for row in rows if row.state is PaymentState.POSTED]
    statuses = Counter((one.status, one.code) for one in ended if not one.served)
    print(
        f"\n{CALLS} calls, {len(kills)} kills, {harried_s:.0f} s; {first} paid then, "
        f"{len(moved)} in the end of {ROOM}; not served: {dict(statuses)}; "
        f"signed {len(seen)}; voided {len(rows) - len(posted)}"
    )

    assert 0 == sum(n - 1 for n in Counter(one.body_sha256 for one in moved).values())
    assert {one.nonce for one in moved} == identities(rows, PaymentState.POSTED)
    assert sum(one.amount.atomic for one in moved) == sum(row.amount.atomic for row in posted)
    assert (0, BUDGET.limit) == (use.reserved.atomic, use.spent)
    assert seen <= identities(rows, *PaymentState)
    assert {one.body_sha256 for one in moved} >= {one.call.name for one in ended if one.served}
    assert {(402, "sidecar_budget")} == set(statuses)
    assert [""] * REPLICAS == said
