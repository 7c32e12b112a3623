"""A response on its way to the app: the upstream's own headers, our own framing.

aiohttp's StreamResponse adds a Server, a Date and a Content-Type of its own; an app must not
notice that we are there, so only the framing is ours. ``flushed`` waits for the last byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from socket import SO_LINGER, SOL_SOCKET
from struct import pack

from aiohttp import HttpVersion11
from multidict import CIMultiDict

from sidecar.http import Headers
from sidecar.proxy import web

# The events after which SDKs hang up without waiting for the stream's own end.
TERMINAL_EVENTS = (b"data: [DONE]", b"event: message_stop")
TERMINAL_BYTES_MAX = 128
_RESET = pack("ii", 1, 0)
# Those of OpenAI's Responses API repeat the answer, so they are known by how they begin.
TERMINAL_STARTS = (b"event: response.completed\n", b"event: response.incomplete\n")


class RelayedResponse(web.StreamResponse):
    """Status and headers as given. Raises ConnectionError when the app has gone."""

    def __init__(
        self, request: web.BaseRequest, status: int, headers: Headers, closes: bool = False
    ) -> None:
        super().__init__(status=status, _real_headers=CIMultiDict(headers))
        self._watch(self.headers.getall("Content-Type", ()))
        self._request = request
        if closes:
            self.force_close()

    def _watch(self, content_types: Sequence[str]) -> None:
        """Look out for the end of a stream, if it is one."""
        self._is_stream = "".join(content_types[:1]).startswith("text/event-stream")
        self._last = b""
        self._ending = False

    async def begin(self) -> None:
        """The head is on its way, or goes with the first of a body whose length is known."""
        await self.prepare(self._request)

    async def _prepare_headers(self) -> None:
        request, writer = self._req, self._payload_writer
        assert request is not None
        assert writer is not None
        keep_alive = request.keep_alive if self._keep_alive is None else self._keep_alive
        length = self._headers.get("Content-Length")
        if self._must_be_empty_body:
            writer.length = 0
        elif length is not None:
            writer.length = int(length)
            # Its body is about to come: one write for both. A stream's head goes out at once.
            self._send_headers_immediately = False
        elif request.version >= HttpVersion11:
            writer.enable_chunking()
            self._headers["Transfer-Encoding"] = "chunked"
        else:
            keep_alive = False
        self._keep_alive = keep_alive
        if not keep_alive:
            self._headers["Connection"] = "close"
        elif request.version < HttpVersion11:
            self._headers["Connection"] = "keep-alive"

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await self._send(data)
        if not self._is_stream:
            return
        written = bytes(data)
        self._last = written[-TERMINAL_BYTES_MAX:]
        self._ending = self._ending or any(start in written for start in TERMINAL_STARTS)

    async def _send(self, data: bytes | bytearray | memoryview) -> None:
        await super().write(data)

    async def flushed(self) -> None:
        """Return when the kernel has taken the last byte. ConnectionError when it never will."""
        await self._emptied(self._request.transport, self._request.protocol)

    async def _emptied(
        self, transport: asyncio.Transport | None, protocol: web.RequestHandler
    ) -> None:
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the app has hung up")
        if not transport.get_write_buffer_size():
            return
        transport.set_write_buffer_limits(high=0)
        await protocol._drain_helper()
        if protocol.transport is None or transport.is_closing():
            raise ConnectionResetError("the app has hung up")
        transport.set_write_buffer_limits()

    def cut(self) -> None:
        """End the connection without ending the body: what was cut upstream stays cut."""
        self._eof_sent = True
        self.force_close()
        transport = self._request.protocol.transport
        if transport is None:
            return
        if "Content-Length" in self._headers or "Transfer-Encoding" in self._headers:
            transport.close()
        else:
            # A body that only the connection's end delimits: a clean close would complete it, and
            # so would an abort that the system ends as it ends any other connection.
            transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            transport.abort()


def is_whole(response: RelayedResponse) -> bool:
    """Whether an event stream's terminal event was written: for its app, that is the last byte."""
    ended = response._ending and response._last.endswith(b"\n\n")
    return ended or any(event in response._last for event in TERMINAL_EVENTS)
