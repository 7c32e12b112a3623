"""A company's proxy: it relays what CONNECT asks for, to who has the login, and remembers it.

And a front with TLS for a server that has none.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.world.certificate import Certificate

LOGIN = "user:a-proxys-password"
PIECE_BYTES = 65_536

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


@dataclass
class ConnectProxy:
    """``places``: where the names that it knows really are, each a port of this machine."""

    places: dict[str, int]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    refused: int = 0

    def url(self, login: str = LOGIN) -> str:
        """What HTTPS_PROXY is set to."""
        return f"http://{login}@127.0.0.1:{self.port}"

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """One connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.split("\r\n")
        self.asked.append(line)
        wanted = f"Proxy-Authorization: Basic {b64encode(LOGIN.encode()).decode()}"
        method, place, _ = line.split(" ")
        if method != "CONNECT" or wanted not in fields or place not in self.places:
            self.refused += 1
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        far = await asyncio.open_connection("127.0.0.1", self.places[place])
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await relay((reader, writer), far)


async def relay(near: tuple[Reader, Writer], far: tuple[Reader, Writer]) -> None:
    """Pass bytes both ways until both sides have ended."""

    async def one_way(reader: Reader, writer: Writer) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                writer.write(piece)
                await writer.drain()
        writer.close()

    await asyncio.gather(one_way(near[0], far[1]), one_way(far[0], near[1]))


@asynccontextmanager
async def listening_with(
    serve: Callable[[Reader, Writer], Awaitable[None]], certificate: Certificate | None = None
) -> AsyncIterator[int]:
    """A port where each connection is served so; with TLS where there is a certificate."""
    open_tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_tasks.add(task)
        try:
            await serve(reader, writer)
        finally:
            open_tasks.discard(task)
            writer.close()

    context = None if certificate is None else certificate.for_server()
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)
