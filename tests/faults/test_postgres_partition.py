"""A replica that is cut off from the server, and from what the others do meanwhile.

Nothing resets its connections: they are silent. It signs nothing, the others take over what it had
reserved when its lease is over, and what it had sent arrives late, or never.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.model import Budget, Payment, PaymentState, Proof, Window
from sidecar.ledger.postgres import PostgresLedger
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.faults.postgres_moves import AMOUNT, Books, is_commit
from tests.world.cable import Cable
from tests.world.fakes import NOON
from tests.world.intents import HOUR, RECEIPT, UNSIGNED, authorization, intent, row_of
from tests.world.postgres import PostgresServer

WAIT_S = 3.0
LEASE_S = 3.0
FOUND_WITHIN_S = 30.0
# Room for one payment: whoever pays the second one needs what the first one had reserved.
EXACT = (Budget("exact", Usdc(AMOUNT), Window.TOTAL),)


@pytest.fixture
def cable(postgres: PostgresServer) -> Iterator[Cable]:
    """What the replica reaches the server by."""
    with Cable(postgres.port) as made:
        yield made


@pytest.fixture
async def far(cable: Cable, database: str) -> AsyncIterator[PostgresLedger]:
    """The replica that is cut off."""
    ledger = await PostgresLedger.open(cable.url(database), "far", wait_s=WAIT_S, lease_s=LEASE_S)
    yield ledger
    cable.heal()
    await ledger.close()


@pytest.fixture
async def near(database: str) -> AsyncIterator[PostgresLedger]:
    """Another one, which nothing happens to."""
    ledger = await PostgresLedger.open(database, "near", wait_s=20.0)
    yield ledger
    await ledger.close()


async def reserved_by(ledger: Ledger, payment_id: str) -> Payment | Denied:
    """A payment out of the budget that has room for one."""
    return await ledger.reserve(intent(payment_id, amount=AMOUNT, budgets=EXACT), NOON)


async def taken_over(ledger: Ledger) -> list[str]:
    """What others have left, once there is something: it is voided, as recovery does it."""
    orphaned = await until(ledger.orphaned)
    return [(await ledger.void(row.id, UNSIGNED, NOON)).made for row in orphaned]


async def until(find: Callable[[], Awaitable[tuple[Payment, ...]]]) -> tuple[Payment, ...]:
    """What is found, once there is something. TimeoutError where there never is."""
    async with asyncio.timeout(FOUND_WITHIN_S):
        while not (found := await find()):
            await asyncio.sleep(0.05)
    return found


async def test_signs_nothing(
    cable: Cable, far: PostgresLedger, near: PostgresLedger, postgres: PostgresServer, database: str
) -> None:
    """Cut off, it authorizes nothing; the others take its reservation, and it hears so later."""
    await reserved_by(far, "p1")
    cable.silence()
    with pytest.raises(LedgerError, match="no answer within 3 s"):
        await far.authorize("p1", authorization("p1"), NOON)

    assert isinstance(await reserved_by(near, "p2"), Denied)
    assert ["voided"] == await taken_over(near)
    assert isinstance(await reserved_by(near, "p2"), Payment)
    cable.heal()
    with pytest.raises(LedgerError, match="p1 is voided: it cannot become authorized"):
        await far.authorize("p1", authorization("p1"), NOON)
    books = Books(postgres, database)

    assert ("reserved", "voided") == books.events("p1")
    assert [] == books.wrong_windows()


async def test_commit_that_never_arrives(
    cable: Cable, far: PostgresLedger, near: PostgresLedger, postgres: PostgresServer, database: str
) -> None:
    """The server ends a transaction that waits for its COMMIT: its locks stop nobody for long."""
    await reserved_by(far, "p1")
    cable.silence_where(is_commit)
    with pytest.raises(LedgerError, match="no answer within 3 s"):
        await far.authorize("p1", authorization("p1"), NOON)

    assert ["voided"] == await taken_over(near)
    cable.heal()
    await asyncio.to_thread(Books(postgres, database).settle)

    # What was held arrives now, at nobody.
    assert PaymentState.VOIDED == (await row_of(near, "p1")).state
    with pytest.raises(LedgerError, match="p1 is voided: it cannot become authorized"):
        await far.authorize("p1", authorization("p1"), NOON)


async def test_commit_that_arrives_late(
    cable: Cable, far: PostgresLedger, near: PostgresLedger
) -> None:
    """An authorization that nobody presents counts as one that somebody may hold."""
    await reserved_by(far, "p1")
    cable.silence_where(is_commit)
    authorizing = asyncio.create_task(far.authorize("p1", authorization("p1"), NOON))
    with pytest.raises(LedgerError, match="no answer within 3 s"):
        await authorizing
    cable.heal()
    await until(near.in_doubt)

    with pytest.raises(LedgerError, match="'unsigned' does not prove"):
        await near.void("p1", UNSIGNED, NOON)
    assert isinstance(await reserved_by(near, "p2"), Denied)
    assert "voided" == (await near.void("p1", Proof("expired"), NOON + HOUR)).made


async def test_reservation_that_arrives_late(
    cable: Cable, far: PostgresLedger, near: PostgresLedger
) -> None:
    """A reservation that its own process gave up is voided by it, though it lives."""
    cable.silence_where(is_commit)
    with pytest.raises(LedgerError, match="no answer within 3 s"):
        await reserved_by(far, "p1")
    cable.heal()

    assert ["voided"] == await taken_over(far)
    assert isinstance(await reserved_by(near, "p2"), Payment)


async def test_authorization_that_was_given_up(
    cable: Cable, far: PostgresLedger, near: PostgresLedger
) -> None:
    """What was reserved for an authorization that failed is voided, though its maker lives."""
    await reserved_by(far, "p1")
    cable.silence()
    with pytest.raises(LedgerError, match="no answer within 3 s"):
        await far.authorize("p1", authorization("p1"), NOON)
    # Its caller would, and hears the same.
    with pytest.raises(LedgerError, match="no answer within 3 s"):
        await far.void("p1", UNSIGNED, NOON)
    cable.heal()

    assert ["voided"] == await taken_over(far)
    assert isinstance(await reserved_by(near, "p2"), Payment)


async def test_comes_back(cable: Cable, far: PostgresLedger, near: PostgresLedger) -> None:
    """After a partition it pays as before, and what it holds is its own again."""
    await reserved_by(far, "p1")
    cable.silence()
    await until(near.orphaned)
    cable.heal()
    async with asyncio.timeout(FOUND_WITHIN_S):
        while await near.orphaned():
            await asyncio.sleep(0.05)

    assert await far.authorize("p1", authorization("p1"), NOON) is None
    assert "posted" == (await far.post("p1", RECEIPT, NOON)).made
