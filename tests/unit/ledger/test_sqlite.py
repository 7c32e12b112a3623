"""A ledger file is read beside its writer, outlives kill -9, and is whole wherever it was cut."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import PaymentState, Proof, Purchase
from sidecar.ledger.sqlite import SqliteLedger, open_books
from tests.world import ledger_process
from tests.world.fakes import NOON
from tests.world.intents import (
    DAY,
    EXPIRED,
    RECEIPT,
    SECOND,
    UNSIGNED,
    authorization,
    authorized,
    intent,
    posted,
    reserved,
    row_of,
)

FRAME_HEADER, WAL_HEADER = 24, 32
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


async def test_read_beside_the_writer(path: Path) -> None:
    """Payments are listed while a sidecar runs, without a word to it."""
    ledger = await SqliteLedger.open(path, "one")
    await posted(ledger, "p1")
    await reserved(ledger, "p2")

    assert await ledger.payments(None, 10) == SqliteLedger.read(path, None, 10)
    assert ["p2"] == [row.id for row in SqliteLedger.read(path, None, 1)]
    assert () == SqliteLedger.read(path, NOON + SECOND, 10)
    await ledger.close()


async def test_read_without_a_writer(path: Path) -> None:
    """Payments are listed when no sidecar runs, and reading changes nothing."""
    ledger = await SqliteLedger.open(path, "one")
    await posted(ledger, "p1")
    rows = await ledger.payments(None, 10)
    await ledger.close()
    before = path.read_bytes()

    assert rows == SqliteLedger.read(path, None, 10)

    assert before == path.read_bytes()


def test_read_after_a_crash(path: Path) -> None:
    """Payments that only the write-ahead log of a killed process has are listed."""
    ledger_process.kill(ledger_process.start("hold", path, "one", "posted"))
    assert Path(f"{path}-wal").stat().st_size > 0

    assert [f"p{n}" for n in reversed(range(10))] == [
        row.id for row in SqliteLedger.read(path, None, 100)
    ]


def test_read_nothing(path: Path) -> None:
    """A ledger that is not there is not made by reading it."""
    with pytest.raises(LedgerError, match=f"ledger {path}: it cannot be opened"):
        SqliteLedger.read(path, None, 10)

    assert not path.exists()


@pytest.mark.parametrize("state", [PaymentState.AUTHORIZED, PaymentState.POSTED])
async def test_kill_9(path: Path, state: PaymentState) -> None:
    """After kill -9, an immediate retry binds to what the dead process held."""
    process = ledger_process.start("hold", path, "one", state)
    ledger = await SqliteLedger.open(path, "two")
    purchase = Purchase("k3", explicit=False)
    assert await ledger.claim(purchase, NOON, NOON) is None
    ledger_process.kill(process)

    claimed = await ledger.claim(purchase, NOON, NOON)

    assert await row_of(ledger, "p3") == claimed
    assert claimed is not None
    assert state == claimed.state
    await ledger.close()


async def test_kill_9_while_reserved(path: Path) -> None:
    """After kill -9, what was only reserved is orphaned; while its owner lives, it is not."""
    process = ledger_process.start("hold", path, "one", "reserved")
    ledger = await SqliteLedger.open(path, "two")
    assert () == await ledger.orphaned()
    ledger_process.kill(process)

    assert [f"p{n}" for n in range(10)] == [row.id for row in await ledger.orphaned()]
    await ledger.close()


async def test_opened_again_after_kill_9(path: Path) -> None:
    """A ledger that a killed process leaves is opened, with all that it had committed."""
    ledger_process.kill(ledger_process.start("hold", path, "one", "authorized"))

    ledger = await SqliteLedger.open(path, "two")

    assert 10 == len(await ledger.in_doubt())
    (use,) = await ledger.budgets([DAY], NOON)
    assert 10 == use.reserved.atomic
    await ledger.close()


async def _live(ledger: SqliteLedger) -> None:
    """A bit of everything."""
    await posted(ledger, "p1", amount=3)
    await ledger.deliver("p1", NOON)
    await authorized(ledger, "p2", amount=5)
    await ledger.void("p2", EXPIRED, NOON)
    await reserved(ledger, "p3", amount=7)
    await ledger.void("p3", UNSIGNED, NOON)
    await posted(ledger, "p4", Proof("served"), amount=11)
    await ledger.post("p4", RECEIPT, NOON)
    await ledger.give_up("p4", NOON)


async def test_power_cut(path: Path, tmp_path: Path) -> None:
    """Wherever the log was cut, the ledger opens: each commit is there as a whole, or not at all.

    The audit at open is the judge: the rows, the events and the totals must agree.
    """
    ledger = await SqliteLedger.open(path, "one")
    await _live(ledger)
    log = tmp_path / "log"
    ledger_process.copy(path, tmp_path / "copy.db")
    ledger_process.copy(Path(f"{path}-wal"), log)
    await ledger.close()
    written = log.read_bytes()
    seen = []

    for end in (0, *range(WAL_HEADER, len(written) + 1, (FRAME_HEADER + PAGE) // 2)):
        folder = tmp_path / f"cut at {end}"
        folder.mkdir()
        cut = folder / "ledger.db"
        shutil.copy(tmp_path / "copy.db", cut)
        Path(f"{cut}-wal").write_bytes(written[:end])
        books = open_books(cut, "two", 1)
        seen.append(books.connection.execute("SELECT count(*) FROM events").fetchone()[0])
        books.leave()

    assert sorted(seen) == seen
    assert list(range(15)) == sorted(set(seen))


async def test_one_event_for_each_step(path: Path) -> None:
    """Every state change, claim, delivery, giving up and confirmation adds one event."""
    ledger = await SqliteLedger.open(path, "one")
    await _live(ledger)
    await authorized(ledger, "p5", key="one call")
    await ledger.release("p5")
    await ledger.claim(Purchase("one call", explicit=False), NOON, NOON)
    await ledger.close()

    with closing(sqlite3.connect(path)) as connection:
        told = connection.execute(
            "SELECT id, group_concat(kind, ' ') FROM "
            "(SELECT * FROM events JOIN payments ON payments.seq = payment ORDER BY events.seq) "
            "GROUP BY id"
        ).fetchall()
    assert [
        ("p1", "reserved authorized posted delivered"),
        ("p2", "reserved authorized voided"),
        ("p3", "reserved voided"),
        ("p4", "reserved authorized posted confirmed closed"),
        ("p5", "reserved authorized claimed"),
    ] == told


async def test_on_write_failure(path: Path) -> None:
    """Who asked to hear of failed writes hears of each, once, in the loop."""
    heard: list[str] = []
    ledger = await SqliteLedger.open(path, "one", heard.append, lock_wait_s=0.02)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LedgerError) as refused:
            await ledger.reserve(intent("p1"), NOON)
        with pytest.raises(LedgerError):
            await ledger.check_writable()

    assert [str(refused.value)] * 2 == heard
    await ledger.check_writable()
    await ledger.close()


async def test_nobody_listens(path: Path) -> None:
    """A ledger needs nobody to hear of its failed writes."""
    ledger = await SqliteLedger.open(path, "one", lock_wait_s=0.02)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LedgerError, match="locked"):
            await ledger.authorize("p1", authorization("p1"), NOON)

    await ledger.close()


async def test_no_secrets_on_disk(path: Path) -> None:
    """The signature itself is not stored: the tables have no place for one."""
    ledger = await SqliteLedger.open(path, "one")
    await ledger.close()

    with closing(sqlite3.connect(path)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(payments)")}
    assert set() == {name for name in columns if "sign" in name or "payload" in name}
