"""A COMMIT whose end nobody knows: lost, done and not answered, or done without the standby.

The caller gets the true answer, once; or LedgerError, and then what the lost attempt may have left
is found again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import Budget, Payment, PaymentState, Window
from sidecar.ledger.postgres import SCHEMA, PostgresLedger
from sidecar.ledger.postgres_desk import PostgresDesk
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.faults.postgres_moves import AMOUNT, Books, is_commit, wanted
from tests.world.cable import Cable, Message, Side
from tests.world.fakes import NOON
from tests.world.intents import HOUR, UNSIGNED, authorized, intent, reserved, row_of
from tests.world.postgres import PostgresServer

LEASE_S = 3_600.0
ROUNDS = 3
SINCE = NOON - HOUR
FREEZE = "INSERT INTO sidecar.frozen (id, since) VALUES (1, 0)"
UNFREEZE = "DELETE FROM sidecar.frozen"
FORBID = "REVOKE UPDATE ON sidecar.instances FROM sidecar"
# How what may be held for nobody is let go of.
RELEASE = b"SET holder = NULL WHERE id = ANY"
ALLOW = "GRANT UPDATE ON sidecar.instances TO sidecar"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def and_then(do: Callable[[], object]) -> Callable[[Message], bool]:
    """At a COMMIT, which has not been passed on yet; this is done before it is."""

    def when(message: Message) -> bool:
        if not is_commit(message):
            return False
        do()
        return True

    return when


def is_end(message: Message) -> bool:
    """The COMMIT of any move."""
    return message.side is Side.CLIENT and message.body.endswith(b"COMMIT\0")


@pytest.fixture
def books(postgres: PostgresServer, database: str) -> Books:
    """The tables, seen past the cable."""
    return Books(postgres, database)


@pytest.fixture
def cable(postgres: PostgresServer) -> Iterator[Cable]:
    """What the ledger reaches its server by."""
    with Cable(postgres.port) as made:
        yield made


@pytest.fixture
async def ledger(cable: Cable, database: str) -> AsyncIterator[PostgresLedger]:
    """A ledger behind the cable."""
    opened = await PostgresLedger.open(cable.url(database), "one", wait_s=5.0, lease_s=LEASE_S)
    yield opened
    cable.heal()
    await opened.close()


@pytest.mark.parametrize("passed", [True, False], ids=["done", "lost"])
async def test_last_cent(cable: Cable, ledger: PostgresLedger, books: Books, passed: bool) -> None:
    """A reservation whose COMMIT had no answer does not stand in its own way for the last cent."""
    budget = (Budget("exact", Usdc(AMOUNT), Window.TOTAL),)
    cable.cut_where(is_commit, passed=passed)
    made = await ledger.reserve(intent("p1", amount=AMOUNT, budgets=budget), NOON)
    refused = await ledger.reserve(intent("p2", amount=1, budgets=budget), NOON)

    assert isinstance(made, Payment)
    assert ("p1", PaymentState.RESERVED) == (made.id, made.state)
    assert isinstance(refused, Denied)
    assert "budget" == refused.rule
    assert ("reserved",) == books.events("p1")
    assert [] == books.wrong_windows()
    assert 1 == cable.cuts


async def test_hold_that_was_denied_after_all(
    cable: Cable, ledger: PostgresLedger, books: Books
) -> None:
    """A claim that was committed and then, asked again, refused is let go of."""
    payment = await authorized(ledger, "p1", key="one call")
    await ledger.release("p1")
    freeze = and_then(lambda: books.server.execute(FREEZE, url=books.url))
    cable.cut_where(freeze, passed=True)
    refused = await ledger.claim(payment.purchase, NOON, SINCE)
    books.server.execute(UNFREEZE, url=books.url)

    assert isinstance(refused, Denied)
    assert "frozen" == refused.rule
    bound = await ledger.reserve(wanted("p2", "one call"), NOON)

    assert isinstance(bound, Payment)
    assert "p1" == bound.id


async def test_reservation_that_failed_after_all(
    cable: Cable, ledger: PostgresLedger, books: Books
) -> None:
    """One that was committed and then, asked again, failed is found as those of the dead are."""
    forbid = and_then(lambda: books.server.execute(FORBID, url=books.url))
    cable.cut_where(forbid, passed=True)
    with pytest.raises(LedgerError, match="this user may not do that"):
        await ledger.reserve(wanted("p1"), NOON)
    books.server.execute(ALLOW, url=books.url)

    assert ["p1"] == [row.id for row in await ledger.orphaned()]
    await ledger.void("p1", UNSIGNED, NOON)

    assert [] == books.wrong_windows()


async def test_others_are_not_let_go_of(cable: Cable, ledger: PostgresLedger, books: Books) -> None:
    """What other requests of this process hold stays theirs when one of it lost its answer."""
    payment = await authorized(ledger, "p1", key="one call")
    cable.cut_where(is_commit, passed=True)
    await reserved(ledger, "p2")

    assert books.is_held("p1")
    assert await ledger.claim(payment.purchase, NOON, SINCE) is None


async def test_let_go_of_once(cable: Cable, database: str) -> None:
    """What a lost claim may hold is let go of before all else, and not when it is claimed again."""
    ledger = await PostgresLedger.open(cable.url(database), "two", wait_s=2.0, lease_s=LEASE_S)
    for n in range(ROUNDS):
        payment = await authorized(ledger, f"p{n}", key=f"call {n}")
        await ledger.release(payment.id)
        cable.cut_where(is_commit, passed=True, lasts=True)
        with pytest.raises(LedgerError, match="no answer within 2 s"):
            await ledger.claim(payment.purchase, NOON, SINCE)
        cable.heal()
        cable.messages.clear()
        others = (reserved(ledger, f"{n} other {m}") for m in range(6))
        claim, *_ = await asyncio.gather(ledger.claim(payment.purchase, NOON, SINCE), *others)

        assert isinstance(claim, Payment)
        assert 1 == sum(RELEASE in message.body for message in cable.messages)
        assert await ledger.claim(payment.purchase, NOON, SINCE) is None
    await ledger.close()


@pytest.mark.parametrize("passed", [True, False], ids=["done", "lost"])
async def test_unfreezes(cable: Cable, ledger: PostgresLedger, books: Books, passed: bool) -> None:
    """Who ended a freeze is told since when it was, though its end had no answer."""
    await ledger.freeze(NOON)
    cable.cut_where(is_end, passed=passed)
    since = await ledger.unfreeze()

    assert (NOON, 1) == (since, cable.cuts)
    assert await ledger.frozen_since() is None
    assert await ledger.unfreeze() is None


@pytest.mark.parametrize("passed", [True, False], ids=["done", "lost"])
async def test_forgets_pins(cable: Cable, ledger: PostgresLedger, passed: bool) -> None:
    """Who forgot the pins of a route is told which there were, each once, in their order."""
    for place in ("b", "a"):
        await reserved(ledger, f"to {place}", pin_place=place)
    cable.cut_where(is_end, passed=passed)
    forgotten = await ledger.forget_pins("venice")

    assert (["a", "b"], 1) == ([pin.place for pin in forgotten], cable.cuts)
    assert () == await ledger.pins()
    assert () == await ledger.forget_pins("venice")


@pytest.mark.parametrize("passed", [True, False], ids=["done", "lost"])
async def test_word(cable: Cable, ledger: PostgresLedger, books: Books, passed: bool) -> None:
    """A person's word that was written down counts as said, and not as one that came too late."""
    await reserved(ledger, "p1", ask_until=NOON + HOUR)
    cable.cut_where(is_commit, passed=passed)
    decided = await ledger.decide("p1", "Ada", NOON, approve=True)
    other = await ledger.decide("p1", "Ada", NOON, approve=False)

    assert isinstance(decided, Payment)
    assert isinstance(other, Denied)
    assert ("p1", "not_waiting", 1) == (decided.id, other.rule, cable.cuts)
    assert await ledger.approved("p1")
    assert ("reserved", "asked", "approved") == books.events("p1")


