"""How far ledger and chain are apart: counted on the sandbox's chain and on a cluster in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.chains import SOLANA_DEVNET
from sidecar.http import HttpRequest
from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.money import ZERO, Usdc
from sidecar.payments import drift
from sidecar.payments.drift import SETTLING, SPAN_BLOCKS, DriftWatch, Spender
from sidecar.payments.events import DriftMeasured, Event
from sidecar.payments.outflows import SPANS_MAX, Mark
from sidecar.payments.prover import Chain
from sidecar.sandbox.chain import Transfer
from tests.unit.payments.test_evidence import Asked
from tests.unit.payments.test_outflows import ACCOUNT, WALLET, SolanaWorld
from tests.world.exchanges import answered
from tests.world.fakes import NOON, FakeClock
from tests.world.seller import ORIGIN, RPC_URL, FakeReply, Step
from tests.world.shop import NETWORK, Process, World

BODY = b'{"model":"m","messages":[]}'
HOUR_S = 3_600.0
# A payment has settled, and its end is final.
SETTLED_S = SETTLING.total_seconds() + 60
THIEF = "0x" + "99" * 20


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path / "ledger.db")
    # A chain with a past of two hours.
    world.clock.advance(2 * HOUR_S)
    return world


def watch(world: World, process: Process, *urls: str, interval_s: float = HOUR_S) -> DriftWatch:
    chains = {NETWORK: Chain(NETWORK, urls or (RPC_URL,), "finalized")}
    return DriftWatch(
        process.ledger, world.seller, chains, world.clock, process.events.append, interval_s
    )


def spender(process: Process) -> Spender:
    address = process.route().signer.address
    return Spender("main", NETWORK, address, address)


def steal(world: World, process: Process, amount: int, nonce: int = 9) -> None:
    """Somebody else has the key."""
    ends_at = int(world.clock.now().timestamp()) + 600
    transfer = Transfer(spender(process).address, THIEF, amount, 0, ends_at, f"0x{nonce:064x}")
    world.seller.chain.settle(transfer)


def told(process: Process) -> list[tuple[int, int]]:
    """Every measure: what is foreign, and what is missing."""
    measures = [event for event in process.events if isinstance(event, DriftMeasured)]
    return [(each.foreign.atomic, each.missing.atomic) for each in measures]


async def test_agrees(world: World) -> None:
    """Payments that left and are posted make no drift, however often one looks."""
    async with world.process() as process:
        watching = watch(world, process)
        for number in range(3):
            await process.call(BODY + b" " * number)
            world.clock.advance(SETTLED_S)
            await watching.look(spender(process))

    assert [(0, 0)] * 3 == told(process)


async def test_foreign(world: World) -> None:
    """What left and no payment explains is drift, once, and stays told."""
    async with world.process() as process:
        watching = watch(world, process)
        await process.call(BODY)
        steal(world, process, 777)
        world.clock.advance(SETTLED_S)
        await watching.look(spender(process))
        world.clock.advance(SETTLED_S)
        await watching.look(spender(process))

    assert [(777, 0)] * 2 == told(process)


async def test_another_config(world: World) -> None:
    """What was found under one config still counts under the next."""
    async with world.process() as process:
        watching = watch(world, process)
        await process.call(BODY)
        steal(world, process, 777)
        world.clock.advance(SETTLED_S)
        await watching.look(spender(process))
        watching.watch({NETWORK: Chain(NETWORK, (RPC_URL,), "safe")}, 60)
        world.clock.advance(SETTLED_S)
        await watching.look(spender(process))

    assert [(777, 0)] * 2 == told(process)


async def test_missing(world: World) -> None:
    """What a seller said it settled, and did not, is drift once it cannot be on its way."""
    world.seller.steps.append(Step(settles=False, receipt=False))
    async with world.process() as process:
        watching = watch(world, process)
        await watching.look(spender(process))
        world.clock.advance(60)
        await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)
        world.clock.advance(60)
        await watching.look(spender(process))
        world.clock.advance(SETTLED_S)
        await watching.look(spender(process))
        world.clock.advance(SETTLED_S)
        await watching.look(spender(process))

    assert PaymentState.POSTED is row.state
    assert [(0, 0), (0, 0), (0, row.amount.atomic), (0, row.amount.atomic)] == told(process)


async def test_in_doubt(world: World) -> None:
    """A payment in doubt explains what left."""
    world.seller.steps.extend([Step("hang")] + [Step("hang", settles=False)] * 2)
    async with world.process() as process:
        await process.call(BODY)
        world.clock.advance(SETTLED_S)
        await watch(world, process).look(spender(process))

    assert [(0, 0)] == told(process)


async def test_explained_once(world: World) -> None:
    """A payment that was seen to leave explains no second transfer like it, in a later look."""
    async with world.process() as process:
        watching = watch(world, process)
        await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)
        world.clock.advance(5)
        await watching.look(spender(process))
        ends_at = int(world.clock.now().timestamp()) + 600
        address = spender(process).address
        again = Transfer(address, row.pay_to, row.amount.atomic, 0, ends_at, f"0x{9:064x}")
        world.seller.chain.settle(again)
        world.clock.advance(5)
        await watching.look(spender(process))

    assert [(0, 0), (row.amount.atomic, 0)] == told(process)


@pytest.mark.parametrize("bad", [f"{ORIGIN}/nothing", "http://127.0.0.1:4020/rpc-of-another"])
async def test_unreadable(world: World, bad: str) -> None:
    """Where one endpoint of two cannot be read, nothing is told; later all of it is."""
    async with world.process() as process:
        steal(world, process, 777)
        world.clock.advance(SETTLED_S)
        more = await watch(world, process, RPC_URL, bad).look(spender(process))
        silent = told(process)
        await watch(world, process, RPC_URL, RPC_URL).look(spender(process))

    assert (False, []) == (more, silent)
    assert [(777, 0)] == told(process)


class Hiding:
    """An endpoint that does not tell of any transfer, beside one that does."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Any:
        hides = request.url.endswith("/hides")
        if hides and b"eth_getLogs" in request.body:
            return FakeReply(200, (), answered([]).body)
        asked = replace(request, url=RPC_URL)
        return await self.world.seller.send(asked, wait_s=wait_s, body=body)


