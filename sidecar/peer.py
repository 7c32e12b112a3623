"""Who is at the other end of a Unix socket, as the kernel knows it."""

from __future__ import annotations

import socket
import struct
from typing import Protocol

from sidecar.values import dataclass

_CREDENTIALS = struct.Struct("3i")  # process, user, group


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected, or that listens; 0 where it is in another container."""

    process: int
    user: int


class Connected(Protocol):
    """The part of a socket that is asked."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """What the kernel says, in this many bytes."""
        ...


def peer_of(connection: Connected) -> Peer:
    """Whoever made the other end: what it has become since then changes nothing."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(data)
    # The system's ids are unsigned.
    return Peer(process, user % 2**32)
