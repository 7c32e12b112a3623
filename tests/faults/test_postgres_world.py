"""The Postgres of the tests does what the tests of the ledger believe it does."""

from __future__ import annotations

from threading import Thread
from typing import Any

import psycopg
import pytest

from tests.world.postgres import PASSWORD, PASSWORD_ROLE, PostgresServer, database_of, url_of
from tests.world.processes import wait_until

COUNT = "SELECT count(*) FROM kept"


def test_databases_are_apart(postgres: PostgresServer) -> None:
    """Each test has an empty database, which belongs to a role that is no superuser."""
    with postgres.database() as one, postgres.database() as two:
        with psycopg.connect(one) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"

        assert [(1,)] == postgres.execute(tables, url=one)
        assert [(0,)] == postgres.execute(tables, url=two)
        assert [("off",)] == rows(one, "SHOW is_superuser")
        assert [("on",)] == rows(one, "SHOW fsync")
    names = "SELECT datname FROM pg_database WHERE datname = %s"

    assert [] == postgres.execute(names, (database_of(one),))


def test_dropped_under_clients(postgres: PostgresServer) -> None:
    """A database is dropped at the end even where somebody is connected still."""
    with postgres.database() as url:
        connection = psycopg.connect(url)

    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


def test_password(postgres: PostgresServer) -> None:
    """One role is asked for its password, and no other is."""
    with psycopg.connect(postgres.url(user=PASSWORD_ROLE), password=PASSWORD):
        pass

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url(user=PASSWORD_ROLE), password="a wrong one")


def test_killed(own_postgres: PostgresServer) -> None:
    """What was committed outlives kill -9 and a stop in each mode, and what was not does not."""
    url = own_postgres.fresh_database()
    own_postgres.execute("CREATE TABLE kept (id int)", url=url)
    for number, stop in enumerate((own_postgres.kill, own_postgres.stop), start=1):
        own_postgres.execute("INSERT INTO kept VALUES (1)", url=url)
        with psycopg.connect(own_postgres.url(database_of(url), "postgres")) as open_still:
            open_still.execute("INSERT INTO kept VALUES (2)")
            stop()
            with pytest.raises(psycopg.OperationalError):
                open_still.execute("SELECT 1")
        own_postgres.start()

        assert [(number,)] == own_postgres.execute(COUNT, url=url)
    own_postgres.restart("immediate")

    assert [(2,)] == own_postgres.execute(COUNT, url=url)


def test_settings(postgres: PostgresServer) -> None:
    """A server of its own may be set up as the ledger refuses it."""
    with postgres.sibling({"fsync": "off"}) as server:
        assert [("off",)] == server.execute("SHOW fsync")


def test_failover(own_postgres: PostgresServer) -> None:
    """A standby has all that was committed, and one url leads to whoever is writable."""
    url = own_postgres.fresh_database()
    standby = own_postgres.standby()
    both = url_of(own_postgres, standby, database=database_of(url))
    with psycopg.connect(both) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    with psycopg.connect(both) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
    own_postgres.kill()

    assert [(1,)] == standby.execute(COUNT, url=url)
    assert [("on",)] == rows(standby.url(database_of(url)), "SHOW transaction_read_only")
    standby.promote()
    with psycopg.connect(both) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")

    assert [(2,)] == standby.execute(COUNT, url=url)


def test_waits_for_the_standby(own_postgres: PostgresServer) -> None:
    """A commit does not return before the standby has it; who cancels it is warned, not told no."""
    url = own_postgres.fresh_database()
    standby = own_postgres.standby()
    own_postgres.execute("CREATE TABLE kept (id int)", url=url)
    standby.kill()
    notices: list[str] = []
    name = database_of(url)
    with psycopg.connect(own_postgres.url(name, "postgres"), autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        # No timeout of the server ends this wait.
        canceling = Thread(target=cancel_one_that_waits, args=(own_postgres,))
        canceling.start()
        connection.execute("INSERT INTO kept VALUES (1)")
        canceling.join()

    assert ["canceling wait for synchronous replication due to user request"] == notices
    assert [(1,)] == own_postgres.execute(COUNT, url=url)


def cancel_one_that_waits(server: PostgresServer) -> None:
    """Cancel the statement that waits for a standby, once there is one."""
    waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    wait_until(lambda: server.execute(waiting) == [(True,)], "a commit waits for the standby")


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """What this answers to whoever comes by the url."""
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()
