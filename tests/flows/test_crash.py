"""The money path is killed before and after every port call; recovery and the retry follow."""

from __future__ import annotations

import pytest

from sidecar.ledger.model import PaymentState
from sidecar.payments.order import InDoubt
from tests.world.crash import CrashPlan, Killed
from tests.world.seller import InOnePiece, Step
from tests.world.shop import DAY, World
from tests.world.stores import Store

BODY = b'{"model":"m","messages":[]}'
TROUBLES = {
    "honest": [],
    "whole": [],
    "hang": [Step("hang")],
    "unsettled reset": [Step("reset", settles=False)],
    "402 after settling": [Step(status=402, receipt=False)],
    "cut": [Step("cut")],
}


def _world(store: Store, trouble: str, seed: str = "") -> World:
    world = World(store, seed=seed)
    world.seller.steps.extend(TROUBLES[trouble])
    if trouble == "whole":
        world.upstream = InOnePiece(world.seller)
    return world


async def _moments(store: Store, trouble: str) -> int:
    """How many moments there are to die at: counted in a run that lives."""
    world = _world(store.another("count"), trouble)
    plan = CrashPlan()
    async with world.process(plan) as process:
        await process.call(BODY)
    return len(plan.moments)


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("with_rpc", [True, False], ids=["rpc", "no rpc"])
async def test_killed_anywhere(store: Store, trouble: str, with_rpc: bool) -> None:
    """Wherever it dies: paid at most once, no row lost, the retry served or in doubt."""
    moments = await _moments(store, trouble)
    for moment in range(1, moments + 1):
        world = _world(store.another(f"{moment}"), trouble, str(moment))
        world.rpc_urls = world.rpc_urls if with_rpc else ()
        plan = CrashPlan(moment)
        async with world.process(plan) as process:
            with pytest.raises(Killed):
                await process.call(BODY)
        async with world.process() as process:
            await process.recovery.run_once()
            served = await process.call(BODY)
            if served.status == 0:  # cut again: an app tries again
                served = await process.call(BODY)
            await _check(world, process, plan.moments[-1])
            died_delivering = plan.moments[-1] in ("after ledger.deliver", "after ledger.conclude")
            assert (2 if died_delivering else 1) == world.seller.settled(BODY), plan.moments[-1]
            assert 200 == served.status or isinstance(served.outcome, InDoubt), plan.moments[-1]


async def _check(world: World, process, moment: str) -> None:  # type: ignore[no-untyped-def]  # a Process
    rows = await process.ledger.payments(None, 100)
    # S3: every authorization that left is on disk.
    written = {row.authorization.identity for row in rows if row.authorization}
    seen = {seen.nonce for seen in world.seller.books.authorizations}
    assert seen <= written, moment
    # S2 and S4: what the books count is what moved, or may move.
    moved = sum(settlement.amount.atomic for settlement in world.seller.books.settlements)
    (use,) = await process.ledger.budgets((DAY,), world.clock.now())
    assert moved <= use.spent.atomic + use.reserved.atomic <= DAY.limit.atomic, moment
    posted = sum(row.amount.atomic for row in rows if row.state is PaymentState.POSTED)
    assert posted == use.spent.atomic, moment
