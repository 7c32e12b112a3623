"""Replicas that do the same at the same moment: what the server keeps apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection

from sidecar.ledger.model import Budget, Payment, Purchase, TopUpRule, Window
from sidecar.ledger.postgres import PostgresLedger
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import HOUR, authorization, authorized, intent, posted, reserved
from tests.world.stores import end_lease

REPLICAS = 4
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def replicas(database: str) -> AsyncIterator[list[PostgresLedger]]:
    """Four of them, in one database."""
    opened = [await PostgresLedger.open(database, f"replica-{n}") for n in range(REPLICAS)]
    yield opened
    for ledger in opened:
        await ledger.close()


def rules_of(answers: list[Payment | Denied]) -> list[str]:
    return sorted(each.rule if isinstance(each, Denied) else "made" for each in answers)


async def test_one_budget(replicas: list[PostgresLedger]) -> None:
    """A budget for ten is ten payments, whoever asks, and none beside it."""
    ten = Budget("ten", Usdc(10), Window.DAY)
    asked = [
        replicas[n % REPLICAS].reserve(intent(f"p{n}", budgets=(ten,)), NOON) for n in range(40)
    ]

    assert ["budget"] * 30 + ["made"] * 10 == rules_of(await asyncio.gather(*asked))
    (used,) = await replicas[0].budgets([ten], NOON)
    assert Usdc(10) == used.reserved


async def test_two_budgets_in_two_orders(replicas: list[PostgresLedger]) -> None:
    """Payments that name the same budgets in another order never wait for each other in a ring."""
    one, two = Budget("one", Usdc(1000), Window.DAY), Budget("two", Usdc(1000), Window.DAY)
    asked = [
        replicas[n % REPLICAS].reserve(
            intent(f"p{n}", budgets=(one, two) if n % 2 else (two, one)), NOON
        )
        for n in range(40)
    ]

    assert ["made"] * 40 == rules_of(await asyncio.gather(*asked))


async def test_one_explicit_purchase(replicas: list[PostgresLedger]) -> None:
    """Of those who make one explicit purchase at once, one pays."""
    asked = [
        ledger.reserve(intent(f"p{n}", key="order 66", explicit=True), NOON)
        for n, ledger in enumerate(replicas)
    ]

    assert ["in_progress"] * 3 + ["made"] == rules_of(await asyncio.gather(*asked))


async def test_one_top_up(replicas: list[PostgresLedger]) -> None:
    """Of those who buy credit for one account at once, one pays."""
    rule = TopUpRule(NOON - HOUR, hourly_max=9)
    asked = [
        ledger.reserve(intent(f"p{n}", key="account", top_up=rule), NOON)
        for n, ledger in enumerate(replicas)
    ]

    assert ["in_progress"] * 3 + ["made"] == rules_of(await asyncio.gather(*asked))


async def test_one_claims(replicas: list[PostgresLedger]) -> None:
    """Of those who retry a purchase that is in doubt, one presents its authorization."""
    await authorized(replicas[0], "p1", key="one call")
    await replicas[0].release("p1")
    purchase = Purchase("one call", explicit=False)
    claims = await asyncio.gather(
        *(ledger.claim(purchase, NOON, NOON - HOUR) for ledger in replicas)
    )

    assert ["p1"] == [each.id for each in claims if isinstance(each, Payment)]


async def test_freeze_waits_for_who_signs(replicas: list[PostgresLedger], database: str) -> None:
    """A freeze is done when no signature is under way any more, and none comes after it."""
    await reserved(replicas[0], "p1")
    lock = replicas[0].freeze_lock
    async with await AsyncConnection.connect(database) as signing:
        await signing.execute("SELECT pg_advisory_xact_lock_shared(%s)", (lock,))
        freezing = asyncio.create_task(replicas[1].freeze(NOON))
        async with await AsyncConnection.connect(database, autocommit=True) as watching:
            waits = False
            while not (waits or freezing.done()):
                waits = (await (await watching.execute(WAITING)).fetchone()) == (1,)
                await asyncio.sleep(0.01)
        was_done = freezing.done()
        await signing.rollback()
    await freezing
    denied = await replicas[0].authorize("p1", authorization("p1"), NOON)

    assert (False, "frozen") == (was_done, denied and denied.rule)


async def test_woken(replicas: list[PostgresLedger]) -> None:
    """Who waits for a top-up of an account hears of it from the replica that made it."""
    rule = TopUpRule(NOON - HOUR, hourly_max=9)
    purchase = Purchase("account", explicit=False)
    await posted(replicas[0], "p1", key="account", top_up=rule)
    woken = asyncio.create_task(replicas[1].topped_up(purchase))
    other = asyncio.create_task(replicas[1].topped_up(Purchase("another", explicit=False)))
    for _ in range(100):
        if woken.done():
            break
        # The one who listens may have to come first.
        await replicas[0].deliver("p1", NOON)
        await asyncio.wait([woken], timeout=0.05)
    heard = woken.done(), other.done()
    woken.cancel()
    other.cancel()

    assert (True, False) == heard


async def test_the_living_are_left_alone(replicas: list[PostgresLedger], database: str) -> None:
    """What a replica has reserved is nobody's to drop while its lease runs, and anybody's after."""
    await reserved(replicas[0], "p1")
    before = await replicas[1].orphaned()
    await replicas[0].abandon()
    await end_lease(database, "replica-0")

    assert ([], ["p1"]) == ([*before], [each.id for each in await replicas[1].orphaned()])
