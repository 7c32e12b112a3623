"""The sockets that several workers accept from: opened once, and open until all of them end.

On a TCP port each worker has a socket of its own, and the kernel deals new connections out
evenly (SO_REUSEPORT). On one socket that all accept from, whoever wakes first takes what has
come: of a hundred connections that stay, one worker of two had 68 to 100. A socket outlives its
worker, so what waits in it is there for the next one.

A Unix socket cannot be dealt out like that, nor one that we were handed: those are shared.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sidecar.config.addresses import Address, SocketPath
from sidecar.errors import ConfigError
from sidecar.proxy.listener import BACKLOG
from sidecar.service.portholder import why_not
from sidecar.service.socket_file import SocketFile, make_socket_file

# A family, and what a socket of it is bound to.
Place: TypeAlias = tuple[socket.AddressFamily, tuple[Any, ...]]


class SharedDoors:
    """One socket for each worker; or the same one for all."""

    def __init__(self, sockets: Sequence[socket.socket], file: SocketFile | None = None) -> None:
        self._sockets = list(sockets)
        self._file = file
        self._is_one = len(set(sockets)) == 1
        self._place = sockets[0].getsockname()

    @classmethod
    def open(
        cls,
        address: Address | SocketPath,
        workers: int,
        given: socket.socket | None,
        users: Mapping[int, object],
    ) -> SharedDoors:
        """Listen. ConfigError says why nobody can."""
        if given is not None:
            return cls((given,) * workers)
        if isinstance(address, SocketPath):
            file = make_socket_file("listen", address.path, users.keys())
            return cls((file.socket,) * workers, file)
        try:
            return cls(_dealt(address, workers))
        except OSError as fault:
            raise ConfigError(f"listen: {why_not(address, fault)}") from fault

    @property
    def port(self) -> int:
        """The TCP port; 0 on a Unix socket."""
        return 0 if self._sockets[0].family == socket.AF_UNIX else int(self._place[1])

    def at(self, place: int) -> socket.socket:
        """The socket of this worker, opened again if it was shut. OSError when it cannot be."""
        if self._sockets[place].fileno() < 0:
            again = _bound(self._sockets[place].family, self._place, shares=True)
            again.listen(BACKLOG)
            self._sockets[place] = again
        return self._sockets[place]

    def shut(self, place: int) -> None:
        """Have the kernel deal nothing to this worker, where it has a socket of its own."""
        if not self._is_one:
            self._sockets[place].close()

    def close(self) -> None:
        """Let go: once no worker has them either, nobody can connect."""
        if self._file is not None and self._file.socket.fileno() >= 0:
            # Only while it is open is the file surely ours.
            self._file.remove()
        for each in self._sockets:
            each.close()


def require_free(key: str, address: Address) -> None:
    """ConfigError when somebody else has it: known before anything is started."""
    try:
        for family, place in places_of(address):
            _bound(family, place, shares=False).close()
    except OSError as fault:
        raise ConfigError(f"{key}: {why_not(address, fault)}") from fault


def places_of(address: Address) -> Sequence[Place]:
    """All that the name stands for. OSError: for nothing."""
    found = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return [(each[0], each[4]) for each in found]


def only(host: str, places: Sequence[Place]) -> Place:
    """The one that it stands for. ConfigError where there are several."""
    different = list(dict.fromkeys(places))
    if len(different) > 1:
        shown = ", ".join(str(place[0]) for _, place in different)
        raise ConfigError(
            f"listen: {host} is {shown}, and workers share one address; write one of them"
        )
    return different[0]


def _dealt(address: Address, workers: int) -> Sequence[socket.socket]:
    """As many sockets on one port. OSError when it cannot be had."""
    family, place = only(address.host, places_of(address))
    # Who shares a port says so, and a second sidecar would say it too: it has to be refused.
    with _bound(family, place, shares=False) as probe:
        place = (place[0], probe.getsockname()[1], *place[2:])
    sockets: list[socket.socket] = []
    complete = False
    try:
        for _ in range(workers):
            sockets.append(_bound(family, place, shares=True))
        for each in sockets:
            each.listen(BACKLOG)
        complete = True
    finally:
        for each in () if complete else sockets:
            each.close()
    return sockets


def _bound(family: socket.AddressFamily, place: tuple[Any, ...], *, shares: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    bound = False
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        bound = True
    finally:
        if not bound:
            made.close()
    return made
