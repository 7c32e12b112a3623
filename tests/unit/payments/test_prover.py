"""Posting and voiding on proof; and the clock that a chain shows to be wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.ledger.model import PaymentState
from sidecar.payments.events import ClockSkewMeasured, PaymentConfirmed, PaymentPosted
from sidecar.payments.prover import Chain, Prover
from tests.world.fakes import FakeClock
from tests.world.seller import ORIGIN, RPC_URL, Step
from tests.world.shop import NETWORK, Process, World

BODY = b'{"model":"m","messages":[]}'


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ledger.db")


def prover(world: World, process: Process, *urls: str, clock: FakeClock | None = None) -> Prover:
    chains = {NETWORK: Chain(NETWORK, urls, "finalized")} if urls else {}
    return Prover(process.ledger, world.seller, chains, clock or world.clock, process.events.append)


async def in_doubt(world: World, process: Process, settles: bool) -> None:
    world.seller.steps.extend([Step("hang", settles=settles)] * 3)
    await process.call(BODY)
    process.events.clear()


async def test_posts(world: World) -> None:
    """A payment that moved is posted, once, with its transaction."""
    async with world.process() as process:
        await in_doubt(world, process, settles=True)
        (doubtful,) = await process.ledger.in_doubt()
        posted = await prover(world, process, RPC_URL).prove(doubtful)

    assert PaymentState.POSTED is posted.state
    assert [PaymentPosted(posted)] == process.events


async def test_confirms(world: World) -> None:
    """A posted payment that is seen on its chain is confirmed, and counted as no new spend."""
    world.seller.steps.append(Step(receipt=False))
    async with world.process() as process:
        await process.call(BODY)
        process.events.clear()
        (row,) = await process.ledger.unconfirmed()
        confirmed = await prover(world, process, RPC_URL).prove(row)

    assert confirmed.confirmed
    assert [PaymentConfirmed(confirmed)] == process.events


async def test_posted_stays_posted(world: World) -> None:
    """A seller that served and never settled leaves a posted payment: it counts on."""
    world.seller.steps.append(Step(settles=False, receipt=False))
    async with world.process() as process:
        await process.call(BODY)
        (row,) = await process.ledger.unconfirmed()
        world.clock.advance(1_000)
        unchanged = await prover(world, process, RPC_URL).prove(row)

    assert PaymentState.POSTED is unchanged.state


async def test_terminal_before_the_proof(world: World) -> None:
    """A proof that comes after the end of a payment changes nothing and is not told again."""
    async with world.process() as process:
        await in_doubt(world, process, settles=False)
        (doubtful,) = await process.ledger.in_doubt()
        world.clock.advance(1_000)
        first = await prover(world, process, RPC_URL).prove(doubtful)
        told = len(process.events)
        second = await prover(world, process, RPC_URL).prove(first)

    assert PaymentState.VOIDED is second.state
    assert 1 == told


@pytest.mark.parametrize("urls", [(), (RPC_URL, f"{ORIGIN}/nothing")])
async def test_no_proof(world: World, urls: tuple[str, ...]) -> None:
    """Without an endpoint, or when two do not find the same, nothing is proven."""
    async with world.process() as process:
        await in_doubt(world, process, settles=True)
        (doubtful,) = await process.ledger.in_doubt()

        assert doubtful == await prover(world, process, *urls).prove(doubtful)


async def test_two_that_agree(world: World) -> None:
    """Two endpoints that find the same prove it."""
    async with world.process() as process:
        await in_doubt(world, process, settles=True)
        (doubtful,) = await process.ledger.in_doubt()
        posted = await prover(world, process, RPC_URL, RPC_URL).prove(doubtful)

    assert PaymentState.POSTED is posted.state


@pytest.mark.parametrize(("ahead_s", "refuses"), [(0, False), (29, False), (31, True), (-31, True)])
async def test_skew(world: World, ahead_s: float, refuses: bool) -> None:
    """A clock more than 30 s from the chain's, either way, signs nothing for it."""
    async with world.process() as process:
        clock = FakeClock(world.clock.now())
        clock.advance(ahead_s)
        measuring = prover(world, process, RPC_URL, clock=clock)
        await measuring.measure_skew()
        objection = measuring.objection(NETWORK)

    assert [ClockSkewMeasured(NETWORK, ahead_s)] == process.events
    assert refuses == (objection is not None and objection.rule == "clock_skew")


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize(("set_s", "refuses"), [(29, False), (31, True), (-31, True)])
async def test_set_since(world: World, measured: bool, set_s: float, refuses: bool) -> None:
    """A clock that was set since it was measured signs nothing, until it is set right again."""
    async with world.process() as process:
        measuring = prover(world, process, RPC_URL)
        if measured:
            await measuring.measure_skew()
        world.clock.advance(100)
        right = world.clock.now()
        world.clock.set_wall(right + timedelta(seconds=set_s))
        wrong = measuring.objection(NETWORK)
        world.clock.set_wall(right)
        after = measuring.objection(NETWORK)

    assert (refuses, None) == (wrong is not None, after)


async def test_set_right_since(world: World) -> None:
    """A clock that was measured an hour off signs as soon as somebody has set it right."""
    async with world.process() as process:
        clock = FakeClock(world.clock.now() + timedelta(hours=1))
        measuring = prover(world, process, RPC_URL, clock=clock)
        await measuring.measure_skew()
        wrong = measuring.objection(NETWORK)
        clock.set_wall(world.clock.now())

        assert (True, None) == (wrong is not None, measuring.objection(NETWORK))


async def test_no_chain_no_skew(world: World) -> None:
    """Where no chain can be asked, nobody says that the clock is wrong."""
    async with world.process() as process:
        measuring = prover(world, process)
        world.clock.set_wall(world.clock.now() + timedelta(hours=1))

        assert None is measuring.objection(NETWORK)


async def test_another_config(world: World) -> None:
    """A skew that was measured counts under the next config too, while that names the chain."""
    async with world.process() as process:
        clock = FakeClock(world.clock.now() + timedelta(hours=1))
        measuring = prover(world, process, RPC_URL, clock=clock)
        await measuring.measure_skew()
        chain = Chain(NETWORK, (RPC_URL,), "finalized")
        measuring.watch({NETWORK: chain, "eip155:8453": Chain("eip155:8453", (RPC_URL,), "safe")})
        kept = measuring.objection(NETWORK)
        fresh = measuring.objection("eip155:8453")
        measuring.watch({})
        gone = measuring.objection(NETWORK)

    assert (True, None, None) == (kept is not None, fresh, gone)


async def test_unreadable_chain_has_no_skew(world: World) -> None:
    """A chain that cannot be read says nothing about our clock."""
    async with world.process() as process:
        world.seller.rpc_down = True
        measuring = prover(world, process, RPC_URL)
        await measuring.measure_skew()

        assert None is measuring.objection(NETWORK)
        assert [] == process.events
