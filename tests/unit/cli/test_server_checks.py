"""What the doctor says of a ledger's server, beside a real one."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from sidecar.cli.checkup import Check
from sidecar.cli.server_checks import check_server
from sidecar.clock import Clock, SystemClock
from sidecar.config.model import PostgresUrl, SecretKind, SecretRef
from sidecar.ledger.postgres import SCHEMA, PostgresLedger
from sidecar.ledger.postgres_desk import PostgresDesk
from tests.unit.cli.commands import Command, write_config, write_private
from tests.world.fakes import NOON, FakeClock
from tests.world.intents import reserved
from tests.world.postgres import PostgresServer

TOLD = PostgresUrl(SecretRef(SecretKind.ENV, "BOOKS"))


def looked(url: str, clock: Clock | None = None) -> dict[str, Check]:
    """The checks by their names."""
    found = check_server(TOLD, {"BOOKS": url}, clock or SystemClock())
    return {check.name: check for check in found}


def test_nothing_yet(database: str) -> None:
    """Of a server without a ledger nothing is said but whether others can read what is told it."""
    own = urlsplit(database)
    both = own._replace(
        netloc=f"{own.netloc},db.example", query="target_session_attrs=read-write"
    ).geturl()
    (told,) = looked(both).values()

    assert {} == looked(database)
    assert ("warn", "ledger privacy") == (told.state, told.name)


async def test_users(database: str) -> None:
    """Living sidecars are counted; what is left by those that are gone is told of."""
    ledger = await PostgresLedger.open(database, "one")
    await reserved(ledger, "p1")
    living = looked(database)
    await ledger.close()
    gone = looked(database)

    assert {"ok"} == {check.state for check in living.values()}
    assert "1 sidecars have it open" == living["ledger users"].detail
    assert ("warn", "the next that is started frees them") == (
        gone["ledger users"].state,
        gone["ledger users"].fix,
    )


def test_clock(database: str) -> None:
    """A server whose clock is another than ours is told of, and by how much."""
    PostgresDesk(database, SCHEMA).migrate()
    now = SystemClock().now()
    ahead = FakeClock(now + timedelta(seconds=65))
    behind = FakeClock(now - timedelta(seconds=3600))
    told = [looked(database, clock)["ledger clock"] for clock in (ahead, behind)]

    assert ["warn", "warn"] == [check.state for check in told]
    assert told[0].detail.endswith(f" s ahead of {PostgresDesk(database, SCHEMA).place}")
    assert " behind " in told[1].detail


def test_loses_payments(postgres: PostgresServer, sidecar: Command, tmp_path: Path) -> None:
    """A server that would lose what it has committed fails, with what to set."""
    with postgres.sibling({"fsync": "off"}) as careless, careless.database() as url:
        PostgresDesk(url, SCHEMA).migrate()
        write_private(tmp_path / "books.url", url)
        path = write_config(tmp_path, "ledger", to={"postgres": {"file": "books.url"}})
        ran = sidecar("doctor", "--config", path, "--json")
    checks = {each["check"]: each for each in json.loads(ran.out)["checks"]}

    assert ("fail", "set it to on") == (
        checks["ledger server"]["state"],
        checks["ledger server"]["fix"],
    )
    assert "ok" == checks["ledger"]["state"]


def test_old_tables(database: str, sidecar: Command, tmp_path: Path) -> None:
    """Tables of another version fail once, with the command that mends it."""
    desk = PostgresDesk(database, SCHEMA)
    desk.freeze(NOON)
    write_private(tmp_path / "books.url", database)
    path = write_config(tmp_path, "ledger", to={"postgres": {"file": "books.url"}})
    frozen = sidecar("doctor", "--config", path, "--json")
    _forget_version(database)
    ran = sidecar("doctor", "--config", path, "--json")
    said = [
        [
            (each["state"], each["fix"])
            for each in json.loads(told.out)["checks"]
            if each["check"].startswith("ledger")
        ]
        for told in (frozen, ran)
    ]

    assert ("warn", "`sidecar unfreeze`") in said[0]
    assert [("fail", "run `sidecar migrate`")] == said[1]


def _forget_version(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE sidecar.migrations SET version = 0")
