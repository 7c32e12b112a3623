"""A ledger that was cut, flipped or robbed while nobody had it open.

It is refused at start, with a sentence, and not one byte of it is changed: what a person or a
backup program finds afterwards is what the fault left. Short form: a few bits of each page;
SIDECAR_LEDGER_FAULTS=all flips one in every 97 bytes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import Budget, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import authorized, posted, reserved
from tests.world.processes import ROOT, free_port
from tests.world.running import config_text

ALL = os.environ.get("SIDECAR_LEDGER_FAULTS") == "all"
PAGE_BYTES = 4096
ROOM = (Budget("room", Usdc(100_000), Window.DAY),)
# In what a killed process leaves: so many payments in the file, and so many in its log alone.
IN_FILE, IN_LOG = 120, 20


async def filled(path: Path, instance: str, first: int, count: int) -> SqliteLedger:
    """A ledger with so many more payments, in every state, still open."""
    ledger = await SqliteLedger.open(path, instance)
    makers = (reserved, authorized, posted)
    for n in range(first, first + count):
        await makers[n % 3](ledger, f"p{n}", key=f"k{n}", budgets=ROOM)
    return ledger


async def left_behind(folder: Path) -> Path:
    """The folder as a killed process leaves it: a file, and a log that is not in it yet."""
    path = folder / "living" / "ledger.db"
    first = await filled(path, "one", 0, IN_FILE)
    await first.close()
    second = await filled(path, "two", IN_FILE, IN_LOG)
    left = folder / "left"
    copy(path.parent, left)
    await second.close()
    (left / "ledger.db-shm").unlink()
    return left


def copy(source: Path, target: Path) -> None:
    """By a process of its own: closing the file here would drop the locks that SQLite holds."""
    subprocess.run(["cp", "-r", source, target], check=True)


def snapshot(folder: Path) -> dict[str, bytes]:
    """The ledger and its log, byte for byte."""
    files = (folder / name for name in ("ledger.db", "ledger.db-wal"))
    # Who looks at a ledger leaves an empty log beside it, which means the same as none.
    return {file.name: file.read_bytes() for file in files if file.exists() and file.stat().st_size}


async def said_at_start(path: Path, instance: str = "three") -> str:
    """The sentence of the refusal; empty where the ledger opens."""
    try:
        ledger = await SqliteLedger.open(path, instance)
    except LedgerError as refusal:
        return str(refusal)
    await ledger.close()
    return ""


async def test_whole(tmp_path: Path) -> None:
    """What a killed process leaves opens with every row, from the file and from its log."""
    left = await left_behind(tmp_path)

    assert "" == await said_at_start(left / "ledger.db")
    assert IN_FILE + IN_LOG == len(SqliteLedger.read(left / "ledger.db", None, 1000))


@pytest.mark.parametrize("pages", [0, 1, 3, 8, 20])
async def test_truncated(tmp_path: Path, pages: int) -> None:
    """A file that was cut short is refused with a sentence, and it and its log stay as they are."""
    left = await left_behind(tmp_path)
    os.truncate(left / "ledger.db", pages * PAGE_BYTES)
    before = snapshot(left)
    said = [await said_at_start(left / "ledger.db", name) for name in ("three", "four")]

    assert all(one.startswith(f"ledger {left}/ledger.db: it is ") for one in said), said
    assert before == snapshot(left)


@pytest.mark.parametrize("page", [0, 4, 9, 14])
async def test_noise(tmp_path: Path, page: int) -> None:
    """A file with a page of noise is refused with a sentence, and not written."""
    path = tmp_path / "ledger.db"
    await (await filled(path, "one", 0, IN_FILE)).close()
    with path.open("r+b") as file:
        file.seek(page * PAGE_BYTES)
        file.write(b"\xa5" * PAGE_BYTES)
    before = snapshot(tmp_path)
    said = await said_at_start(path)

    assert said.startswith(f"ledger {path}: it is "), said
    assert before == snapshot(tmp_path)


async def test_flipped_bits(tmp_path: Path) -> None:
    """One flipped bit anywhere: refused and untouched, or the money in the books is the same."""
    whole = tmp_path / "whole" / "ledger.db"
    await (await filled(whole, "one", 0, IN_FILE)).close()
    original = whole.read_bytes()
    expected = _money(whole)
    step = 97 if ALL else 1_511
    changed, written = [], []
    for position in range(0, len(original), step):
        folder = tmp_path / str(position)
        folder.mkdir()
        path = folder / "ledger.db"
        flipped = bytearray(original)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        said = await said_at_start(path)
        if said and path.read_bytes() != bytes(flipped):
            written.append(position)
        if not said and _money(path) != expected:
            changed.append(position)
        shutil.rmtree(folder)

    assert [] == written
    assert [] == changed


def _money(path: Path) -> list[tuple[str, int, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT state, amount, windows FROM payments ORDER BY seq"
        ).fetchall()


async def test_damaged_log(tmp_path: Path) -> None:
    """A log that was cut keeps what was whole before the cut, and nothing of it is half there.

    As a power cut leaves it, where the mark was lost with the log (test_ledger_log: where not).
    """
    left = await left_behind(tmp_path)
    shutil.rmtree(left / "ledger.db.instances")
    log = left / "ledger.db-wal"
    os.truncate(log, log.stat().st_size // 2)
    said = await said_at_start(left / "ledger.db")
    rows = SqliteLedger.read(left / "ledger.db", None, 1000)

    assert "" == said
    assert IN_FILE <= len(rows) <= IN_FILE + IN_LOG
    ledger = await SqliteLedger.open(left / "ledger.db", "four")
    (use,) = await ledger.budgets(ROOM, NOON)
    await ledger.close()
    assert len([row for row in rows if row.state.value == "posted"]) == use.spent.atomic


def run(config: Path) -> subprocess.CompletedProcess[str]:
    """``sidecar run``, which is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "sidecar", "run", "--config", config],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_damaged_service(tmp_path: Path) -> None:
    """``sidecar run`` on a damaged ledger says so in one sentence, exits, and changes nothing."""
    path = tmp_path / "ledger.db"
    await (await filled(path, "one", 0, IN_FILE)).close()
    os.truncate(path, 9 * PAGE_BYTES)
    before = snapshot(tmp_path)
    config = tmp_path / "sidecar.yaml"
    config.write_text(config_text(tmp_path, "http://127.0.0.1:9", port=free_port()))
    done = run(config)

    assert 0 < done.returncode < 128
    assert f"ledger {path}: it is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert before == snapshot(tmp_path)


async def test_unreadable_name(tmp_path: Path) -> None:
    """A name that is no text any more, which SQLite quotes as it is, is damage like any other."""
    path = tmp_path / "ledger.db"
    await (await filled(path, "one", 0, 3)).close()
    whole = path.read_bytes()
    # SQLite names the table whose making it cannot read.
    named = whole.replace(b"tablepayments", b"tablep\xe9yments", 1)
    path.write_bytes(named.replace(b"CREATE TABLE payments", b"CREATE TABLX payments", 1))
    said = await said_at_start(path)

    assert f"ledger {path}: it is damaged; restore it from a backup" == said
