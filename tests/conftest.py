"""What holds for every test, and the Postgres that those who ask for it share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.world.postgres import PostgresServer

# How long an example takes, or is in being made, says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Behind a shell's & it is ignored, and every process that a test interrupts would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real server, started by the first test that asks. Nobody stops it or sets it up."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The url of an empty database for one test."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def own_postgres(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server for one test, which may do with it what it likes."""
    with postgres.sibling() as server:
        yield server
