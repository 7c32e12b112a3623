"""A document on a socket: four bytes that say how long it is, and that many bytes."""

from __future__ import annotations

import socket

from sidecar.clock import Clock
from sidecar.errors import RemoteProtocolError

BYTES_MAX = 64 * 1024
_HEAD_BYTES = 4


def framed(document: bytes) -> bytes:
    """The document with its length before it."""
    assert 0 < len(document) <= BYTES_MAX
    return len(document).to_bytes(_HEAD_BYTES, "big") + document


def read_framed(connection: socket.socket, clock: Clock, until_s: float) -> bytes:
    """The next document, whole by then. OSError: it is not; RemoteProtocolError: too long, or cut.

    ``until_s`` is the clock's monotonic time: a byte now and then buys nobody more of it.
    """
    size = int.from_bytes(_read(connection, _HEAD_BYTES, clock, until_s), "big")
    if not 0 < size <= BYTES_MAX:
        raise RemoteProtocolError(f"a frame of {size} bytes; it must be 1 to {BYTES_MAX}")
    return _read(connection, size, clock, until_s)


def _read(connection: socket.socket, size: int, clock: Clock, until_s: float) -> bytes:
    data = b""
    while len(data) < size:
        left_s = until_s - clock.monotonic_s()
        if left_s <= 0:
            raise TimeoutError("it took too long")
        connection.settimeout(left_s)
        more = connection.recv(size - len(data))
        if not more:
            raise RemoteProtocolError("a frame that ends before its end")
        data += more
    return data
