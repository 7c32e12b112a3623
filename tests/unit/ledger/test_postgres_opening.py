"""What a ledger in Postgres is refused for when it is opened, and what its bell and pool do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.leased import LeasedLedger
from sidecar.ledger.model import Budget, Payment, Purchase, Window
from sidecar.ledger.postgres import SCHEMA, PostgresLedger
from sidecar.ledger.postgres_bell import Bell
from sidecar.ledger.postgres_connections import Connections
from sidecar.ledger.postgres_faults import explain
from sidecar.ledger.postgres_instances import Lease
from sidecar.ledger.postgres_opening import migrate, require_durable
from sidecar.ledger.postgres_transactions import Record, Statement, Transactions
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import DAY, HOUR, RECEIPT, UNSIGNED, authorized, intent, posted, reserved
from tests.world.leased_store import InPostgres, LeasedStore

PURCHASE = Purchase("account", explicit=False)
UNTOLD = """
ALTER TABLE sidecar.events DISABLE TRIGGER USER;
DELETE FROM sidecar.events;
"""
DAMAGES = [
    ("UPDATE sidecar.windows SET spent = spent + 1", 'budget "day" .* has 0 reserved and 6 spent'),
    (
        "UPDATE sidecar.payments SET state = 'authorized'",
        "is authorized, and its events say posted",
    ),
    ("UPDATE sidecar.payments SET amount = 7", "its row and its events differ in detail"),
    (UNTOLD, "has no event that reserved it"),
]


@pytest.mark.parametrize(
    ("damage", "said"), DAMAGES, ids=["a window", "a state", "an amount", "an event"]
)
async def test_damaged_books(database: str, damage: str, said: str) -> None:
    """Books that do not agree with their events are not paid from, and it says which."""
    ledger = await PostgresLedger.open(database, "first")
    await posted(ledger, "p1", amount=5)
    await ledger.close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(damage.encode())

    with pytest.raises(LedgerError, match=said):
        await PostgresLedger.open(database, "second")


async def test_missing_window(database: str) -> None:
    """A payment whose window is gone does not move, and the books are said to be damaged."""
    ledger = await PostgresLedger.open(database, "one")
    await authorized(ledger, "p1")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM sidecar.windows")
    (refused,) = await asyncio.gather(ledger.post("p1", RECEIPT, NOON), return_exceptions=True)
    left = await ledger.in_doubt()
    await ledger.close()

    assert isinstance(refused, LedgerError)
    assert str(refused).endswith(
        ": it is damaged (a budget's window is missing); restore it from a backup"
    )
    assert ["p1"] == [row.id for row in left]


async def test_used_instance(database: str) -> None:
    """An instance's id is never another's, not even after its end."""
    ledger = await PostgresLedger.open(database, "one")
    await ledger.close()

    with pytest.raises(LedgerError, match="'one' was used before"):
        await PostgresLedger.open(database, "one")


class OldServer:
    """A server of another time."""

    place = "postgresql://old:5432/books"

    async def read(self, *statements: Statement) -> list[list[Record]]:
        return [[{"version": 120_000}]]


async def test_old_server() -> None:
    """A server before version 13 is refused."""
    with pytest.raises(LedgerError, match="needs PostgreSQL 13 or newer"):
        await require_durable(cast("Transactions", OldServer()))


async def test_busy(database: str) -> None:
    """Whoever finds all connections taken hears it within the wait, and what to raise."""
    connections = Connections(database, 1, 5.0)
    async with connections.one(5.0):
        with pytest.raises(LedgerError, match=r"raise ledger\.connections_max"):
            async with connections.one(0.01):
                raise AssertionError("there was none")
    await connections.forget()


FAULTS: Sequence[tuple[Exception, str]] = (
    (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "a half"), "a text cannot be stored"),
    (OSError(104, "gone"), "ledger place: gone"),
    (ValueError("a bug"), "a bug"),
)


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=["text", "system", "a bug"])
def test_explain(fault: Exception, said: str) -> None:
    """A fault of the store's is told in words; a bug stays what it is."""
    assert said in str(explain("place", fault))


async def test_given_up(database: str) -> None:
    """A reservation that its maker gave up is remembered until it is over, or if it may come."""
    connections = Connections(database, 2, 5.0)
    transactions = Transactions("here", SCHEMA, "one", connections, print, 5.0)
    await migrate(transactions)
    lease = Lease(transactions, 60.0)
    await lease.join()
    ledger = PostgresLedger(transactions, lease, Bell(connections, transactions))
    await reserved(ledger, "p1")
    transactions.dropped |= {"p1", "on its way"}
    orphaned = [row.id for row in await ledger.orphaned()]
    before = set(transactions.dropped)
    await ledger.void("p1", UNSIGNED, NOON)
    await ledger.orphaned()
    await ledger.close()

    assert (["p1"], {"p1", "on its way"}) == (orphaned, before)
    assert {"on its way"} == transactions.dropped


async def test_two_wait(database: str) -> None:
    """One who stops waiting for an account does not take the bell from another."""
    ledger = await PostgresLedger.open(database, "one")
    waits = [asyncio.create_task(ledger.topped_up(PURCHASE)) for _ in range(2)]
    await asyncio.sleep(0)
    waits[0].cancel()
    await asyncio.wait(waits[:1])
    left = [wait.done() for wait in waits]
    waits[1].cancel()
    await asyncio.wait(waits)
    await ledger.close()

    assert [True, False] == left


async def test_bound_beside_a_full_budget(database: str) -> None:
    """Who is bound to a payment gives back what was raised for one of its own, and no more."""
    ledger = await PostgresLedger.open(database, "one")
    full = Budget("full", Usdc(1), Window.DAY)
    await authorized(ledger, "p1", key="one call", budgets=(DAY, full))
    await ledger.release("p1")
    bound = await ledger.reserve(intent("p2", key="one call", budgets=(DAY, full)), NOON)
    uses = await ledger.budgets([DAY, full], NOON)
    await ledger.close()

    assert isinstance(bound, Payment)
    assert [("p1", 1), ("p1", 1)] == [(bound.id, use.reserved.atomic) for use in uses]


async def test_leased(database: str, tmp_path: Path) -> None:
    """A leased ledger hears of top-ups from the centre, and books a rehearsal where it was made."""
    store = LeasedStore(tmp_path, InPostgres(database))
    ledger: LeasedLedger = await store.open("one")
    made = await reserved(ledger, "p1")
    denied: Any = await ledger.rehearse(made, NOON)
    waiting = asyncio.create_task(ledger.topped_up(PURCHASE))
    await asyncio.sleep(0)
    was_done = waiting.done()
    waiting.cancel()
    (row,) = await ledger.payments(NOON - HOUR, 9)
    await store.close()

    assert (None, False, "rehearsed") == (denied, was_done, row.proof and row.proof.kind)
    assert RECEIPT != row.proof
