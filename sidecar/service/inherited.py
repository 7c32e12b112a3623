"""Sockets that whoever started us has opened already: systemd's socket activation.

    LISTEN_PID      which process they are meant for
    LISTEN_FDS      how many: descriptors 3, 4
    LISTEN_FDNAMES  which is which: data, admin; without names they come in this order

They stand in place of ``listen`` and ``admin``, whose addresses become those of the sockets. What
the config says of the kind stays: a Unix socket has callers with a uid, a TCP port has tokens.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path

from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config
from sidecar.errors import ConfigError

FIRST_DESCRIPTOR = 3
# Their names, and the keys of the config that they stand for.
KEYS = {"data": "listen", "admin": "admin"}


def inherited_sockets(environ: MutableMapping[str, str], process: int) -> dict[str, socket.socket]:
    """The sockets by their keys. ConfigError when they are not what can be served on.

    The variables are taken out of ``environ``: no child of ours is meant.
    """
    meant, count, written = (
        environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if meant != str(process):
        return {}
    if not count.isdecimal() or int(count) > len(KEYS):
        raise ConfigError(
            f"LISTEN_FDS: {count or 'nothing'!r} were handed over; hand over one socket for data, "
            "and at most one more, for admin"
        )
    names = written.split(":") if written else list(KEYS)[: int(count)]
    for name in names:
        if name not in KEYS:
            raise ConfigError(
                f"LISTEN_FDNAMES: there is no {name!r}; write FileDescriptorName=data or "
                "FileDescriptorName=admin in the socket's unit"
            )
    if len(names) != int(count) or len(set(names)) != len(names):
        raise ConfigError(
            f"LISTEN_FDNAMES: {written!r} for {count} sockets; name each once, data or admin"
        )
    return {KEYS[name]: _listening(FIRST_DESCRIPTOR + at, name) for at, name in enumerate(names)}


def served_on(config: Config, sockets: Mapping[str, socket.socket]) -> Config:
    """The config with the real addresses of these sockets in it. ConfigError: another kind."""
    listen, admin = config.listen, config.admin
    if "listen" in sockets:
        listen = _address("listen", sockets["listen"])
        if type(listen) is not type(config.listen):
            raise ConfigError(
                f"listen: the socket that was handed over is {listen}, and the config says "
                f"{config.listen}; write listen: {listen}, for callers are known in another way"
            )
    if "admin" in sockets:
        given = _address("admin", sockets["admin"])
        if not isinstance(given, Address):
            raise ConfigError(
                f"admin: the socket that was handed over is {given}; hand over a TCP socket"
            )
        admin = given
    return replace(config, listen=listen, admin=admin)


def _listening(descriptor: int, name: str) -> socket.socket:
    try:
        given = socket.socket(fileno=descriptor)
    except OSError as fault:
        raise ConfigError(
            f"LISTEN_FDS: descriptor {descriptor} ({name}) is no socket; hand over a socket"
        ) from fault
    listens = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if given.type != socket.SOCK_STREAM or not listens:
        given.close()
        raise ConfigError(
            f"LISTEN_FDS: descriptor {descriptor} ({name}) does not listen for connections; write "
            "ListenStream= and Accept=no in the socket's unit"
        )
    given.set_inheritable(False)
    return given


def _address(key: str, given: socket.socket) -> Address | SocketPath:
    name = given.getsockname()
    if given.family == socket.AF_UNIX and name and isinstance(name, str):
        return SocketPath(Path(name))
    if given.family in {socket.AF_INET, socket.AF_INET6}:
        return Address(name[0], name[1])
    raise ConfigError(f"{key}: a socket without a path or a port; hand over one that has either")
