"""The stores that a ledger can be in, for what holds in all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world.stores import PostgresStore, SqliteStore, Store


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Where the books of one test are; there is no ledger yet."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "ledger.db")
    return PostgresStore(request.getfixturevalue("database"))
