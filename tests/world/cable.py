"""A connection to Postgres that is cut at a message, or goes silent.

    with Cable(postgres.port) as cable:
        cable.url(database)                      # the same database, through the cable
        cable.messages                           # who said what so far, oldest first
        cable.cut(Side.CLIENT, 3)                # the third message of a client from now is lost,
                                                 # and its connection with it
        cable.cut(Side.SERVER, 1, passed=True)   # it arrives, and then the connection is lost
        cable.cut(Side.CLIENT, 3, lasts=True)    # and nobody gets through until cable.heal()
        cable.cut_where(lambda message: message.body.endswith(b"COMMIT\0"))
        cable.silence()                          # a partition: connections stay, nothing passes
        cable.silence_where(is_commit)           # from this message on, which is held itself
        cable.heal()                             # what was held arrives, late

Messages are those of the protocol, of all connections together. A client's message that is passed
before the cut is carried out by the server, which then sees an orderly end. What is lost is lost
for both: the client's connection is reset. It runs on a thread of its own.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from threading import Event, Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_HEADER_BYTES = 4
# Requests for TLS and for GSSAPI: the answer is no.
_ENCRYPTION = (struct.pack("!I", 80_877_103), struct.pack("!I", 80_877_104))


class Side(StrEnum):
    """Whose message it is."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the protocol. The first ones of a client have no kind."""

    side: Side
    kind: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        """As it is on the wire."""
        return self.kind + struct.pack("!I", len(self.body) + _HEADER_BYTES) + self.body


@dataclass(frozen=True, slots=True)
class _Cut:
    when: Callable[[Message], bool]
    passed: bool
    lasts: bool


class Cable:
    """Between the clients and a server on a port of loopback."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._run, name="cable")
        self._ready = Event()
        self._stop = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._cut: _Cut | None = None
        self._silent_from: Callable[[Message], bool] | None = None
        self._is_down = False
        self._links: set[_Link] = set()
        self._serving = 0
        self.port = 0
        self.messages: list[Message] = []
        self.cuts = 0  # how often it was cut

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._loop is not None, "it was entered"
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def url(self, url: str) -> str:
        """The database that this url of the server leads to, through the cable."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.port}").geturl()

    def cut(self, side: Side, at: int, *, passed: bool = False, lasts: bool = False) -> None:
        """Cut at the at-th message of this side from now, counted from 1."""
        left = at

        def when(message: Message) -> bool:
            nonlocal left
            left -= message.side == side
            return left == 0

        self.cut_where(when, passed=passed, lasts=lasts)

    def cut_where(
        self, when: Callable[[Message], bool], *, passed: bool = False, lasts: bool = False
    ) -> None:
        """Cut at the first message from now that is so."""
        self._cut = _Cut(when, passed, lasts)

    def silence(self) -> None:
        """Pass nothing any more, in both directions; connections are taken, and stay."""
        self._call(self._open.clear)

    def silence_where(self, when: Callable[[Message], bool]) -> None:
        """Go silent at the first message from now that is so."""
        self._silent_from = when

    def heal(self) -> None:
        """Be a good cable: what was held arrives, and nothing is cut."""
        self._cut = self._silent_from = None
        self._is_down = False
        self._call(self._open.set)

    def _call(self, change: Callable[[], None]) -> None:
        """Make a change on its thread, and come back when it is made."""
        made = Event()
        assert self._loop is not None, "enter it first"
        for step in (change, made.set):
            self._loop.call_soon_threadsafe(step)
        made.wait()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for link in self._links:
            link.cut()
            link.server.transport.abort()
        self._open.set()
        while self._serving:
            await asyncio.sleep(0.01)

    async def _connected(
        self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter
    ) -> None:
        self._serving += 1
        await self._open.wait()
        try:
            if self._is_down or self._stop.is_set():
                raise ConnectionRefusedError
            server_in, server_out = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            _reset(client_out)
        else:
            link = _Link(client_out, server_out)
            self._links.add(link)
            await asyncio.gather(
                self._from_client(client_in, link), self._from_server(server_in, link)
            )
            self._links.remove(link)
            server_out.close()
        self._serving -= 1

    async def _from_client(self, source: asyncio.StreamReader, link: _Link) -> None:
        message = await _read(source, Side.CLIENT, kind_bytes=0)
        while message is not None and message.body[:_HEADER_BYTES] in _ENCRYPTION:
            link.client.write(b"N")
            message = await _read(source, Side.CLIENT, kind_bytes=0)
        while message is not None and not link.is_cut:
            await self._pass(message, link.server, link)
            message = await _read(source, Side.CLIENT)
        with suppress(OSError):
            link.server.write_eof()

    async def _from_server(self, source: asyncio.StreamReader, link: _Link) -> None:
        message = await _read(source, Side.SERVER)
        while message is not None:
            # What it says after the cut is read, or its work would end before its time.
            if not link.is_cut:
                await self._pass(message, link.client, link)
            message = await _read(source, Side.SERVER)
        link.client.close()

    async def _pass(self, message: Message, target: asyncio.StreamWriter, link: _Link) -> None:
        if self._silent_from is not None and self._silent_from(message):
            self._silent_from = None
            self._open.clear()
        await self._open.wait()
        if link.is_cut:
            return
        self.messages.append(message)
        cut = self._cut
        is_due = cut is not None and cut.when(message)
        with suppress(ConnectionError):
            if cut is None or cut.passed or not is_due:
                target.write(message.raw)
                await target.drain()
        if cut is not None and is_due:
            self.cuts += 1
            self._cut = None
            self._is_down = cut.lasts
            for each in self._links if cut.lasts else {link}:
                each.cut()


class _Link:
    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.is_cut = False

    def cut(self) -> None:
        self.is_cut = True
        _reset(self.client)
        with suppress(OSError):
            self.server.write_eof()


async def _read(source: asyncio.StreamReader, side: Side, *, kind_bytes: int = 1) -> Message | None:
    try:
        kind = await source.readexactly(kind_bytes)
        (size,) = struct.unpack("!I", await source.readexactly(_HEADER_BYTES))
        return Message(side, kind, await source.readexactly(size - _HEADER_BYTES))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
