"""`sidecar migrate` of a ledger in a file, and what `sidecar ledger copy` may be told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.commands import Command, write_config
from tests.unit.cli.rows import write_ledger


def test_file(sidecar: Command, tmp_path: Path) -> None:
    """A file has its tables from whoever made it, so nothing is done, and none is made."""
    path = write_config(tmp_path, "hosts", to=[])
    file = tmp_path / "state" / "ledger.db"
    none = sidecar("migrate", "--config", path)
    assert not file.exists()
    write_ledger(file, "0x12")
    there = sidecar("migrate", "--config", path)

    assert (0, f"ledger {file}: there is none yet; the first run makes it\n") == (
        none.status,
        none.out,
    )
    assert (0, f"ledger {file}: up to date; a file needs no migration\n") == (
        there.status,
        there.out,
    )


def test_file_of_another_version(sidecar: Command, tmp_path: Path) -> None:
    """A file of another version is told of as by whoever pays from it."""
    path = write_config(tmp_path, "hosts", to=[])
    file = tmp_path / "state" / "ledger.db"
    write_ledger(file, "0x12")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 3")
    ran = sidecar("migrate", "--config", path)

    assert (7, "") == (ran.status, ran.out)
    assert "it has version 3, and this sidecar knows version 4" in ran.err


@pytest.mark.parametrize(
    "target",
    [
        "postgresql://u:Hunter-2-canary@db/s",
        "Hunter-2-canary",
        "env:",
        "keystore:Hunter-2-canary",
    ],
)
def test_target(sidecar: Command, tmp_path: Path, target: str) -> None:
    """What is typed is where the URL is kept, never the URL; it is not repeated."""
    ran = sidecar("ledger", "copy", tmp_path / "ledger.db", target)

    assert 2 == ran.status
    assert ran.err.startswith("TO: not a place that keeps a URL; write env:NAME or file:PATH")
    assert "Hunter" not in ran.out + ran.err


def test_unset_target(sidecar: Command, tmp_path: Path) -> None:
    """A place that keeps nothing is named."""
    unset = sidecar("ledger", "copy", tmp_path / "ledger.db", "env:NO_SUCH_VARIABLE")
    missing = sidecar("ledger", "copy", tmp_path / "ledger.db", f"file:{tmp_path}/none.url")

    assert (2, 2) == (unset.status, missing.status)
    assert "TO: $NO_SUCH_VARIABLE: empty or not set; put the secret there\n" == unset.err
    assert f"{tmp_path}/none.url" in missing.err
