"""What the simulation has found, each as a test of its own."""

from __future__ import annotations

from pathlib import Path

from sidecar.payments.order import Undelivered
from sidecar.sandbox.options import SandboxOptions
from tests.world.seller import InMemorySeller
from tests.world.shop import World

BODY = b'{"model":"m"}'


async def test_named_again_at_a_seller_that_serves_once(tmp_path: Path) -> None:
    """A delivered purchase that its app names again is told of as paid, not as a ledger's fault."""
    world = World(tmp_path / "ledger.db")
    world.seller = InMemorySeller(world.clock, SandboxOptions(replays=False))
    async with world.process() as process:
        first = await process.call(BODY, idempotency_key="once")
        second = await process.call(BODY, idempotency_key="once")
        (row,) = await process.ledger.payments(None, 10)

    assert (200, 502) == (first.status, second.status)
    assert isinstance(second.outcome, Undelivered)
    assert row.delivered_at is not None
    assert row.closed_at is None
    assert 1 == world.seller.settled(BODY)
