"""A Postgres that cannot be used: opening it fails, with a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.postgres import PostgresLedger
from sidecar.ledger.postgres_schema import VERSION
from tests.world.postgres import PASSWORD_ROLE, PostgresServer, database_of
from tests.world.processes import free_port

WAIT_S = 3.0


async def refusal(url: str) -> str:
    """What is said to who opens it, after the place that it names."""
    with pytest.raises(LedgerError) as refused:
        await PostgresLedger.open(url, "one", wait_s=WAIT_S)
    said = str(refused.value)
    place = f"127.0.0.1:{url.rpartition(':')[2]}"

    assert said.startswith(f"ledger postgresql://{place}: "), said
    return said.removeprefix(f"ledger postgresql://{place}: ")


def altered(postgres: PostgresServer, database: str, change: str) -> None:
    """The database with this change, for whoever connects from now on."""
    postgres.execute(f"ALTER DATABASE {database_of(database)} {change}")


@contextmanager
def full(url: str) -> Iterator[None]:
    """A server with no connection left."""
    with psycopg.connect(url), psycopg.connect(url):
        yield


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_server_that_forgets(postgres: PostgresServer, setting: str) -> None:
    """Nothing is paid from a server that would lose what it had committed in a power cut."""
    with postgres.sibling({setting: "off"}) as server:
        said = await refusal(server.fresh_database())

    assert f"{setting}=off would lose payments that were committed; set it to on" == said


@pytest.mark.parametrize("setting", ["off", "local"])
async def test_commit_that_does_not_wait(
    postgres: PostgresServer, database: str, setting: str
) -> None:
    """Nor from a database whose commits return before they are on disk, here and on standbys."""
    altered(postgres, database, f"SET synchronous_commit = {setting}")

    assert (
        f"synchronous_commit={setting} would lose payments that were committed; set it to on"
    ) == await refusal(database)


async def test_commit_set_by_the_url(postgres: PostgresServer, database: str) -> None:
    """The URL cannot weaken it either."""
    with pytest.raises(LedgerError, match="synchronous_commit=off would lose payments"):
        await PostgresLedger.open(f"{database}?options=-csynchronous_commit%3Doff", "one")


async def test_standby(own_postgres: PostgresServer) -> None:
    """A standby takes no writes: the sentence names the primary as the one to use."""
    url = own_postgres.fresh_database()
    standby = own_postgres.standby()

    assert (
        "the server takes no writes: it is a standby; name the primary, or all servers with "
        "target_session_attrs=read-write"
    ) == await refusal(standby.url(database_of(url)))


async def test_no_connection_left(postgres: PostgresServer, database: str) -> None:
    """A server that has no connection left says what to raise; it recovers by itself."""
    altered(postgres, database, "CONNECTION LIMIT 2")
    with full(database):
        said = await refusal(database)

    assert (
        "the server has no connection left; raise max_connections, or put pgbouncer before it"
    ) == said


async def test_connections_run_out(postgres: PostgresServer, database: str) -> None:
    """Where there are fewer connections than asked for, each move waits for one of them."""
    ledger = await PostgresLedger.open(database, "one", wait_s=10.0)
    altered(postgres, database, "CONNECTION LIMIT 1")
    await ledger.check_writable()
    await ledger.close()


async def test_wrong_password(postgres: PostgresServer) -> None:
    """A wrong password is said to be wrong, and is not shown."""
    said = await refusal(postgres.url(user=PASSWORD_ROLE).replace("@", ":not-the-right-one@"))

    assert "the password is wrong, or there is none in the URL" == said


async def test_no_password(postgres: PostgresServer) -> None:
    """A missing password is said to be missing."""
    assert "the password is wrong, or there is none in the URL" == await refusal(
        postgres.url(user=PASSWORD_ROLE)
    )


async def test_no_such_user(postgres: PostgresServer) -> None:
    """A user that the server does not know is told so."""
    assert "the server does not let this user in; see its pg_hba.conf" == await refusal(
        postgres.url(user="nobody")
    )


async def test_no_such_database(postgres: PostgresServer) -> None:
    """A database that is not there has to be created."""
    assert "there is no such database; create it" == await refusal(postgres.url("nowhere"))


async def test_no_server() -> None:
    """Where nobody listens, the place and the reason are named."""
    port = free_port()
    said = await refusal(f"postgresql://sidecar@127.0.0.1:{port}/nowhere")

    assert said.startswith("no answer within 3 s (")
    assert "Connection refused" in said


async def test_no_right(postgres: PostgresServer, database: str) -> None:
    """A user who may not make the tables hears whose right it lacks."""
    postgres.execute(f"ALTER DATABASE {database_of(database)} OWNER TO postgres")
    said = await refusal(database)

    assert (
        f"this user may not do that (permission denied for database {database_of(database)}); "
        "make it the owner of the schema"
    ) == said


async def test_newer_tables(postgres: PostgresServer, database: str) -> None:
    """Tables of a version to come are left alone."""
    await (await PostgresLedger.open(database, "old")).close()
    postgres.execute("INSERT INTO sidecar.migrations (version) VALUES (99)", url=database)

    assert (
        f"its tables are of version 99, and this sidecar knows {VERSION}; upgrade the sidecar"
    ) == await refusal(database)


async def test_no_tables(postgres: PostgresServer, database: str) -> None:
    """Where nobody may make the tables unasked, the command that makes them is named."""
    with pytest.raises(LedgerError, match=r"it has no tables yet, .* run `sidecar migrate`"):
        await PostgresLedger.open(database, "one", migrate=False)


async def test_tables_of_others(postgres: PostgresServer, database: str) -> None:
    """A schema of the same name that holds something else is not touched."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA sidecar CREATE TABLE motorcycles (id int)")

    assert (
        "schema sidecar holds tables of something else; name another database"
    ) == await refusal(database)
