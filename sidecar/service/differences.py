"""What differs between two configs, by path; and what of it a running sidecar cannot take over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config, PostgresUrl, SqliteFile
from sidecar.service.secrets import Opened

# What was made once, at start: the sockets and what they allow, the books and the keys.
FIXED = frozenset(
    {
        "state_dir",
        "ledger",
        "listen",
        "admin",
        "auth",
        "mode",
        "event_loop",
        "workers",
        "wallets",
        "log.format",
        "recovery.undelivered_ttl_s",
        "limits.header_bytes_max",
        "limits.connections_max",
        "limits.header_wait_s",
        "limits.keepalive_s",
        "limits.fast_lane",
    }
)
# One setting each, whatever they are made of.
_WHOLE = Address | SocketPath | SqliteFile | PostgresUrl


def differences(before: Config, after: Config) -> tuple[str, ...]:
    """The path of each setting, and of each thing with a name, that is not what it was."""
    return tuple(path for field in fields(Config) for path in _in_field(field.name, before, after))


def _in_field(name: str, before: Config, after: Config) -> Iterator[str]:
    old, new = getattr(before, name), getattr(after, name)
    if isinstance(old, Mapping):
        yield from (
            f"{name}.{each}" for each in sorted({*old, *new}) if old.get(each) != new.get(each)
        )
    elif is_dataclass(old) and not isinstance(old, _WHOLE):
        yield from (
            f"{name}.{field.name}"
            for field in fields(old)
            if getattr(old, field.name) != getattr(new, field.name)
        )
    elif old != new:
        yield name


def is_fixed(path: str) -> bool:
    """Whether only a restart can change it."""
    return path in FIXED or path.partition(".")[0] in FIXED


def renewed(before: Opened, after: Opened) -> tuple[str, ...]:
    """The secrets that are others than they were, by their paths."""
    old = {caller.name: token for token, caller in (before.tokens or {}).items()}
    new = {caller.name: token for token, caller in (after.tokens or {}).items()}
    callers = (name for name in sorted(old.keys() & new.keys()) if old[name] != new[name])
    routes = sorted(before.api_keys.keys() & after.api_keys.keys())
    keys = (name for name in routes if before.api_keys[name] != after.api_keys[name])
    return (
        *(f"callers.{name}.token" for name in callers),
        *(f"routes.{name}.api_key" for name in keys),
    )
