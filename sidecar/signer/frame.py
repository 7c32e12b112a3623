"""A document on a socket: four bytes that say how long it is, and that many bytes."""

from __future__ import annotations

import socket

from sidecar.clock import Clock
from sidecar.errors import RemoteProtocolError

BYTES_MAX = 64 * 1024
HEAD_BYTES = 4
CUT = "a frame that ends before its end"


def framed(document: bytes) -> bytes:
    """The document with its length before it."""
    assert 0 < len(document) <= BYTES_MAX
    return len(document).to_bytes(HEAD_BYTES, "big") + document


def read_framed(connection: socket.socket, clock: Clock, until_s: float) -> bytes:
    """The next document, whole by then. OSError: it is not; RemoteProtocolError: it is too long.

    ``until_s`` is the clock's monotonic time: a byte now and then buys nobody more of it.
    """
    size = size_in(_read(connection, HEAD_BYTES, clock, until_s))
    return _read(connection, size, clock, until_s)


def size_in(head: bytes) -> int:
    """How long the document behind these four bytes is. RemoteProtocolError: it is too long."""
    size = int.from_bytes(head, "big")
    if not 0 < size <= BYTES_MAX:
        raise RemoteProtocolError(f"a frame of {size} bytes; it must be 1 to {BYTES_MAX}")
    return size


def _read(connection: socket.socket, size: int, clock: Clock, until_s: float) -> bytes:
    data = b""
    while len(data) < size:
        left_s = until_s - clock.monotonic_s()
        if left_s <= 0:
            raise TimeoutError("it took too long")
        connection.settimeout(left_s)
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionAbortedError(CUT)
        data += more
    return data
