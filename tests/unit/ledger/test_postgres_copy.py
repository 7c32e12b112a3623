"""``sidecar.ledger.postgres_copy``: a ledger's file in Postgres, to the last row, or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import Payment, Purchase
from sidecar.ledger.postgres import SCHEMA, PostgresLedger
from sidecar.ledger.postgres_copy import Copied, copy
from sidecar.ledger.postgres_desk import PostgresDesk
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.ledger.sqlite_source import source
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.world.every_state import AGAIN, ALL, BUDGETS, NAMED, STATES, see_everything
from tests.world.fakes import NOON
from tests.world.intents import DAY, HOUR, intent, posted, reserved
from tests.world.postgres import PostgresServer
from tests.world.stores import SqliteStore

TABLES = {"payments": 15, "windows": 2, "pins": 2, "freeze": 1}


async def filled(path: Path) -> Path:
    """A ledger of every state, which nobody has open."""
    ledger = await SqliteLedger.open(path, "before")
    await see_everything(ledger)
    await ledger.close()
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def rows_there(url: str) -> list[int]:
    """How many rows the target has, of payments and of events."""
    with psycopg.connect(url) as connection:
        counts = (
            "SELECT (SELECT count(*) FROM sidecar.payments), (SELECT count(*) FROM sidecar.events)"
        )
        return list(connection.execute(counts).fetchone() or ())


async def test_every_state(tmp_path: Path, database: str) -> None:
    """Every payment with its history, windows, pins and the freeze; the file is as before."""
    path = await filled(tmp_path / "ledger.db")
    before = path.read_bytes()
    copied = copy(path, database, SCHEMA)
    old, new = SqliteStore(path).desk(), PostgresDesk(database, SCHEMA)
    payments = old.payments(None, 100)

    assert TABLES | {"events": 44} == copied.rows
    assert before == path.read_bytes()
    assert list(STATES) == [payment.id for payment in reversed(payments)]
    assert payments == new.payments(None, 100)
    assert [old.history(name) for name in STATES] == [new.history(name) for name in STATES]
    assert (old.pins(), NOON + HOUR) == (new.pins(), new.frozen_since())
    assert old.budgets(BUDGETS, NOON) == new.budgets(BUDGETS, NOON)
    assert old.asked() == new.asked()
    assert old.resolvers(payments) == new.resolvers(payments)
    assert sum(payment.amount.atomic for payment in payments) == sum(
        amount.atomic for amount in copied.amounts.values()
    )
    assert Usdc(24) == copied.amounts["voided"]


async def test_paying_goes_on(tmp_path: Path, database: str) -> None:
    """What is paid from the copy comes behind what was copied, and inside the budgets' remains."""
    path = await filled(tmp_path / "ledger.db")
    copy(path, database, SCHEMA)
    ledger = await PostgresLedger.open(database, "after")
    await ledger.unfreeze()
    (use,) = await ledger.budgets((ALL,), NOON)
    left = use.remaining.atomic
    too_much = await ledger.reserve(intent("more", budgets=(ALL,), amount=left + 1), NOON)
    await posted(ledger, "rest", budgets=(ALL,), amount=left)
    newest, *_ = await ledger.payments(None, 1)
    await ledger.close()
    again = await PostgresLedger.open(database, "audits")
    await again.close()

    assert isinstance(too_much, Denied)
    assert ("budget", "rest") == (too_much.rule, newest.id)
    assert 1_000_000 - sum((3, 5, 5, 11, 13, 19, 23, 29, 31, 37, 41, 43, 47)) == left


@pytest.mark.parametrize(
    ("purchase", "payment"),
    [
        (AGAIN, "claimed"),
        (Purchase("once more", explicit=False), "undelivered"),
        (NAMED, "explicit"),
    ],
    ids=lambda value: value.key if isinstance(value, Purchase) else value,
)
async def test_retries_bind(
    tmp_path: Path, database: str, purchase: Purchase, payment: str
) -> None:
    """A retried purchase binds to the payment that was copied: whoever held it is gone."""
    path = await filled(tmp_path / "ledger.db")
    copy(path, database, SCHEMA)
    ledger = await PostgresLedger.open(database, "after")
    await ledger.unfreeze()
    bound = await ledger.claim(purchase, NOON + HOUR, NOON)
    orphans = await ledger.orphaned()
    await ledger.close()

    assert isinstance(bound, Payment)
    assert payment == bound.id
    assert ["reserved", "asked", "approved"] == [each.id for each in orphans]


async def test_empty(tmp_path: Path, database: str) -> None:
    """A ledger without a payment is copied, too."""
    path = tmp_path / "ledger.db"
    await (await SqliteLedger.open(path, "before")).close()

    assert Copied(dict.fromkeys((*TABLES, "events"), 0), {}) == copy(path, database, SCHEMA)


async def pay(url: str) -> None:
    ledger = await PostgresLedger.open(url, "there")
    await reserved(ledger, "p1")
    await ledger.close()


async def freeze(url: str) -> None:
    PostgresDesk(url, SCHEMA).freeze(NOON)


@pytest.mark.parametrize(("use", "table"), [(pay, "payments"), (freeze, "freeze")])
async def test_used_target(
    tmp_path: Path, database: str, use: Callable[[str], object], table: str
) -> None:
    """A target that has been used, if only to freeze it, is refused and stays as it is."""
    path = await filled(tmp_path / "ledger.db")
    await use(database)  # type: ignore[misc]  # both are coroutine functions
    before = rows_there(database)

    with pytest.raises(LedgerError, match=rf"it has rows already \({table}\); copy into an empty"):
        copy(path, database, SCHEMA)
    assert before == rows_there(database)


