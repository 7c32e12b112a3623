"""The contract of the ledger through PgBouncer, each transaction on any of its few connections.

The tests are those of every store, the ones that wait, lock, share or die.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from tests.conformance.test_ledger import (  # noqa: F401  # pytest finds them here
    Store,
    ledger,
    test_answered_by_a_top_up,
    test_budget_is_filled_exactly,
    test_cancelled_caller,
    test_claim_in_doubt,
    test_close_finishes,
    test_concurrent_claims,
    test_concurrent_reservations,
    test_durable,
    test_first_payee_is_pinned,
    test_freeze,
    test_frozen_amid_reservations,
    test_held_by_another_process,
    test_holding_dies,
    test_one_top_up_at_a_time,
    test_orphan_makes_way,
    test_orphan_stays_when_refused,
    test_refusal_undoes_everything,
    test_release_by_another,
    test_reserve_binds_posted,
    test_reserve_returns_the_payment,
    test_top_ups_in_an_hour,
    test_two_jumps_at_once,
    test_two_payees_at_once,
    test_two_processes_one_budget,
    test_unknown_payment,
    test_unstorable_text,
    test_voided_under_its_feet,
)
from tests.faults.postgres_moves import Books, wanted
from tests.world.fakes import NOON
from tests.world.pgbouncer import PgBouncer
from tests.world.postgres import PostgresServer
from tests.world.stores import Opened, PostgresStore

CONNECTIONS = 3


@pytest.fixture(scope="module")
def pool(postgres: PostgresServer) -> Iterator[PgBouncer]:
    """A pool that is smaller than what one replica asks for."""
    with PgBouncer(postgres, CONNECTIONS) as running:
        yield running


@pytest.fixture
async def store(pool: PgBouncer, database: str) -> AsyncIterator[Store]:
    """The shared books of one test, behind the pool."""
    made = Opened(PostgresStore(pool.url(database), wait_s=60.0))
    yield made
    await made.close()


async def test_nothing_is_left_in_a_session(
    pool: PgBouncer, postgres: PostgresServer, database: str, store: Store
) -> None:
    """What one transaction sets for itself, no other one finds on its connection."""
    one = await store.open("one")
    await one.reserve(wanted("p1"), NOON)
    asked = "SELECT current_setting('search_path'), current_setting('lock_timeout')"

    assert {('"$user", public', "0")} == {
        row for _ in range(2 * CONNECTIONS) for row in rows(pool.url(database), asked)
    }
    assert [] == Books(postgres, database).wrong_windows()


def rows(url: str, sql: str) -> list[tuple[object, ...]]:
    """What this answers to whoever comes by the url."""
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()
