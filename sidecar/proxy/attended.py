"""A request of the fast lane that its handler goes on with, and the answer that it gets.

It keeps its place on the lane meanwhile: what the app sends next waits there, and the parser
never sees any of it. To an app the answer is byte for byte what aiohttp would have written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sidecar.http import Headers, header_values
from sidecar.proxy.relay import RelayedResponse
from sidecar.tasks import Supervisor

if TYPE_CHECKING:
    from sidecar.proxy.begun import Begun
    from sidecar.proxy.boarding import BoardingConnection

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset({204, 304})


class Attended:
    """One request, until its handler has answered it; ``boarding.Passing``."""

    __slots__ = ("_begun", "_gone", "_last", "_task", "is_answered", "method", "protocol")

    def __init__(self, connection: BoardingConnection, method: str, begun: Begun) -> None:
        self.protocol = connection
        self.method = method
        self.is_answered = False
        self._begun: Begun | None = begun
        self._gone = False
        self._task: asyncio.Task[None] | None = None
        self._last: Coroutine[Any, Any, None] | None = None

    @property
    def transport(self) -> asyncio.Transport | None:
        """The way to the app; None when it has gone."""
        return self.protocol.transport

    def go(self, tasks: Supervisor, serve: Callable[[], Awaitable[object]]) -> None:
        """Have it served. Until then the lane is taken."""
        self.protocol.enter(self)
        self._task = tasks.spawn("request", self._serve(serve))

    def at_last(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do this when the lane is free again, whatever ends the request.

        The task that serves it does it under this name: one of its own would cost more than it.
        """
        assert self._task is not None
        self._task.set_name(name)
        self._last = work

    async def _serve(self, serve: Callable[[], Awaitable[object]]) -> None:
        begun, self._begun = self._begun, None
        assert begun is not None
        if self._gone:
            begun.outcome.drop()
            begun.give_back()
            return
        try:
            await serve()
        except ConnectionError:
            # The app hung up, as the record of its request says.
            pass
        finally:
            try:
                if self.transport is not None:
                    if not self.is_answered:
                        self.protocol.cut()
                    self.protocol.leave()
            finally:
                if self._last is not None:
                    await self._last

    def more(self, data: bytes) -> bool:
        return False

    def app_gone(self) -> None:
        self._gone = True
        # A task that is cancelled before it begins gives nothing back.
        if self._begun is None and self._task is not None:
            self._task.cancel()

    def app_slow(self) -> None:
        """Whoever writes waits."""

    def app_ready(self) -> None:
        """Whoever waits hears of it from the connection."""


class DirectResponse(RelayedResponse):
    """Written to the lane's connection, without what aiohttp keeps for a response."""

    def __init__(
        self, request: Attended, status: int, headers: Headers, closes: bool = False
    ) -> None:
        # None of the others' fields is needed: nothing of aiohttp's is asked to write it.
        self._watch(header_values(headers, "content-type"))
        self._attended = request
        self._closes = closes
        self._head = b""
        self._is_chunked = False
        self._fields = (status, headers)

    async def begin(self) -> None:
        status, headers = self._fields
        lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}", *map(": ".join, headers)]
        is_empty = status in _BODILESS
        is_measured = bool(header_values(headers, "content-length"))
        if not is_empty and not is_measured:
            self._is_chunked = True
            lines.append("Transfer-Encoding: chunked")
        if self._closes:
            lines.append("Connection: close")
            self._attended.protocol.cut()
        # Each by itself would take three looks for each line.
        words = "".join(lines)
        if "\r" in words or "\n" in words or "\0" in words:
            raise ValueError("a header value with a line break")
        lines.append("\r\n")
        self._head = "\r\n".join(lines).encode()
        if is_empty or not is_measured:
            self._flush_head()

    async def _send(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            piece = bytes(data)
            if self._is_chunked:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            head, self._head = self._head, b""
            self._write(head + piece)
        if self._attended.protocol.is_paused:
            await self._attended.protocol._drain_helper()

    async def write_eof(self, data: bytes = b"") -> None:
        if self._head:
            self._flush_head()
        if self._is_chunked:
            self._write(b"0\r\n\r\n")
        self._attended.is_answered = True

    async def flushed(self) -> None:
        await self._emptied(self._attended.transport, self._attended.protocol)

    def cut(self) -> None:
        self._attended.protocol.cut()

    def _flush_head(self) -> None:
        head, self._head = self._head, b""
        self._write(head)

    def _write(self, data: bytes) -> None:
        transport = self._attended.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the app has hung up")
        transport.write(data)
