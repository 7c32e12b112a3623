"""A seller on raw sockets that writes the next piece of a stream when it is told that it may.

What paces a stream is handed in: ``causally`` waits until the app, which is in the same process,
says that it has read all that was written. So whoever holds a piece back until the next one comes
stops the stream for good. Streams that are paid for are sold by the shop of ``tests.world.seller``:
a 402 first, then the stream.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sidecar.clock import SystemClock
from sidecar.http import Headers, HttpRequest, header_values
from tests.e2e.paced_cases import Case, Framing
from tests.e2e.paced_server import serving
from tests.world.seller import ORIGIN, InMemorySeller

PATH = "/v1/streams/"
RECEIPT = "payment-response"


@dataclass
class Play:
    """One stream: what has been written of it, and how much of that the app says it has."""

    number: int
    case: Case
    paced: Pace
    costs: bool = False
    said: tuple[int, ...] = ()
    has_head: bool = False
    has_bytes: int = 0
    written: list[float] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, has_bytes: int) -> None:
        """The app has the head, and so much of the body."""
        self.has_head, self.has_bytes = True, has_bytes
        self.moved.set()

    async def heard(self, has_bytes: int) -> None:
        """Come back once the app has the head, and so much of the body."""
        while not (self.has_head and self.has_bytes >= has_bytes):
            self.moved.clear()
            await self.moved.wait()

    def write(self, piece: bytes) -> None:
        """Write the next piece."""
        assert self.writer is not None
        self.written.append(asyncio.get_running_loop().time())
        self.writer.write(piece)


# Writes the pieces that are left; the head has been written.
Pace = Callable[[Play], Awaitable[None]]


async def causally(play: Play) -> None:
    """Each piece once the app has read the one before."""
    case = play.case
    # The head of a body with a length may wait for its beginning: one write for both.
    waits = case.framing is not Framing.LENGTH
    for number in range(len(play.written), len(case.pieces)):
        if number or waits:
            await play.heard(play.said[number - 1] if number else 0)
        play.write(case.pieces[number])


class PacedSeller:
    """Sells the streams that were announced."""

    def __init__(self) -> None:
        self.shop = InMemorySeller(SystemClock())
        self.port = self.tls_port = 0
        self._plays: dict[int, Play] = {}

    def announce(self, case: Case, paced: Pace = causally, *, costs: bool = False) -> Play:
        """A stream that the app will ask for."""
        play = Play(len(self._plays), case, paced, costs, case.said())
        self._plays[play.number] = play
        return play

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[PacedSeller]:
        """Listening, on a second port with TLS."""
        async with serving(self._serve) as self.port, serving(self._serve, tls) as self.tls_port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await _read(reader)) is not None:
            if not await self._answer(request, writer):
                # Closed in order: an end that delimits a body must not be a reset.
                writer.close()
                return

    async def _answer(self, request: HttpRequest, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where that ends the connection."""
        play = self._plays[int(request.url.removeprefix(ORIGIN + PATH))]
        receipt = ""
        if play.costs:
            reply = await self.shop.send(request, wait_s=10)
            if reply.status == 402:
                writer.write(_whole(reply.status, reply.headers, reply._body))
                return True
            receipt = f"{RECEIPT}: {header_values(reply.headers, RECEIPT)[0]}\r\n"
        play.writer = writer
        head = play.case.head(receipt)
        if play.case.with_head:
            play.write(head + play.case.pieces[0])
        else:
            writer.write(head)
        await play.paced(play)
        await writer.drain()
        return play.case.framing is not Framing.CLOSE


async def _read(reader: asyncio.StreamReader) -> HttpRequest | None:
    """The next request of a connection; None once it has ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    fields = (line.partition(": ") for line in lines if line)
    headers: Headers = tuple((name, value) for name, _, value in fields)
    length = int("".join(header_values(headers, "content-length")) or 0)
    return HttpRequest(method, ORIGIN + path, headers, await reader.readexactly(length))


def _whole(status: int, headers: Headers, body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Of A Seller", *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
