"""The cable and the pool between the tests and Postgres do what the tests believe they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.world.cable import Cable, Message, Side
from tests.world.pgbouncer import PgBouncer
from tests.world.postgres import PostgresServer
from tests.world.processes import wait_until

COUNT = "SELECT count(*) FROM kept"
INSERT = "BEGIN; INSERT INTO kept VALUES (1); COMMIT"


@pytest.fixture
def cable(postgres: PostgresServer, database: str) -> Iterator[Cable]:
    """The one of each test, before a database with a table."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    with Cable(postgres.port) as made:
        yield made


def is_insert(message: Message) -> bool:
    """The query, and not its answer."""
    return message.side == Side.CLIENT and b"INSERT" in message.body


def kept(postgres: PostgresServer, database: str) -> int:
    """How many rows there are, seen past the cable, once nobody is at work."""
    working = "SELECT 1 FROM pg_stat_activity WHERE usename = 'sidecar' AND datname = %s"
    name = database.rpartition("/")[2]
    wait_until(lambda: not postgres.execute(working, (name,)), "the server is done")
    ((count,),) = postgres.execute(COUNT, url=database)
    return int(count)


def tried(url: str) -> bool:
    """Insert a row; whether the answer came."""
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            connection.execute(INSERT)
        except psycopg.OperationalError:
            return False
        return True


def test_passes(cable: Cable, postgres: PostgresServer, database: str) -> None:
    """Without a cut it is a cable: everything arrives, and is told."""
    assert tried(cable.url(database))
    assert 1 == kept(postgres, database)
    assert 1 == sum(map(is_insert, cable.messages))
    kinds = [message.kind for message in cable.messages if message.side == Side.SERVER]

    # Three commands were complete, then the server was ready for the next query.
    assert [b"C", b"C", b"C", b"Z"] == kinds[-4:]


@pytest.mark.parametrize("passed", [False, True])
def test_cut_of_a_query(
    cable: Cable, postgres: PostgresServer, database: str, passed: bool
) -> None:
    """A query that is passed before the cut is carried out, and one that is not is not."""
    cable.cut_where(is_insert, passed=passed)

    assert not tried(cable.url(database))
    assert passed == kept(postgres, database)
    assert 1 == cable.cuts
    assert tried(cable.url(database))


def test_cut_of_each_answer(cable: Cable, postgres: PostgresServer, database: str) -> None:
    """A cut at an answer is after the work; with the last answer passed there was none."""
    with psycopg.connect(cable.url(database), autocommit=True) as connection:
        connection.execute(INSERT)
    for number, (at, passed) in enumerate(((1, False), (1, True), (4, False), (4, True)), start=2):
        with psycopg.connect(cable.url(database), autocommit=True) as connection:
            cable.cut(Side.SERVER, at, passed=passed)
            if (at, passed) == (4, True):
                connection.execute(INSERT)
            else:
                with pytest.raises(psycopg.OperationalError):
                    connection.execute(INSERT)

        assert number == kept(postgres, database)


def test_cut_that_lasts(cable: Cable, postgres: PostgresServer, database: str) -> None:
    """It cuts everybody, and nobody gets through until it heals."""
    with psycopg.connect(cable.url(database), autocommit=True) as other:
        cable.cut_where(is_insert, lasts=True)

        assert not tried(cable.url(database))
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        tried(cable.url(database))
    cable.heal()

    assert tried(cable.url(database))
    assert 1 == kept(postgres, database)


def test_silence(cable: Cable, postgres: PostgresServer, database: str) -> None:
    """In a partition nobody hears anything; what was said before arrives when it is over."""
    connection = psycopg.connect(cable.url(database), autocommit=True)
    cable.silence()
    connection.pgconn.send_query(INSERT.encode())
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(cable.url(database), connect_timeout=2)
    connection.close()

    assert [(0,)] == postgres.execute(COUNT, url=database)
    cable.heal()
    wait_until(lambda: [(1,)] == postgres.execute(COUNT, url=database), "it arrives")


def test_pool(postgres: PostgresServer, database: str) -> None:
    """Many clients share few connections, and each transaction may be on another one."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    with PgBouncer(postgres, connections=1) as pool:
        url = pool.url(database)
        with psycopg.connect(url) as one, psycopg.connect(url) as two:
            for client in (one, two, one):
                client.execute("INSERT INTO kept VALUES (1)")
                client.commit()
            backends = {who(one), who(two)}

        assert 1 == len(backends)
        assert [(3,)] == postgres.execute(COUNT, url=database)


def who(client: psycopg.Connection[Any]) -> int:
    """The process of the server that serves this client now."""
    row = client.execute("SELECT pg_backend_pid()").fetchone()
    client.commit()
    assert row is not None
    return int(row[0])
