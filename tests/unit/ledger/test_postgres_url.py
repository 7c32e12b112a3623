"""``sidecar.ledger.postgres_url``: what a URL names, and that no message repeats its password."""

from __future__ import annotations

import pytest

from sidecar.errors import ConfigError
from sidecar.ledger.postgres_url import read_url

LIKE = "write it like postgresql://USER:PASSWORD@HOST:5432/DATABASE"
PASSWORD = "Hunter-2-canary"
WRITABLE = "target_session_attrs=read-write"


@pytest.mark.parametrize(
    ("url", "place", "is_private"),
    [
        (f"postgresql://u:{PASSWORD}@db.example/sidecar", "db.example:5432/sidecar", False),
        ("postgres://u@db.example:7/sidecar?sslmode=prefer", "db.example:7/sidecar", False),
        ("postgresql://db.example/s?sslmode=verify-full", "db.example:5432/s", True),
        ("postgresql://db.example/s?sslmode=require", "db.example:5432/s", True),
        ("postgresql://localhost/s", "localhost:5432/s", True),
        ("postgresql://127.0.0.1:1/s?sslmode=disable", "127.0.0.1:1/s", True),
        ("postgresql://[::1]:9/s", "[::1]:9/s", True),
        ("postgresql:///s?host=/run/postgresql", "/run/postgresql:5432/s", True),
        ("postgresql://%2Frun%2Fpostgresql/s", "/run/postgresql:5432/s", True),
        (f"postgresql://a:1,b/s?{WRITABLE}", "a:1,b:5432/s", False),
        (f"postgresql://localhost,b/s?{WRITABLE}", "localhost:5432,b:5432/s", False),
        (f"postgresql:///s?host=a,b&port=7&{WRITABLE}", "a:7,b:7/s", False),
        ("postgresql:///s?host=a,b&target_session_attrs=primary", "a:5432,b:5432/s", False),
    ],
)
def test_place(url: str, place: str, is_private: bool) -> None:
    """Hosts, ports and database are shown; private is what stays here, or is encrypted."""
    server = read_url(url)

    assert (f"postgresql://{place}", is_private) == (server.place, server.is_private)
    assert url == server.url


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        (f"mysql://u:{PASSWORD}@db/s", f"not the URL of a Postgres; {LIKE}"),
        (f"host=db password={PASSWORD}", f"not the URL of a Postgres; {LIKE}"),
        (f"postgresql://u:{PASSWORD}%@db/s", "not a URL that Postgres can read; "),
        (f"postgresql://u@db/s?passwort={PASSWORD}", "not a URL that Postgres can read; "),
        (f"postgresql://u:a@{PASSWORD}@db/s", "its host is missing, or none; "),
        (f"postgresql://u:{PASSWORD}@/s", "its host is missing, or none; "),
        (f"postgresql://u:{PASSWORD}@db!/s", "its host is missing, or none; "),
        (f"postgresql://u:{PASSWORD}/x@db/s", "its port is none; "),
        (f"postgresql://u:{PASSWORD}@db:0/s", "its port is none; "),
        (f"postgresql:///s?host=a,b,c&port=1,2&password={PASSWORD}", "its port is none; "),
        (f"postgresql://u:5/{PASSWORD}@db/s", "its database is missing, or no plain name; "),
        (f"postgresql://u:{PASSWORD}@db", "its database is missing, or no plain name; "),
        (
            f"postgresql://u@db/s?sslmode={PASSWORD}",
            "its sslmode is none that Postgres knows; write ?sslmode=verify-full",
        ),
        (
            f"postgresql://u:{PASSWORD}@a,b/s",
            "of several hosts one that only reads could be taken; "
            "add target_session_attrs=read-write to the URL",
        ),
        (
            f"postgresql://u:{PASSWORD}@a,b/s?target_session_attrs=any",
            "of several hosts one that only reads could be taken; "
            "add target_session_attrs=read-write to the URL",
        ),
    ],
)
def test_mistakes(url: str, mistake: str) -> None:
    """What is wrong is said with its fix, and none of the password, wherever it slipped to."""
    with pytest.raises(ConfigError) as caught:
        read_url(url)

    (said,) = caught.value.mistakes
    assert said.startswith(mistake)
    assert LIKE in said or "write ?" in said or "to the URL" in said
    assert PASSWORD not in said


def test_nothing_is_shown() -> None:
    """A server that ends up in a log or a traceback shows its place alone."""
    server = read_url(f"postgresql://u:{PASSWORD}@db/s")

    assert "Server(place='postgresql://db:5432/s', is_private=False)" == repr(server)
    assert PASSWORD == server.password
    assert PASSWORD == read_url(f"postgresql://u@db/s?password={PASSWORD}").password
    assert "" == read_url("postgresql://u@db/s").password
