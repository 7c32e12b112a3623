"""SQLite as a sidecar has it: without counts of memory."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest

from sidecar.ledger.memory_counts import leave_out

COUNTED = """
import ctypes, _sqlite3, sqlite3
connection = sqlite3.connect(":memory:")
connection.execute("CREATE TABLE numbers (number)")
print(ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used() > 0)
"""


def counted(before: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", before + COUNTED], capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="counted as ever elsewhere")
@pytest.mark.parametrize("first", ["sidecar.ledger.sqlite", "sidecar.service.stores"])
def test_not_counted(first: str) -> None:
    """Whoever opens a ledger has an SQLite that counts no memory, and works as ever."""

    assert ["True", "False"] == [counted(""), counted(f"import {first}")]


def test_too_late() -> None:
    """An SQLite that is in use already goes on counting."""

    assert "True" == counted("import sqlite3, sidecar.ledger.sqlite")


def test_not_to_be_told(tmp_path: Path) -> None:
    """Without the library, with another one, or elsewhere, it counts, and nothing is raised."""
    other = tmp_path / "other.so"
    other.write_bytes(b"")

    assert not leave_out(None)
    assert not leave_out(ModuleSpec("_sqlite3", None))
    assert not leave_out(ModuleSpec("_sqlite3", None, origin=str(other)))
    assert not leave_out(find_spec("math"))
    assert not leave_out(find_spec("_sqlite3"))
    assert not leave_out(find_spec("_sqlite3"), "darwin")
