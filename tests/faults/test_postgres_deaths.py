"""Who is taken for dead, and when: a process that hung up at once, a silent one after its lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import Payment, Purchase
from sidecar.ledger.postgres import SCHEMA, PostgresLedger
from sidecar.ledger.postgres_desk import PostgresDesk
from tests.world.fakes import NOON
from tests.world.intents import HOUR, authorized, intent, posted, reserved
from tests.world.pgbouncer import PgBouncer
from tests.world.postgres import PostgresServer

# Longer than any test: who is gone before has hung up.
LONG_S = 3_600.0
SHORT_S = 1.0
WAIT_S = 15.0
SESSION = "SELECT session FROM sidecar.instances WHERE id = 'one'"


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Come back once it is so. TimeoutError when it never is."""
    async with asyncio.timeout(WAIT_S):
        while not await true():
            await asyncio.sleep(0.02)


def shows(server: PostgresServer, url: str) -> Callable[[], Awaitable[bool]]:
    """Whether a session of the server's is known of the instance, and is there."""

    async def shown() -> bool:
        ((session,),) = server.execute(SESSION, url=url)
        running = server.execute("SELECT pid FROM pg_stat_activity WHERE pid = %s", (session,))
        return [(session,)] == running

    return shown


async def claimed(ledger: PostgresLedger, payment_id: str) -> str:
    """The payment that a repeated request of this purchase binds to, or nothing."""
    purchase = Purchase(f"key of {payment_id}", explicit=False)
    found = await ledger.claim(purchase, NOON, NOON - HOUR)
    return found.id if isinstance(found, Payment) else ""


async def test_killed(postgres: PostgresServer, database: str) -> None:
    """What a killed process held is free at once: an app's retry binds, and buys no second time."""
    one = await PostgresLedger.open(database, "one", lease_s=LONG_S)
    two = await PostgresLedger.open(database, "two", lease_s=LONG_S)
    await reserved(one, "p1")
    await authorized(one, "p2")
    await until(shows(postgres, database))
    before = (await two.orphaned(), await two.to_prove(NOON), await claimed(two, "p2"))
    await one.abandon()

    async def is_orphaned() -> bool:
        return [row.id for row in await two.orphaned()] == ["p1"]

    await until(is_orphaned)
    asked = [row.id for row in await two.to_prove(NOON)]
    after = await claimed(two, "p2")
    await two.close()

    assert ((), (), "") == before
    assert (["p2"], "p2") == (asked, after)


async def test_dead_to_a_person(postgres: PostgresServer, database: str) -> None:
    """A person sees a killed process go when it hangs up, as the other processes do."""
    one = await PostgresLedger.open(database, "one", lease_s=LONG_S)
    await reserved(one, "p1")
    await authorized(one, "p2")
    await until(shows(postgres, database))
    desk = PostgresDesk(database, SCHEMA)
    seen = []

    async def is_gone() -> bool:
        standing, found = desk.standing(), desk.find("p2")
        assert found is not None
        seen.append((standing.living, standing.orphaned, found.held))
        return not standing.living

    await is_gone()
    await one.abandon()
    await until(is_gone)

    assert (1, 0, True) == seen[0]
    assert (0, 1, False) == seen[-1]


async def test_first_after_a_death(postgres: PostgresServer, database: str) -> None:
    """Who comes after the last one was killed audits the books, and waits for no lease to end."""
    one = await PostgresLedger.open(database, "one", lease_s=LONG_S)
    await posted(one, "p1")
    shown = shows(postgres, database)
    await until(shown)
    await one.abandon()

    async def is_gone() -> bool:
        return not await shown()

    await until(is_gone)
    postgres.execute("UPDATE sidecar.windows SET spent = spent + 1", url=database)

    with pytest.raises(LedgerError, match="the books do not agree with their events"):
        await PostgresLedger.open(database, "two")


async def test_living(database: str) -> None:
    """What a living process holds is its own: the same request elsewhere is another purchase."""
    one = await PostgresLedger.open(database, "one", lease_s=LONG_S)
    two = await PostgresLedger.open(database, "two", lease_s=LONG_S)
    await authorized(one, "p1", key="same")
    other = await two.reserve(intent("p2", key="same"), NOON)
    await one.close()
    await two.close()

    assert isinstance(other, Payment)
    assert "p2" == other.id


async def test_line_that_broke(postgres: PostgresServer, database: str) -> None:
    """A living process whose line broke is known to live again once it has called back."""
    one = await PostgresLedger.open(database, "one", lease_s=LONG_S)
    two = await PostgresLedger.open(database, "two", lease_s=LONG_S)
    await until(shows(postgres, database))
    ((session,),) = postgres.execute(SESSION, url=database)
    postgres.execute("SELECT pg_terminate_backend(%s)", (session,))
    # While it calls back, others may take over what it holds: none of it is paid twice for that.
    await until(shows(postgres, database))
    await authorized(one, "p1")
    after = await claimed(two, "p1")
    await one.close()
    await two.close()

    assert "" == after


async def test_behind_a_pooler(postgres: PostgresServer, database: str) -> None:
    """Behind a pooler no session is anybody's own: the lease alone says who lives."""
    with PgBouncer(postgres) as pool:
        one = await PostgresLedger.open(pool.url(database), "one", lease_s=SHORT_S)
        two = await PostgresLedger.open(pool.url(database), "two", lease_s=SHORT_S)
        await authorized(one, "p1")
        # It has renewed its lease, and listened, by then.
        await asyncio.sleep(2 * SHORT_S)
        shown = postgres.execute(SESSION, url=database)
        before = await claimed(two, "p1")
        await one.abandon()

        async def is_free() -> bool:
            return await claimed(two, "p1") == "p1"

        await until(is_free)
        await two.close()

    assert [(None,)] == shown
    assert "" == before
