"""The inbound side: connections within limits, heads within time.

aiohttp's own server waits for ever for a request's head, so a connection that has not sent one
in time is closed here, and one whose head is too large as a whole: aiohttp bounds each field only.
More connections than allowed are closed as they come, and so are those of users who are no
callers: a few may be told so, and the rest take no caller's place. All of these are counted.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import cast

from aiohttp import HttpVersion11, StreamReader, hdrs
from aiohttp.web_protocol import _ErrInfo

from sidecar.payments.events import Emit, TaskFailed
from sidecar.peer import peer_of
from sidecar.proxy import web
from sidecar.proxy.framing import RequestLines, check_framing, check_parsers, malformed, whole
from sidecar.proxy.refusals import Reason, Refusals

# How long the rest of a refused body is read, so that its app gets to see the refusal.
LINGER_S = 2.0
# Of a body, this much waits to be taken before no more is read. With aiohttp's own 256 KiB it is
# three or four pieces of a quarter of a megabyte that wait, of each upload.
BODY_BUFFER_BYTES = 64 * 1024
# Connections of users who are no callers, on a Unix socket that any user may connect to.
STRANGERS_MAX = 32

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one listening port allows."""

    connections_max: int
    header_bytes_max: int
    header_wait_s: float
    keepalive_s: float
    # How long an app may leave an answer unread once nothing more of it can be sent.
    stall_wait_s: float = 300.0


