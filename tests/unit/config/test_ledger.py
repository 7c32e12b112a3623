"""Where the ledger is: what the config says of it, and the URL that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config.model import PostgresUrl, SecretKind, SecretRef
from sidecar.config.secrets import forget_variables, open_server, secret_variables
from sidecar.errors import ConfigError
from sidecar.ledger.slices import LeaseTerms
from sidecar.money import Usdc
from tests.unit.cli.commands import write_private
from tests.unit.config.configs import changed, parsed

VARIABLE = SecretRef(SecretKind.ENV, "BOOKS")
PASSWORD = "Hunter-2-canary"
URL = f"postgresql://u:{PASSWORD}@db.example/books"
PLACE = "postgresql://db.example:5432/books"


def ledger_of(mode: str = "live", **options: object) -> object:
    text = changed("ledger", to={"postgres": {"env": "BOOKS", **options}})
    return parsed(f"mode: {mode}\n{text}").ledger


def test_postgres() -> None:
    """A Postgres ledger has a place for its URL, and three settings with defaults."""
    assert PostgresUrl(VARIABLE, "sidecar", 15, 8, True) == ledger_of()
    assert PostgresUrl(VARIABLE, "sidecar", 2.5, 3, False) == ledger_of(
        lease_s=2.5, connections_max=3, migrate=False
    )


def test_leases() -> None:
    """Leases are off, until they are named; what they are not told is the usual."""
    usual = LeaseTerms(Usdc(1_000_000), 60)

    assert PostgresUrl(VARIABLE, leases=usual) == ledger_of(leases={})
    assert PostgresUrl(VARIABLE, leases=LeaseTerms(Usdc(250_000), 20)) == ledger_of(
        leases={"size": "0.25 USDC", "lifetime_s": 20}
    )


def test_slice_of_nothing() -> None:
    """A slice of nothing is a mistake: who wants none leaves leases out."""
    with pytest.raises(ConfigError) as caught:
        ledger_of(leases={"size": "0.00 USDC"})

    (mistake,) = caught.value.mistakes
    assert "a slice of nothing; leave leases out to take none" in mistake


def test_shadow() -> None:
    """Shadow mode has a schema of its own there, as it has a file of its own here."""
    assert PostgresUrl(VARIABLE, "sidecar_shadow") == ledger_of("shadow")


def test_variable() -> None:
    """The variable with the URL is a secret: it is known as one, and taken out."""
    config = parsed(changed("ledger", to={"postgres": {"env": "BOOKS"}}))
    environ = {"BOOKS": URL, "HOME": "/"}
    taken = forget_variables(config, environ)

    assert "BOOKS" in secret_variables(config)
    assert ({"HOME": "/"}, URL) == (environ, taken["BOOKS"])


def test_open(tmp_path: Path) -> None:
    """The URL is read from its variable, or from a file that is as private as other secrets."""
    file = write_private(tmp_path / "books.url", f"{URL}\n")
    kept = PostgresUrl(SecretRef(SecretKind.FILE, str(file)))
    opened = open_server(PostgresUrl(VARIABLE), {"BOOKS": URL})

    assert (URL, PLACE) == (opened.url, opened.place)
    assert opened == open_server(kept, {})


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        ("", "ledger.postgres: $BOOKS: empty or not set; put the secret there (line 3)"),
        (
            f"mysql://u:{PASSWORD}@db/s",
            "ledger.postgres: not the URL of a Postgres; "
            "write it like postgresql://USER:PASSWORD@HOST:5432/DATABASE (line 3)",
        ),
    ],
    ids=["unset", "other"],
)
def test_wrong(url: str, mistake: str) -> None:
    """What is wrong with the URL is named by the config's key and line, without the URL."""
    ref = SecretRef(SecretKind.ENV, "BOOKS", None, "ledger.postgres", 3)
    with pytest.raises(ConfigError) as caught:
        open_server(PostgresUrl(ref), {"BOOKS": url})

    assert (mistake,) == caught.value.mistakes
