"""What one of several workers does by itself, and what it leaves to the one that leads."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sidecar.payments.events import ClockSkewMeasured, Event, WalletBalanceObserved
from sidecar.service import Ports
from sidecar.service.ports import Place
from tests.world.running import Running, running

WAIT_S = 30.0
FOLLOWS = Ports(place=Place(leads=False, has_admin=False))


async def heard(world: Running, kind: type[Event], count: int = 1) -> None:
    async with asyncio.timeout(WAIT_S):
        while sum(isinstance(event, kind) for event in world.events) < count:
            await asyncio.sleep(0.01)


async def test_every_worker_measures(tmp_path: Path) -> None:
    """Each worker measures its own clock again and again: it is what it signs by."""
    async with running(tmp_path, ports=FOLLOWS) as world:
        await heard(world, ClockSkewMeasured, 2)
        looked = [event for event in world.events if isinstance(event, WalletBalanceObserved)]

    assert [] == looked


async def test_leads_later(tmp_path: Path) -> None:
    """Who follows reads no balances; told to lead, it does from then on."""
    async with running(tmp_path, ports=FOLLOWS) as world:
        await heard(world, ClockSkewMeasured)
        before = sum(isinstance(event, WalletBalanceObserved) for event in world.events)
        world.service.lead()
        await heard(world, WalletBalanceObserved)

    assert 0 == before