async def test_used_source(tmp_path: Path, database: str) -> None:
    """While a sidecar has the file open nothing is copied; once it has ended, all is."""
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, "running")
    await reserved(ledger, "p1")
    with pytest.raises(LedgerError, match=r"sidecars have it open \(1\); stop them first"):
        copy(path, database, SCHEMA)
    there = rows_there(database)
    await ledger.abandon()

    assert [0, 0] == there
    assert 1 == copy(path, database, SCHEMA).rows["payments"]


async def test_nobody_comes_meanwhile(tmp_path: Path) -> None:
    """As long as it is copied nobody opens the file, and a change that slipped in is noticed."""
    path = await filled(tmp_path / "ledger.db")

    with ExitStack() as copying:
        found = copying.enter_context(source(path))
        with pytest.raises(LedgerError, match="stayed locked by another process"):
            await SqliteLedger.open(path, "late", lock_wait_s=0.01)
        change(path, "UPDATE probe SET count = count + 1")
        assert 15 == len([*found.rows("payments")])
        with pytest.raises(LedgerError, match="it was changed meanwhile; copy it again"):
            copying.close()


async def test_changed_as_it_was_copied(tmp_path: Path, database: str) -> None:
    """A source that changes as it is copied takes the copy back, however late it is noticed."""
    path = await filled(tmp_path / "ledger.db")
    PostgresDesk(database, SCHEMA).migrate()
    with psycopg.connect(database) as connection:
        connection.execute(SPOILING.format(table="frozen", which="true", how=WAITS).encode())
    with psycopg.connect(database, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        with ThreadPoolExecutor(1) as beside:
            copying = beside.submit(copy, path, database, SCHEMA)
            while not gate.execute(WAITING).fetchall():
                await asyncio.sleep(0.02)
            change(path, "UPDATE probe SET count = count + 1")
            gate.execute("SELECT pg_advisory_unlock(1)")
            with pytest.raises(LedgerError, match="it was changed meanwhile; copy it again"):
                copying.result()

    assert [0, 0] == rows_there(database)


def test_no_source(tmp_path: Path, database: str) -> None:
    """A file that is not there is no ledger, and none is made."""
    with pytest.raises(LedgerError, match="there is none"):
        copy(tmp_path / "ledger.db", database, SCHEMA)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE payments SET amount = amount + 1 WHERE id = 'lost'", "do not agree"),
        ("CREATE TABLE slices (budget TEXT)", r"no ledger of its own has \(slices\)"),
        ("PRAGMA user_version = 3", "it has version 3"),
    ],
    ids=["books", "slices", "version"],
)
async def test_unfit_source(tmp_path: Path, database: str, statement: str, said: str) -> None:
    """A ledger that is not whole, or not all of one, is not copied."""
    path = await filled(tmp_path / "ledger.db")
    change(path, statement)
    with pytest.raises(LedgerError, match=said):
        copy(path, database, SCHEMA)

    assert [0, 0] == rows_there(database)


async def test_unstorable(tmp_path: Path, database: str) -> None:
    """A text that Postgres cannot hold is told of, and nothing was copied."""
    path = await filled(tmp_path / "ledger.db")
    change(path, "UPDATE payments SET caller = 'a' || char(0) WHERE id = 'lost'")
    with pytest.raises(LedgerError, match=r"ledger postgresql://127\.0\.0\.1"):
        copy(path, database, SCHEMA)

    assert [0, 0] == rows_there(database)


WAITS = "PERFORM pg_advisory_xact_lock(1); RETURN NEW;"
WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted"
SPOILING = """
CREATE FUNCTION sidecar.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {how} END $$;
CREATE TRIGGER spoil BEFORE INSERT ON sidecar.{table}
FOR EACH ROW WHEN ({which}) EXECUTE FUNCTION sidecar.spoil();
"""


@pytest.mark.parametrize(
    ("table", "which", "how", "said"),
    [
        ("events", "NEW.seq = 3", "RETURN NULL;", "the number of rows of events differs"),
        (
            "payments",
            "NEW.id = 'lost'",
            "NEW.amount := NEW.amount - 1; RETURN NEW;",
            "the sums of the payments differ",
        ),
        (
            "payments",
            "NEW.id = 'in doubt'",
            "NEW.auth_identity := 'another'; RETURN NEW;",
            "row 5 of payments differs",
        ),
        ("events", "NEW.seq = 3", "NEW.at := NEW.at + 1; RETURN NEW;", "row 3 of events differs"),
        (
            "windows",
            "NEW.budget = 'month'",
            "NEW.spent := NEW.spent + 1; RETURN NEW;",
            "row 2 of windows differs",
        ),
        (
            "frozen",
            "true",
            "NEW.since := NEW.since + 1; RETURN NEW;",
            "row 1 of freeze differs",
        ),
    ],
    ids=["lost row", "amount", "nonce", "time", "window", "freeze"],
)
async def test_differs(
    tmp_path: Path, database: str, table: str, which: str, how: str, said: str
) -> None:
    """One row, one column or one unit that is not as in the source takes back the whole copy."""
    path = await filled(tmp_path / "ledger.db")
    PostgresDesk(database, SCHEMA).migrate()
    with psycopg.connect(database) as connection:
        connection.execute(SPOILING.format(table=table, which=which, how=how).encode())
    with pytest.raises(LedgerError, match=f"{said} in the copy; nothing was copied"):
        copy(path, database, SCHEMA)

    assert [0, 0] == rows_there(database)


async def test_order_of_texts(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    """Names that a language sorts otherwise than bytes do are compared with themselves."""
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, "before")
    for number, route in enumerate(("b", "B", "ä", "a-a", "aa", "a")):
        await reserved(ledger, f"p{number}", route=route, pin_place="", budgets=(DAY,))
    await ledger.close()

    assert 6 == copy(path, database, SCHEMA).rows["pins"]
