"""The second lock: replicas whose ledgers know nothing of each other sign for one transfer.

Each replica has the wallet's key and a ledger file of its own, as after a loss, a restored backup
or a failover that dropped the last rows. What moved is counted at the seller, on its chain.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sidecar.ledger.model import PaymentState
from sidecar.money import Usdc
from sidecar.payments.order import InDoubt, Undelivered
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.terms import Terms
from sidecar.wallets.nonces import NonceSecret
from tests.world.seller import InMemorySeller, Step
from tests.world.shop import KEY, TTL, Process, World
from tests.world.stores import Store
from tests.world.town import Town

BODY = b'{"model":"m","messages":[]}'
DERIVED = NonceSecret.of(KEY)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(store: Store) -> World:
    """A seller that serves no payment twice."""
    world = World(store)
    world.seller = InMemorySeller(world.clock, SandboxOptions(replays=False))
    return world


def replica(world: World, name: str) -> Any:
    """A process on a ledger of its own."""
    world.store = world.store.another(name)
    return world.process(nonces=DERIVED)


async def rows(process: Process) -> list[tuple[PaymentState, str]]:
    """Every payment's state, and the transaction that proves it; the newest first."""
    found = await process.ledger.payments(None, 10)
    return [(row.state, row.proof.transaction if row.proof else "") for row in found]


def transactions(world: World) -> list[str]:
    """What moved on the chain."""
    return [each.transaction for each in world.seller.books.settlements]


async def test_one_key_two_ledgers(world: World) -> None:
    """An Idempotency-Key that two ledgers pay for moves once, and both ledgers know."""
    async with replica(world, "first") as process:
        served = await process.call(BODY, idempotency_key="one")
        first = await rows(process)
    world.clock.advance(300)
    async with replica(world, "second") as process:
        refused = await process.call(BODY, idempotency_key="one")
        second = await rows(process)

    assert (200, 502) == (served.status, refused.status)
    assert isinstance(refused.outcome, Undelivered)
    assert [(PaymentState.POSTED, transactions(world)[0])] == first == second
    assert 1 == len(transactions(world))


async def test_a_seller_that_serves_again(world: World) -> None:
    """A seller that knows a payment by its nonce serves both ledgers' apps for one transfer."""
    world.seller = InMemorySeller(world.clock)
    async with replica(world, "first") as process:
        first = await process.call(BODY, idempotency_key="one")
    async with replica(world, "second") as process:
        second = await process.call(BODY, idempotency_key="one")

    assert (200, 200) == (first.status, second.status)
    assert 1 == len(transactions(world))


async def test_while_in_doubt(world: World) -> None:
    """Of two ledgers' authorizations that are both out, the chain takes one; both are proved."""
    world.seller.steps.append(Step("hang", settles=False))
    world.seller.steps.append(Step("hang", settles=False))
    world.seller.steps.append(Step("hang", settles=False))
    async with replica(world, "first") as first:
        doubtful = await first.call(BODY, idempotency_key="one")
        async with replica(world, "second") as second:
            served = await second.call(BODY, idempotency_key="one")
            known = await rows(second)
        await first.recovery.run_once()
        proved = await rows(first)

    assert isinstance(doubtful.outcome, InDoubt)
    assert 200 == served.status
    assert [(PaymentState.POSTED, transactions(world)[0])] == known == proved
    assert 1 == len(transactions(world))


async def test_other_terms(world: World) -> None:
    """Paid on other terms by another ledger: neither posted nor voided, and never paid again."""
    async with replica(world, "first") as process:
        await process.call(BODY, idempotency_key="one")
    world.seller.terms = Terms(SandboxOptions(price=Usdc(20_000)))
    async with replica(world, "second") as process:
        answers = [await process.call(BODY, idempotency_key="one")]
        world.clock.advance(3_600)
        await process.recovery.run_once()
        answers += [await process.call(BODY, idempotency_key="one")]
        result = await rows(process)

    assert [503, 503] == [answer.status for answer in answers]
    assert [(PaymentState.AUTHORIZED, "")] == result
    assert 1 == len(transactions(world))


async def test_second_purchase_of_one_key(world: World) -> None:
    """In one ledger a key that is used again, after its time, is another purchase, and is paid."""
    async with replica(world, "first") as process:
        served = [await process.call(BODY, idempotency_key="one")]
        world.clock.advance(TTL.total_seconds() + 1)
        served += [await process.call(BODY, idempotency_key="one")]

    assert [200, 200] == [each.status for each in served]
    assert 2 == len(set(transactions(world)))


async def test_after_a_void(world: World) -> None:
    """What expired unpaid leaves its nonce behind: the next payment of the key has its own."""
    world.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with replica(world, "first") as process:
        doubtful = await process.call(BODY, idempotency_key="one")
        world.clock.advance(3_600)
        await process.recovery.run_once()
        served = await process.call(BODY, idempotency_key="one")
        found = await process.ledger.payments(None, 10)

    assert (503, 200) == (doubtful.status, served.status)
    assert [PaymentState.POSTED, PaymentState.VOIDED] == [row.state for row in found]
    assert 2 == len({row.authorization.identity for row in found if row.authorization})


async def test_another_wallet(world: World) -> None:
    """Another wallet's nonces are others: the same Idempotency-Key is no collision there."""
    async with replica(world, "first") as process:
        await process.call(BODY, idempotency_key="one")
    async with replica(world, "second") as process:
        process.nonces = NonceSecret.of(bytes(32))
        served = await process.call(BODY, idempotency_key="one")

    assert 200 == served.status
    assert 2 == len(transactions(world))


async def test_calls_without_a_key(world: World) -> None:
    """Two equal calls without a key are two purchases to two ledgers, and both are paid."""
    statuses = []
    for name in ("first", "second"):
        async with replica(world, name) as process:
            statuses.append((await process.call(BODY)).status)

    assert [200, 200] == statuses
    assert 2 == len(transactions(world))


async def test_top_ups(store: Store) -> None:
    """Two ledgers buy credit for one account within the hour: it is bought once."""
    town = Town(store)
    town.clock.set_wall(town.clock.now().replace(minute=10))
    town.vendor.seller = InMemorySeller(
        town.clock, SandboxOptions(price=Usdc(10_000_000), replays=False)
    )
    async with replica(town, "first") as process:
        first = await town.app(process).call()
        await process.tasks.drain(1)
    town.vendor.credit -= town.vendor.credit
    town.clock.advance(1_800)
    async with replica(town, "second") as process:
        second = await town.app(process).call()
        again = await town.app(process).call()

    assert ["served", "top_up_wait", "top_up_unproven"] == [first, second, again]
    assert 1 == town.vendor.paid


async def test_top_ups_hour_by_hour(store: Store) -> None:
    """A ledger that was lost meets the top-ups of its hour only: the next hour's are bought."""
    town = Town(store)
    for name in ("first", "second"):
        async with replica(town, name) as process:
            app = town.app(process)
            assert "served" == await app.call()
            await process.tasks.drain(1)
            town.vendor.credit -= town.vendor.credit
            town.clock.advance(1)
            assert "served" == await app.call()
            await process.tasks.drain(1)
        town.vendor.credit -= town.vendor.credit
        town.clock.advance(HOUR.total_seconds())

    assert 4 == town.vendor.paid