async def test_word_after_another(cable: Cable, ledger: PostgresLedger, books: Books) -> None:
    """Where another's word came in between, nobody is told that the lost one counted."""
    await reserved(ledger, "p1", ask_until=NOON + HOUR)
    cable.cut_where(is_commit, lasts=True)
    deciding = asyncio.create_task(ledger.decide("p1", "Ada", NOON, approve=True))
    while not cable.cuts:
        assert not deciding.done(), "it was not cut"
        await asyncio.sleep(0.02)
    desk = PostgresDesk(books.url, SCHEMA)
    await asyncio.to_thread(desk.decide, "p1", "Bob", NOON, approve=False)
    cable.heal()
    decided = await deciding

    assert isinstance(decided, Denied)
    assert "not_waiting" == decided.rule
    assert not await ledger.approved("p1")


async def test_standby_that_has_not_got_it(own_postgres: PostgresServer) -> None:
    """A commit that stopped waiting for the standby is no success until the standby has it."""
    url = own_postgres.fresh_database()
    ledger = await PostgresLedger.open(url, "one", wait_s=30.0, lease_s=LEASE_S)
    standby = own_postgres.standby()
    standby.stop()
    reserving = asyncio.create_task(ledger.reserve(wanted("p1"), NOON))
    ((first,),) = await waiting(own_postgres, reserving)
    own_postgres.execute("SELECT pg_cancel_backend(%s)", (first,))
    while [(first,)] == await waiting(own_postgres, reserving):
        await asyncio.sleep(0.05)

    # It is in the books here, and asked again it waits again.
    assert PaymentState.RESERVED == (await row_of(ledger, "p1")).state
    assert not reserving.done()
    standby.start()
    made = await reserving

    assert isinstance(made, Payment)
    assert [("p1",)] == standby.execute("SELECT id FROM sidecar.payments", url=url)
    assert [] == Books(own_postgres, url).wrong_windows()
    await ledger.close()


async def test_standby_that_stays_away(own_postgres: PostgresServer) -> None:
    """Where the standby stays away the move fails within its time, and nothing may be signed."""
    url = own_postgres.fresh_database()
    ledger = await PostgresLedger.open(url, "one", wait_s=5.0, lease_s=LEASE_S)
    await reserved(ledger, "p1")
    standby = own_postgres.standby()
    standby.stop()
    with pytest.raises(LedgerError, match="no answer within 5 s"):
        await ledger.reserve(wanted("p2"), NOON)
    standby.start()
    await asyncio.to_thread(Books(own_postgres, url).settle)

    assert ["p2"] == [row.id for row in await ledger.orphaned()]
    await ledger.close()


async def waiting(server: PostgresServer, move: asyncio.Task[object]) -> list[tuple[object, ...]]:
    """Who waits for a standby, once somebody does."""
    while not (found := server.execute(WAITING)):
        assert not move.done(), "it did not wait"
        await asyncio.sleep(0.02)
    return found
