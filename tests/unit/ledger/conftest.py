"""The stores that a ledger can be in, for what holds in all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_writer import Writer
from tests.world.stores import PostgresStore, SqliteStore, Store


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Where the books of one test are; there is no ledger yet."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "ledger.db")
    return PostgresStore(request.getfixturevalue("database"))


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """The books of one process."""
    opened = open_books(tmp_path / "ledger.db", "one", 1)
    yield opened
    opened.leave()


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    """A writer of the same ledger."""
    path = tmp_path / "ledger.db"
    made = Writer(path, lambda: open_books(path, "one", 1), lambda sentence: None)
    await made.start()
    yield made
    await made.close()