async def test_disagreeing(world: World) -> None:
    """Two endpoints that do not tell the same are unknown: no value, and nothing is passed over."""
    async with world.process() as process:
        steal(world, process, 777)
        world.clock.advance(SETTLED_S)
        urls = (RPC_URL, f"{ORIGIN}/hides")
        chains = {NETWORK: Chain(NETWORK, urls, "finalized")}
        events: list[Event] = []
        two = DriftWatch(process.ledger, Hiding(world), chains, world.clock, events.append, HOUR_S)
        await two.look(spender(process))

    assert [] == events


async def test_bounded(world: World) -> None:
    """A look reads so many blocks at most; one that is behind says so, and goes on from there."""
    async with world.process() as process:
        watching = watch(world, process)
        await watching.look(spender(process))
        world.clock.advance(2 * SPANS_MAX * SPAN_BLOCKS)
        steal(world, process, 777)
        world.clock.advance(10)
        looks = [await watching.look(spender(process)) for _ in range(3)]

    assert [True, True, False] == looks
    assert [(0, 0), (0, 0), (0, 0), (777, 0)] == told(process)


async def test_too_many_payments(world: World) -> None:
    """With more payments than are looked at, nothing would be known for certain."""
    many = [replace(Asked().payment(), id=f"pay_{number}") for number in range(drift.PAYMENTS_MAX)]

    class Busy:
        async def payments(self, since: object, limit: int) -> list[Payment]:
            return many[:limit]

    async with world.process() as process:
        chains = {NETWORK: Chain(NETWORK, (RPC_URL,), "finalized")}
        events: list[Event] = []
        busy: Any = Busy()
        watching = DriftWatch(busy, world.seller, chains, world.clock, events.append, HOUR_S)
        await watching.look(spender(process))

    assert [] == events


