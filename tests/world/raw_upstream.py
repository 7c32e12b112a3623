"""An upstream and an app that speak in bytes: each says what a test tells it, when it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

WAIT_S = 8.0


@dataclass
class End:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """The next message, as far as its Content-Length says."""
        async with asyncio.timeout(WAIT_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            return head + await self.reader.readexactly(int(length or b"0"))

    async def answer(self) -> bytes:
        """The same, of what comes back."""
        return await self.request()

    async def some(self, size: int) -> bytes:
        """So many bytes."""
        async with asyncio.timeout(WAIT_S):
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """What comes until the other end hangs up."""
        async with asyncio.timeout(WAIT_S):
            got = b""
            with suppress(ConnectionError):
                while data := await self.reader.read(2**20):
                    got += data
            return got

    def say(self, data: bytes) -> None:
        """Send this."""
        self.writer.write(data)

    async def hang_up(self) -> None:
        """End it; what was said is still delivered."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def hung_up(self) -> None:
        """Come back once the other end has hung up."""
        await self.rest()


@dataclass
class RawUpstream:
    """Its connections, in the order in which they came."""

    port: int = 0
    ends: list[End] = field(default_factory=list)
    _new: asyncio.Queue[End] = field(default_factory=asyncio.Queue)

    async def connection(self) -> End:
        """The next new connection."""
        async with asyncio.timeout(WAIT_S):
            return await self._new.get()

    async def asked(self) -> End:
        """The next new connection, once a request has come by it."""
        end = await self.connection()
        await end.request()
        return end

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = End(reader, writer)
        self.ends.append(end)
        self._new.put_nowait(end)


@asynccontextmanager
async def raw_upstream() -> AsyncIterator[RawUpstream]:
    """It listens; at the end all that is open is closed."""
    upstream = RawUpstream()
    server = await asyncio.start_server(upstream._accept, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for end in upstream.ends:
            await end.hang_up()


@asynccontextmanager
async def raw_app(port: int) -> AsyncIterator[End]:
    """A connection of an app."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    end = End(reader, writer)
    try:
        yield end
    finally:
        await end.hang_up()
