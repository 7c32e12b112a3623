"""Who asks the chain for a payment, where several processes share the books: counted at the chain.

A payment is under way from its presentation until the seller is let answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sidecar.http import HttpRequest, Upstream
from sidecar.ledger.model import PaymentState
from tests.world.seller import RPC_URL, FakeReply, InMemorySeller, Step
from tests.world.shop import Process, World
from tests.world.stores import Store

BODY = b'{"model":"m","messages":[]}'


class SlowSeller:
    """A seller that has been paid, and answers once it is let; ``asked``: looks at its chain."""

    def __init__(self, seller: InMemorySeller) -> None:
        self._seller = seller
        self.paid = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.asked = 0

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> FakeReply:
        self.asked += request.url == RPC_URL and b"eth_call" in request.body
        before = len(self._seller.presented())
        reply = await self._seller.send(request, wait_s=wait_s, body=body)
        if len(self._seller.presented()) > before:
            self.paid.set()
            await self.may_answer.wait()
        return reply


def slow(world: World) -> SlowSeller:
    """The same world with a seller that is slow."""
    seller = SlowSeller(world.seller)
    upstream: Upstream = seller
    world.upstream = upstream
    return seller


async def looks(seller: SlowSeller, process: Process) -> int:
    """How often the chain is asked for a payment in one pass."""
    before = seller.asked
    await process.recovery.run_once()
    return seller.asked - before


async def test_under_way(store: Store) -> None:
    """What one process is being served with, another does not ask for; it does so itself."""
    world = World(store)
    seller = slow(world)
    async with world.process() as one, world.process() as two:
        calling = asyncio.create_task(one.call(BODY))
        await seller.paid.wait()
        theirs = await looks(seller, two)
        (before,) = await two.ledger.in_doubt()
        ours = await looks(seller, one)
        seller.may_answer.set()
        served = await calling

    assert (0, PaymentState.AUTHORIZED) == (theirs, before.state)
    assert 0 < ours
    assert (200, 1) == (served.status, world.seller.settled(BODY))


async def test_expired_under_way(store: Store) -> None:
    """What one says to serve for longer than it may be paid, others ask for too."""
    world = World(store)
    seller = slow(world)
    async with world.process() as one, world.process() as two:
        calling = asyncio.create_task(one.call(BODY))
        await seller.paid.wait()
        world.clock.advance(1_000)
        theirs = await looks(seller, two)
        (row,) = await two.ledger.payments(None, 10)
        seller.may_answer.set()
        await calling

    assert 0 < theirs
    assert PaymentState.POSTED is row.state


async def test_let_go_of(store: Store) -> None:
    """What is in doubt with nobody connected is anybody's to ask for, while its maker lives."""
    world = World(store)
    seller = slow(world)
    seller.may_answer.set()
    world.seller.steps.extend([Step("hang")] * 3)
    async with world.process() as one, world.process() as two:
        await one.call(BODY)
        theirs = await looks(seller, two)
        (row,) = await two.ledger.payments(None, 10)

    assert 0 < theirs
    assert PaymentState.POSTED is row.state
