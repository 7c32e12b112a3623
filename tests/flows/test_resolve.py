"""A person's word beside a sidecar that runs: what it does from its next look on.

What is bought is counted at the vendor, and what is paid at the seller.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.ledger.resolutions import EXPIRY_MARGIN, Resolution
from sidecar.payments.events import PaymentUndelivered, ToppedUp, TopUpsStopped
from sidecar.payments.prepaid import TopUpTerms
from sidecar.refusal import Denied
from tests.world.seller import Step
from tests.world.shop import Process, World
from tests.world.stores import Store
from tests.world.town import Town
from tests.world.vendor import AMOUNT

BODY = b'{"model":"m","messages":[]}'
PERSON = Proof("person")


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store)


@pytest.fixture
def world(store: Store) -> World:
    world = World(store)
    world.rpc_urls = ()
    return world


async def say(place: World, process: Process, word: Resolution) -> Payment | Denied:
    """Of the newest payment, from another process."""
    (newest,) = await process.ledger.payments(None, 1)
    return place.store.desk().resolve(newest.id, word, PERSON, "ann", place.clock.now())


async def unproven(town: Town, process: Process) -> None:
    """A top-up that was paid; the vendor refuses as before, and top-ups are stopped."""
    town.vendor.grants = False
    assert "top_up_unproven" == await town.app(process).call()


@pytest.mark.parametrize("word", [Resolution.CREDITED, Resolution.LOST])
async def test_top_ups_go_on(town: Town, word: Resolution) -> None:
    """A running sidecar that stopped its top-ups buys again once a person settled the last one."""
    town.vendor.grants = False
    async with town.process() as process:
        app = town.app(process)
        stopped = [await app.call(), await app.call()]
        town.clock.advance(5)
        await say(town, process, word)
        town.clock.advance(1)
        town.vendor.grants = True
        answer = await app.call()
        await process.tasks.drain(1)

    assert ["top_up_unproven"] * 2 == stopped
    assert "served" == answer
    assert 2 == town.vendor.paid
    assert TopUpsStopped("tab", "", stopped=False) in process.events


async def test_lost_is_counted(town: Town) -> None:
    """A top-up that was lost is told as undelivered, once; one that was credited as raised."""
    told: list[tuple[int, list[str]]] = []
    for word in (Resolution.LOST, Resolution.CREDITED):
        place = Town(town.store.another(f"{word}"))
        place.vendor.grants = False
        async with place.process() as process:
            app = place.app(process)
            await app.call()
            place.clock.advance(5)
            await say(place, process, word)
            place.clock.advance(1)
            place.vendor.sulks = True
            await app.call()
            events = process.events
        lost = sum(isinstance(event, PaymentUndelivered) for event in events)
        told.append((lost, [each.outcome for each in events if isinstance(each, ToppedUp)]))

    assert (1, ["unproven", "unproven"]) == told[0]
    assert (0, ["unproven", "raised", "unproven"]) == told[1]


async def test_credited_before_it_stopped(town: Town) -> None:
    """A vendor that tells no balance: a person tells of the credit, and the next is bought."""
    town.vendor.mute = True
    async with town.process() as process:
        app = town.app(process)
        first = await app.call()
        await say(town, process, Resolution.CREDITED)
        town.vendor.credit = Decimal(0)
        town.clock.advance(60)
        second = await app.call()
        stops = [event for event in process.events if isinstance(event, TopUpsStopped)]

    assert ("served", "served") == (first, second)
    assert (2, []) == (town.vendor.paid, stops)


async def test_stopped_until_then(town: Town) -> None:
    """Without a word nothing is bought, however long it lasts."""
    town.vendor.grants = False
    async with town.process() as process:
        app = town.app(process)
        for _ in range(5):
            await app.call()
            town.clock.advance(3_600)

    assert 1 == town.vendor.paid


async def test_settled_before_a_restart(town: Town) -> None:
    """What was settled while no sidecar ran stops nothing when the next one starts."""
    async with town.process() as process:
        await unproven(town, process)
        await say(town, process, Resolution.LOST)
    town.vendor.grants = True
    town.clock.advance(1)
    async with town.process() as process:
        app = town.app(process)
        await app.topups.resume()
        answer = await app.call()

    assert "served" == answer
    assert 2 == town.vendor.paid


async def test_low_water(town: Town) -> None:
    """A balance that is read notices it, too, so that credit is bought before anybody asks."""
    town.vendor.grants = False
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, wait_s=5, low_water=AMOUNT.in_usd()))
        await app.call()
        town.clock.advance(5)
        await app.balances.read(app.route.source, "")
        await process.tasks.drain(1)
        before = town.vendor.paid
        await say(town, process, Resolution.LOST)
        town.vendor.grants = True
        for _ in range(2):
            town.clock.advance(5)
            await app.balances.read(app.route.source, "")
            await process.tasks.drain(5)

    assert (1, 2) == (before, town.vendor.paid)
    assert TopUpsStopped("tab", "", stopped=False) in process.events


async def test_many_notice_at_once(town: Town) -> None:
    """However many requests notice that it was settled: one top-up, told of once."""
    town.vendor.grants = False
    async with town.process() as process:
        app = town.app(process)
        await app.call()
        town.clock.advance(5)
        await say(town, process, Resolution.LOST)
        town.clock.advance(1)
        town.vendor.grants = True
        answers = await asyncio.gather(*(app.call() for _ in range(100)))
        ends = [event for event in process.events if isinstance(event, PaymentUndelivered)]

    assert {"served"} == set(answers)
    assert (2, 1) == (town.vendor.paid, len(ends))


async def test_top_up_in_doubt(town: Town) -> None:
    """Without an endpoint a top-up in doubt blocks its account, until it is voided by a person."""
    town.rpc_urls = ()
    town.vendor.seller.steps.extend([Step("hang", settles=False)] * 6)
    async with town.process() as process:
        app = town.app(process)
        first = await app.call()
        early = await say(town, process, Resolution.VOIDED)
        town.clock.advance((EXPIRY_MARGIN + timedelta(minutes=6)).total_seconds())
        second = await app.call()
        voided = await say(town, process, Resolution.VOIDED)
        third = await app.call()

    assert ("in_doubt", "in_doubt", "served") == (first, second, third)
    assert isinstance(early, Denied)
    assert "not_expired" == early.rule
    assert isinstance(voided, Payment)
    assert 1 == town.vendor.paid


async def test_voided(world: World) -> None:
    """A call whose payment a person voided pays anew; before, it presents the same one."""
    world.seller.steps.extend([Step("hang", settles=False)] * 6)
    async with world.process() as process:
        await process.call(BODY)
        await process.call(BODY)
        presented = len(set(world.seller.presented()))
        world.clock.advance((EXPIRY_MARGIN + timedelta(minutes=6)).total_seconds())
        await process.recovery.run_once()
        await say(world, process, Resolution.VOIDED)
        served = await process.call(BODY)
        rows = await process.ledger.payments(None, 10)

    assert (1, 200) == (presented, served.status)
    assert [PaymentState.POSTED, PaymentState.VOIDED] == [row.state for row in rows]
    assert 1 == world.seller.settled(BODY)


async def test_posted(world: World) -> None:
    """A call whose payment a person posted presents the same one, and pays nothing more."""
    world.seller.steps.extend([Step("hang")] * 3)
    async with world.process() as process:
        await process.call(BODY)
        posted = await say(world, process, Resolution.POSTED)
        served = await process.call(BODY)

    assert isinstance(posted, Payment)
    assert 200 == served.status
    assert 1 == world.seller.settled(BODY)
    assert 1 == len(set(world.seller.presented()))


async def test_confirmed_later(world: World) -> None:
    """What a person posted without its transaction is confirmed once the chain can be asked."""
    world.seller.steps.extend([Step("hang")] * 3)
    async with world.process() as process:
        await process.call(BODY)
        await say(world, process, Resolution.POSTED)
    world.rpc_urls = ("http://127.0.0.1:4020/rpc",)
    async with world.process() as process:
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)

    assert row.confirmed
    assert row.proof is not None
    assert "chain" == row.proof.kind