async def test_started_lately(world: World) -> None:
    """A payment that may have left before the first look is not missed by it."""
    async with world.process() as process:
        await process.call(BODY)
        world.clock.advance(SETTLED_S)
        await watch(world, process, interval_s=SETTLED_S - 30).look(spender(process))

    assert [(0, 0)] == told(process)


async def test_run(world: World) -> None:
    """It looks on its interval, and after a second where it is behind."""
    async with world.process() as process:
        slept: list[float] = []

        class Clock(FakeClock):
            async def sleep(self, duration_s: float) -> None:
                slept.append(duration_s)
                await asyncio.sleep(0)

        chains = {NETWORK: Chain(NETWORK, (RPC_URL,), "finalized")}
        clock = Clock(world.clock.now())
        watching = DriftWatch(
            process.ledger, world.seller, chains, clock, process.events.append, 300
        )
        running = process.tasks.spawn("drift", watching.run([spender(process)]))
        while len(slept) < 2:
            await asyncio.sleep(0)
        world.clock.advance(2 * SPANS_MAX * SPAN_BLOCKS)
        while len(slept) < 8:
            await asyncio.sleep(0)
        running.cancel()

    assert [1.0, 300, 1.0, 1.0, 1.0] == slept[:5]
    assert 300 in slept[5:]


class Cluster(SolanaWorld):
    """``http.Upstream``: the history in memory, with a slot and a time for the newest block."""

    slot = 9_000

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Any:
        if b"getEpochInfo" in request.body:
            answer = answered({"absoluteSlot": self.slot, "blockHeight": 9_000})
        elif b"getBlockTime" in request.body:
            answer = answered(int(NOON.timestamp()))
        else:
            answer = self(request)
        return FakeReply(200, (), answer.body)


SOLANA_SPENDER = Spender("sol", SOLANA_DEVNET, WALLET.address, ACCOUNT)


def solana_watch(world: World, process: Process, cluster: Cluster) -> DriftWatch:
    chains = {SOLANA_DEVNET: Chain(SOLANA_DEVNET, ("https://solana.example",), "finalized")}
    return DriftWatch(
        process.ledger, cluster, chains, FakeClock(NOON), process.events.append, HOUR_S
    )


async def test_solana(world: World) -> None:
    """What left a Solana account is foreign, from an interval back to the newest final slot."""
    cluster = Cluster((5, -30, False), (10, -100, False), (20, 500, False), (4_000, -7, False))
    cluster.slot = 8_999
    async with world.process() as process:
        # A payment on another network explains nothing here.
        await process.call(BODY)
        watching = solana_watch(world, process, cluster)
        await watching.look(SOLANA_SPENDER)
        cluster.slot = 9_000
        await watching.look(SOLANA_SPENDER)

    assert [(100, 0), (130, 0)] == told(process)


async def test_rehearsed(world: World) -> None:
    """What was rehearsed was never signed: it explains nothing, and nothing of it is missing."""
    payment = Asked().payment()
    rehearsed = replace(payment, state=PaymentState.POSTED, proof=Proof("rehearsed"))
    watched = drift._Watched(Mark(0, 0), NOON - timedelta(hours=1))
    until = Mark(1, int((NOON + 2 * SETTLING).timestamp()))
    drift._add(watched, [rehearsed], [], until)

    assert (ZERO, ZERO) == (watched.foreign, watched.missing)


async def test_permit_is_not_missed(world: World) -> None:
    """What a Permit allows may be drawn later: it is not missed, and an exact payment is."""
    exact = replace(Asked().payment(), state=PaymentState.POSTED, proof=Proof("served"))
    watched = drift._Watched(Mark(0, 0), NOON - timedelta(hours=1))
    until = Mark(1, int((NOON + 2 * SETTLING).timestamp()))
    drift._add(watched, [exact, replace(exact, id="pay_2", scheme="upto")], [], until)

    assert (ZERO, Usdc(100)) == (watched.foreign, watched.missing)
