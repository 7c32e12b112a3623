"""The money flows run on both stores."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.world.postgres import PostgresServer
from tests.world.stores import PostgresStore, SqliteStore, Store

_schemas = count(1)


@pytest.fixture(scope="session")
def flows_database(postgres: PostgresServer) -> str:
    """The url of the database in which each flow has a schema, which is there sooner."""
    return postgres.fresh_database()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """The shared books of one test."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "ledger.db")
    return PostgresStore(request.getfixturevalue("flows_database"), f"flow_{next(_schemas)}")
