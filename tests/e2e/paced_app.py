"""The app of the paced streams: it says at once what it has read, and keeps each read apart."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from tests.differential.reading import unchunk
from tests.e2e.paced_seller import PATH, Play

# So long a stream may stand still before it counts as held back. No stream that flows comes near.
HELD_S = 15.0
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Course:
    """How a stream came.

    ``reads`` has, for each read that brought some of the body, the numbers of the writes that it
    was from; a write that came in several reads is there once. ``at`` is when each was here whole.
    """

    status: int
    body: bytes
    whole: bool
    reads: tuple[tuple[int, ...], ...]
    at: tuple[float, ...]

    def told(self) -> tuple[int, bytes, bool, tuple[tuple[int, ...], ...]]:
        """All but the times."""
        return self.status, self.body, self.whole, self.reads


@dataclass(frozen=True, slots=True)
class Door:
    """Where an app asks: a port, what is before the path, and the token."""

    port: int
    prefix: str = ""
    token: str = ""
    tls: ssl.SSLContext | None = None


class _Listener(asyncio.Protocol):
    """One response. It is over when its body is, or the connection."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._got = b""
        self.whole = False
        self.body = b""
        # The size of the body after each read, and when that was.
        self.sizes: list[tuple[int, float]] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def status(self) -> int:
        return int(self._got[9:12] or b"0")

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(_HEAD_END)
        if end < 0:
            return
        head = self._got[: end + 2].lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            self.body, _, self.whole = unchunk(self._got, end + len(_HEAD_END))
        else:
            self.body = self._got[end + len(_HEAD_END) :]
            length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            self.whole = bool(length) and len(self.body) == int(length)
        self.sizes.append((len(self.body), asyncio.get_running_loop().time()))
        # A refusal is no part of the stream.
        if self.status == 200:
            self._play.hear(len(self.body))
        if self.whole:
            self._end()

    def eof_received(self) -> None:
        head = self._got.partition(_HEAD_END)[0].lower()
        unmeasured = b"\r\ntransfer-encoding:" not in head and b"\r\ncontent-length:" not in head
        self.whole = self.whole or unmeasured

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def listen(door: Door, play: Play, *, held_s: float = HELD_S) -> Course:
    """Ask for the stream, and read it to its end, or until it has stood still for too long."""
    loop = asyncio.get_running_loop()
    transport, listener = await loop.create_connection(
        lambda: _Listener(play), "127.0.0.1", door.port, ssl=door.tls
    )
    try:
        transport.write(asking(door, play))
        with suppress(TimeoutError):
            async with asyncio.timeout(held_s):
                await listener.over
    finally:
        transport.abort()
    return _course(play, listener)


def asking(door: Door, play: Play) -> bytes:
    """The request for a stream."""
    body = json.dumps({"model": "m", "stream": True, "n": play.number}).encode()
    lines = (
        f"POST {door.prefix}{PATH}{play.number} HTTP/1.1",
        f"Host: 127.0.0.1:{door.port}",
        "Content-Type: application/json",
        f"Authorization: Bearer {door.token or 'nobody'}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + _HEAD_END + body


def _course(play: Play, listener: _Listener) -> Course:
    said = play.said
    begins = (0, *said)
    reads, before = [], 0
    for size, _ in listener.sizes:
        reads.append(
            tuple(n for n, end in enumerate(said) if begins[n] < size and before < end > begins[n])
        )
        before = max(before, size)
    arrived = tuple(
        next((at for size, at in listener.sizes if size >= end), float("inf")) for end in said
    )
    kept = tuple(each for each, _ in groupby(read for read in reads if read))
    return Course(listener.status, listener.body, listener.whole, kept, arrived)


def as_written(play: Play) -> tuple[int, bytes, bool, tuple[tuple[int, ...], ...]]:
    """What ``Course.told`` is of a stream whose every write came by itself and at once."""
    begins = (0, *play.said)
    reads = tuple((n,) for n, end in enumerate(play.said) if end > begins[n])
    return 200, play.case.body, True, reads
