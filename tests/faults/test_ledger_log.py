"""The write-ahead log of a killed sidecar is removed or cut: what it held is missed, not forgotten.

Nothing is paid from what is left, and not one byte of it is changed, until a person puts the log
back or says by deleting a named file that the rest is to be used as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_desk
from sidecar.ledger.sqlite import SqliteLedger
from tests.world import ledger_process
from tests.world.fakes import NOON
from tests.world.intents import authorized, posted
from tests.world.processes import ROOT, free_port
from tests.world.running import config_text

IN_FILE, IN_LOG = 5, 10


@pytest.fixture
async def killed(tmp_path: Path) -> Path:
    """A ledger with payments in its file; a process that made more was killed."""
    path = tmp_path / "ledger.db"
    first = await SqliteLedger.open(path, "first")
    for n in range(IN_FILE):
        await posted(first, f"early{n}")
    await first.close()
    ledger_process.kill(ledger_process.start("hold", path, "second", "authorized"))
    return path


def log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def lock_of(path: Path, instance: str) -> Path:
    return path.with_name(f"{path.name}.instances") / f"{instance}.lock"


def remove(path: Path) -> None:
    """The log and its index are taken for rubbish."""
    log_of(path).unlink()
    Path(f"{path}-shm").unlink()


async def said_at_start(path: Path, instance: str = "third") -> str:
    """The sentence of the refusal; empty where the ledger opens."""
    try:
        ledger = await SqliteLedger.open(path, instance)
    except LedgerError as refusal:
        return str(refusal)
    await ledger.close()
    return ""


async def test_intact(killed: Path) -> None:
    """With its log, what a killed process leaves opens whole, and then needs the log no more."""
    assert "" == await said_at_start(killed)
    assert not log_of(killed).exists()
    assert [] == list(lock_of(killed, "any").parent.iterdir())
    assert IN_FILE + IN_LOG == len(SqliteLedger.read(killed, None, 100))


async def test_removed(killed: Path) -> None:
    """Without its log it is refused at each start: which events, what to do; nothing is written."""
    remove(killed)
    before = killed.read_bytes()
    said = [await said_at_start(killed, name) for name in ("third", "fourth")]

    # Three events for each of the early ones, two for each of the late.
    sentence = (
        f"ledger {killed}: it is not whole: events 16 to 35 were committed and are not there, so "
        f"payments may be missing. Put back {killed}-wal if it was moved away, or a backup that "
        "has them. To go on without them, at the risk of paying again what they paid, stop "
        f"whoever has it open and delete {lock_of(killed, 'second')}"
    )
    assert [sentence] * 2 == said
    assert before == killed.read_bytes()


async def test_put_back(killed: Path, tmp_path: Path) -> None:
    """Once the log is back, the ledger opens with every payment."""
    away = tmp_path / "away"
    log_of(killed).rename(away)
    assert "it is not whole" in await said_at_start(killed)
    away.rename(log_of(killed))

    assert "" == await said_at_start(killed, "fourth")
    assert IN_FILE + IN_LOG == len(SqliteLedger.read(killed, None, 100))


async def test_accepted(killed: Path) -> None:
    """The file that the sentence names is the way out: deleted, the rest is used as it is."""
    remove(killed)
    named = re.findall(r"delete (\S+)$", await said_at_start(killed))
    for name in named:
        Path(name).unlink()

    assert "" == await said_at_start(killed, "fourth")
    assert IN_FILE == len(SqliteLedger.read(killed, None, 100))


@pytest.mark.parametrize("kept", [0.0, 0.25, 0.5, 0.9, 0.99])
async def test_cut(killed: Path, kept: float) -> None:
    """A log that was cut anywhere is missed like one that was removed."""
    log = log_of(killed)
    os.truncate(log, int(log.stat().st_size * kept))

    assert "it is not whole: events " in await said_at_start(killed)


async def test_removed_from_a_new_ledger(tmp_path: Path) -> None:
    """A ledger whose log never reached its file is no new one: it is not begun afresh."""
    path = tmp_path / "ledger.db"
    ledger_process.kill(ledger_process.start("hold", path, "first", "posted"))
    remove(path)

    assert "it is not whole: events 1 to 30 were committed" in await said_at_start(path)


async def test_removed_with_the_ledger(killed: Path) -> None:
    """A ledger that was deleted altogether is missed, and not made again."""
    remove(killed)
    killed.unlink()

    assert "it is not whole: events 1 to 35 were committed" in await said_at_start(killed)
    assert not killed.exists()


async def test_older_backup(killed: Path, tmp_path: Path) -> None:
    """A backup older than what was committed since is not taken for the whole."""
    backup = tmp_path / "backup.db"
    shutil.copy(killed, backup)
    assert "" == await said_at_start(killed)
    ledger_process.kill(ledger_process.start("hold", killed, "fourth", "reserved"))
    remove(killed)
    shutil.copy(backup, killed)

    assert "it is not whole: events 16 to 45 were committed" in await said_at_start(killed, "fifth")


async def test_clean_end(killed: Path) -> None:
    """After an end in peace there is no log to lose, and a copy of the file is all that counts."""
    assert "" == await said_at_start(killed)
    elsewhere = killed.parent / "new machine" / "ledger.db"
    elsewhere.parent.mkdir()
    shutil.copy(killed, elsewhere)

    assert ["", ""] == [await said_at_start(path, "fourth") for path in (killed, elsewhere)]


async def test_left_beside_others(tmp_path: Path) -> None:
    """What one committed and left to the log, beside another that was killed, is missed too."""
    path = tmp_path / "ledger.db"
    silent = ledger_process.start("hold", path, "silent", "reserved")
    busy = await SqliteLedger.open(path, "busy")
    await authorized(busy, "late")
    await busy.close()
    ledger_process.kill(silent)
    remove(path)

    assert "it is not whole: events 1 to 12 were committed" in await said_at_start(path)


async def test_opened_and_killed(killed: Path) -> None:
    """Who opened and committed nothing still remembers what the dead before it had committed."""
    living = await SqliteLedger.open(killed, "third")
    left = killed.parent / "left"
    left.mkdir()
    ledger_process.copy(killed, left / killed.name)
    shutil.copytree(lock_of(killed, "any").parent, left / f"{killed.name}.instances")
    await living.close()

    assert "it is not whole: events 16 to 35 were committed" in await said_at_start(
        left / killed.name, "fourth"
    )


async def test_read(killed: Path) -> None:
    """A list that lacks payments is not shown as if it were whole."""
    assert IN_FILE + IN_LOG == len(SqliteLedger.read(killed, None, 100))
    remove(killed)

    with pytest.raises(LedgerError, match="it is not whole: events 16 to 35"):
        SqliteLedger.read(killed, None, 100)
    with pytest.raises(LedgerError, match="it is not whole: events 16 to 35"):
        sqlite_desk.pins(killed)


async def test_read_beside_a_writer(tmp_path: Path) -> None:
    """Lists are read beside a busy writer: its mark is never ahead of what can be read."""
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, "one")
    for n in range(20):
        await posted(ledger, f"p{n}")

        assert n + 1 == len(SqliteLedger.read(path, None, 100))
    await ledger.close()


async def test_freeze_without_the_log(killed: Path) -> None:
    """Freezing works on what is left, and does not make it whole."""
    remove(killed)

    assert NOON == sqlite_desk.freeze(killed, NOON)
    assert "it is not whole: events 16 to 35" in await said_at_start(killed)


def run(command: str, config: Path) -> subprocess.CompletedProcess[str]:
    """One command of the sidecar's, which is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "sidecar", command, "--config", config],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("command", ["run", "payments"])
async def test_command(killed: Path, tmp_path: Path, command: str) -> None:
    """``sidecar run`` and ``sidecar payments`` say it in one sentence and exit."""
    remove(killed)
    config = tmp_path / "sidecar.yaml"
    config.write_text(config_text(tmp_path, "http://127.0.0.1:9", port=free_port()))
    done = run(command, config)

    assert 0 < done.returncode < 128
    assert f"ledger {killed}: it is not whole" in done.stderr
    assert "Traceback" not in done.stderr