class Connection(web.RequestHandler):
    """One app connection; closed when the head of a request does not come in time, or is large."""

    __slots__ = (
        "_head_bytes",
        "_head_bytes_max",
        "_head_handle",
        "_head_wait_s",
        "_lines",
        "_newest_body",
        "_refused",
        "_server",
        "_stall_handle",
        "_stall_wait_s",
        "user",
    )

    _newest_body: StreamReader | None
    _head_bytes: int
    _head_bytes_max: int
    _head_handle: asyncio.TimerHandle | None
    _head_wait_s: float
    _lines: RequestLines
    _stall_handle: asyncio.TimerHandle | None
    _stall_wait_s: float
    _refused: bool
    _server: ProxyServer
    user: int | None  # who connected; None on a TCP port, where nobody knows

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Without aiohttp's task and timer, which cost more than all else here: the task is made
        # with the parser's first bytes, and until a head has come there is the head's own timer.
        self.transport = cast(asyncio.Transport, transport)
        self._server.connection_made(self, self.transport)
        end = transport.get_extra_info("socket")
        self.user = peer_of(end).user if end.family == socket.AF_UNIX else None
        if self._refused or self._server.is_crowded_for(self.user):
            self._server.refusals.add("connections" if self._refused else "strangers")
            self.force_close()
            return
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        begun = self._request_count
        uploading = self._is_uploading()
        if not self._lines.are_http(data, in_body=uploading):
            self._refuse("version", 505, "only HTTP/1.0 and HTTP/1.1 are relayed")
            return
        self._start()
        super().data_received(data)
        if self._messages:
            self._newest_body = self._messages[-1][1]
        if self._request_count == begun and not uploading:
            self._head_bytes += len(data)
            if self._head_bytes > self._head_bytes_max:
                self._refuse("head_too_large", 431, "the head of the request is too large")
                return
        else:
            self._head_bytes = 0
            if uploading and self._messages and isinstance(self._messages[-1][0], _ErrInfo):
                # The parser has given the body up, and whoever reads it would wait for the rest.
                self._refuse("body", 400, "the body is not framed as HTTP wants it")
                return
        # Between requests the keep-alive timer rules; a head that has begun has its own.
        if self._head_handle is None and self._current_request is None and not self._messages:
            self._expect_head()

    def close(self) -> None:
        super().close()
        if self._task_handler is None:
            self.force_close()

    def _process_keepalive(self) -> None:
        super()._process_keepalive()
        if self._task_handler is None and self._keepalive_handle is None:
            self.force_close()

    def _start(self) -> None:
        """Have the task that answers what the parser reads."""
        if self._task_handler is None:
            self._task_handler = self._loop.create_task(self.start())

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_handle = self._loop.call_later(self._stall_wait_s, self._stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_stall()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.head_arrived()
        self._end_stall()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp's own answer quotes the request, and logs it: prompts, or a token."""
        if isinstance(exc, ConnectionError):
            # The app hung up, as the record of its request says: no fault of ours.
            return self.refusal(status)
        if exc is not None and status >= 500:
            self._server.emit(TaskFailed("request", exc))
        else:
            self._server.refusals.add("malformed")
        return self.refusal(status)

    def refusal(self, status: int) -> web.StreamResponse:
        """The answer to what cannot be relayed; the last one on this connection."""
        answer = malformed(status, "the request is not HTTP that can be relayed")
        response = web.Response(status=status, body=answer.body(""), headers=dict(answer.headers()))
        response.force_close()
        return response

    def _is_uploading(self) -> bool:
        """Whether the newest request's body is still on its way."""
        return self._newest_body is not None and not self._newest_body.is_eof()

    def _refuse(self, reason: Reason, status: int, message: str) -> None:
        """Answer what no handler can, if nothing was answered yet, and hang up."""
        self._server.refusals.add(reason)
        request = self._current_request
        if self.transport is not None and (request is None or not request.writer.output_size):
            self.transport.write(whole(malformed(status, message)))
        self.force_close()

    def _expect_head(self) -> None:
        self._head_handle = self._loop.call_later(self._head_wait_s, self._head_overdue)

    def head_arrived(self) -> None:
        """A request's head is complete; its handler takes over."""
        if self._head_handle is not None:
            self._head_handle.cancel()
            self._head_handle = None

    def _end_stall(self) -> None:
        if self._stall_handle is not None:
            self._stall_handle.cancel()
            self._stall_handle = None

    def _stalled(self) -> None:
        self._stall_handle = None
        if self.transport is not None:
            # A close would wait for the app to read what is buffered.
            self.transport.abort()

    def _head_overdue(self) -> None:
        self._head_handle = None
        if self._current_request is None:
            self._server.refusals.add("head_overdue")
            self.force_close()


class ProxyServer(web.Server):
    """Makes connections for a listening socket, and hands each request to the handler."""

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        users: Collection[int] = frozenset(),
        *,
        emit: Emit,
    ) -> None:
        check_parsers()
        self.emit = emit
        self._users = users
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
            lingering_time=LINGER_S,
            read_bufsize=BODY_BUFFER_BYTES,
        )
        self.refusals = Refusals(emit, self._loop)

    async def _on_request(self, request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        assert isinstance(protocol, Connection)
        protocol.head_arrived()
        wrong = check_framing(request)
        if wrong is not None:
            # A status line repeats its request's version, and aiohttp would claim this one too.
            request._version = min(request.version, HttpVersion11)
            self.refusals.add("version" if wrong == 505 else "framing")
            return protocol.refusal(wrong)
        if hdrs.UPGRADE in request.headers:
            # The parser drops what it had read beyond such a request, and would take the rest of
            # it for a new one.
            request._message = request._message._replace(should_close=True)
        return await self._handler(request)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's
        await super().shutdown(timeout)
        self.refusals.tell()

    def is_crowded_for(self, user: int | None) -> bool:
        """Whether this user, who has just connected, is one stranger too many."""
        if user is None or user in self._users:
            return False
        held = [one.user for one in self._connections if isinstance(one, Connection)]
        return sum(each not in self._users for each in held) > STRANGERS_MAX

    def __call__(self) -> web.RequestHandler:
        connection = self._new_connection()
        connection.user = None
        connection._server = self
        connection._newest_body = None
        connection._head_bytes = 0
        connection._head_bytes_max = self._limits.header_bytes_max
        connection._stall_handle = None
        connection._stall_wait_s = self._limits.stall_wait_s
        connection._head_handle = None
        connection._head_wait_s = self._limits.header_wait_s
        connection._lines = RequestLines(self._limits.header_bytes_max)
        connection._refused = len(self._connections) >= self._limits.connections_max
        return connection

    def _new_connection(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


def user_behind(request: web.BaseRequest) -> int | None:
    """The user who connected to a Unix socket; None on a TCP port."""
    protocol = request.protocol
    assert isinstance(protocol, Connection)
    return protocol.user
