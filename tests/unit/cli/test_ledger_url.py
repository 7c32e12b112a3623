"""The URL of a ledger in Postgres, as commands show it: never, but for what may be shown of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.unit.cli.commands import Command, write_config, write_private
from tests.world.processes import ROOT

PASSWORD = "Hunter-2-canary"
URL = f"postgresql://u:{PASSWORD}@db.example/books"
PLACE = "postgresql://db.example:5432/books"


def test_check(sidecar: Command, tmp_path: Path) -> None:
    """`check` says which server and database it is, and warns of a way that others can read."""
    write_private(tmp_path / "books.url", URL)
    path = write_config(tmp_path, "ledger", to={"postgres": {"file": "books.url"}})
    plain = sidecar("check", "--config", path, "--json")
    write_private(tmp_path / "books.url", f"{URL}?sslmode=verify-full")
    sealed = sidecar("check", "--config", path, "--json")
    told, quiet = json.loads(plain.out), json.loads(sealed.out)

    assert (0, PLACE, PLACE) == (plain.status, told["ledger"], quiet["ledger"])
    assert [
        f"who stands on the way to {PLACE} may read what the ledger is told; "
        "add sslmode=verify-full to its URL"
    ] == [note for note in told["notes"] if note not in quiet["notes"]]
    assert PASSWORD not in plain.out + plain.err + sealed.out + sealed.err


def test_check_finds_mistakes(sidecar: Command, tmp_path: Path) -> None:
    """A URL that names no database is one of `check`'s mistakes, with its key and line."""
    write_private(tmp_path / "books.url", f"postgresql://u:{PASSWORD}@db.example")
    path = write_config(tmp_path, "ledger", to={"postgres": {"file": "books.url"}})
    ran = sidecar("check", "--config", path)
    line = path.read_text().splitlines().index("    file: books.url") + 1

    assert 2 == ran.status
    assert ran.err.startswith("ledger.postgres: its database is missing, or no plain name; ")
    assert ran.err.endswith(f"(line {line})\n")
    assert PASSWORD not in ran.err


def test_no_driver(tmp_path: Path) -> None:
    """Where the driver is not installed, it is said how to install it."""
    (tmp_path / "psycopg").mkdir()
    (tmp_path / "psycopg" / "__init__.py").write_text("raise ImportError('not here')\n")
    write_private(tmp_path / "books.url", URL)
    path = write_config(tmp_path, "ledger", to={"postgres": {"file": "books.url"}})
    ran = subprocess.run(
        [sys.executable, "-m", "sidecar", "check", "--config", path],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 2 == ran.returncode
    assert "its driver is missing; run: pip install 'x402-sidecar[postgres]' (line" in ran.stderr
