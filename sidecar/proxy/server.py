"""The inbound side: connections within limits, heads within time.

aiohttp's own server waits for ever for a request's head, so a connection that has not sent one
in time is closed here. More connections than allowed are closed as they come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy

from sidecar.errors import LocalProtocolError
from sidecar.proxy.answers import Answer

BACKLOG = 1024

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one listening port allows."""

    connections_max: int
    header_bytes_max: int
    header_wait_s: float
    keepalive_s: float


class Connection(web.RequestHandler):
    """One app connection; closed when the head of a request does not come in time."""

    __slots__ = ("_head_handle", "_head_wait_s", "_refused")

    _head_handle: asyncio.TimerHandle | None
    _head_wait_s: float
    _refused: bool

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._refused:
            self.force_close()
            return
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Between requests the keep-alive timer rules; a head that has begun has its own.
        if self._head_handle is None and self._current_request is None and not self._messages:
            self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.head_arrived()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp's own answer quotes the request, and logs it: prompts, or a token."""
        answer = Answer(status, "sidecar_malformed", "the request is not HTTP that can be relayed")
        response = web.Response(status=status, body=answer.body(""), headers=dict(answer.headers()))
        response.force_close()
        return response

    def _expect_head(self) -> None:
        self._head_handle = self._loop.call_later(self._head_wait_s, self._head_overdue)

    def head_arrived(self) -> None:
        """A request's head is complete; its handler takes over."""
        if self._head_handle is not None:
            self._head_handle.cancel()
            self._head_handle = None

    def _head_overdue(self) -> None:
        self._head_handle = None
        if self._current_request is None:
            self.force_close()


class ProxyServer(web.Server):
    """Makes connections for a listening socket, and hands each request to the handler."""

    def __init__(self, handler: Handler, limits: ServerLimits) -> None:
        if HttpRequestParser is HttpRequestParserPy:
            raise LocalProtocolError(
                "aiohttp's C parser is missing; its pure-Python one lets requests through that the "
                "C one refuses. Install aiohttp from its wheel"
            )
        self._limits = limits
        self._handler = handler
        super().__init__(
            self._on_request,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=limits.keepalive_s,
            max_line_size=limits.header_bytes_max,
            max_field_size=limits.header_bytes_max,
            auto_decompress=False,
        )

    async def _on_request(self, request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        assert isinstance(protocol, Connection)
        protocol.head_arrived()
        return await self._handler(request)

    def __call__(self) -> web.RequestHandler:
        connection = Connection(self, loop=self._loop, **self._kwargs)
        connection._head_handle = None
        connection._head_wait_s = self._limits.header_wait_s
        connection._refused = len(self._connections) >= self._limits.connections_max
        return connection


class Listener:
    """A listening port. ``port`` is the one that the system gave where 0 was asked for."""

    def __init__(self, server: web.Server, sockets: asyncio.Server) -> None:
        self._server = server
        self._sockets = sockets
        self.port: int = sockets.sockets[0].getsockname()[1]

    @classmethod
    async def open(cls, server: web.Server, host: str, port: int) -> Listener:
        """Listen. OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        return cls(server, await loop.create_server(server, host, port, backlog=BACKLOG))

    def stop_accepting(self) -> None:
        """No new connections; idle ones are closed, busy ones after their request."""
        self._sockets.close()
        self._server.pre_shutdown()

    async def close(self, wait_s: float) -> None:
        """Let requests end for this long, then cut what is left."""
        self.stop_accepting()
        await self._server.shutdown(wait_s)
