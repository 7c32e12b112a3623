"""The URL of a Postgres ledger: whether it is one, and what of it may be shown.

It holds a password. No message repeats any of it but what ``Server.place`` is made of, and these
parts are looked at first: a letter that was not escaped puts half a password where the host
belongs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from sidecar.errors import ConfigError
from sidecar.values import dataclass

SCHEMES = ("postgresql://", "postgres://")
PORT = "5432"

_LIKE = "write it like postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_ESCAPED = f"{_LIKE}, with %40 for an @ in the password, %2F for a / and %25 for a %"
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|[0-9A-Fa-f:.]{2,45}|/[A-Za-z0-9_./-]*", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_DATABASE = re.compile(r"[A-Za-z0-9_.-]{1,63}", re.ASCII)
_LOCAL = re.compile(r"/.*|localhost|127(\.[0-9]+){3}|::1", re.ASCII)
_SEALED = frozenset({"require", "verify-ca", "verify-full"})
_UNSEALED = frozenset({"disable", "allow", "prefer"})
_WRITABLE = frozenset({"read-write", "primary"})


@dataclass(frozen=True, slots=True)
class Server:
    """A database of a server, or of several of which one is the primary.

    ``place``: hosts, ports and the name of the database, which may be shown. ``is_private``:
    nobody on the way can read what is said; either it does not leave this machine, or it is
    encrypted.
    """

    url: str = field(repr=False)
    password: str = field(repr=False)
    place: str
    is_private: bool


def read_url(url: str) -> Server:
    """What a URL names. ConfigError says what is wrong with it, and repeats none of it."""
    if not url.startswith(SCHEMES):
        raise ConfigError(f"not the URL of a Postgres; {_LIKE}")
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        # From None: what it says quotes the URL.
        raise ConfigError(f"not a URL that Postgres can read; {_ESCAPED}") from None
    hosts, ports = parts.get("host", "").split(","), _ports(parts)
    database = parts.get("dbname", "")
    if any(_HOST.fullmatch(host) is None for host in hosts):
        raise ConfigError(f"its host is missing, or none; {_ESCAPED}")
    if any(_PORT.fullmatch(port) is None for port in ports) or len(ports) not in {1, len(hosts)}:
        raise ConfigError(f"its port is none; {_ESCAPED}")
    if _DATABASE.fullmatch(database) is None:
        raise ConfigError(f"its database is missing, or no plain name; {_ESCAPED}")
    mode = parts.get("sslmode", "prefer")
    if mode not in _SEALED | _UNSEALED:
        raise ConfigError("its sslmode is none that Postgres knows; write ?sslmode=verify-full")
    if len(hosts) > 1 and parts.get("target_session_attrs") not in _WRITABLE:
        raise ConfigError(
            "of several hosts one that only reads could be taken; "
            "add target_session_attrs=read-write to the URL"
        )
    is_local = all(_LOCAL.fullmatch(host) for host in hosts)
    each = zip(hosts, ports * (len(hosts) if len(ports) == 1 else 1), strict=True)
    place = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in each)
    return Server(
        url,
        parts.get("password", ""),
        f"postgresql://{place}/{database}",
        is_local or mode in _SEALED,
    )


def _ports(parts: Mapping[str, str]) -> list[str]:
    """As many as there are hosts, or one for all; one that is left out is the usual one."""
    return [port or PORT for port in parts.get("port", "").split(",")]
