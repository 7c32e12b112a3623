"""One app connection: its head comes within time, and within a size.

aiohttp's own server waits for ever for a request's head, so a connection that has not sent one
in time is closed here, and one whose head is too large as a whole: aiohttp bounds each field only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import StreamReader
from aiohttp.web_protocol import _ErrInfo

from sidecar.payments.events import TaskFailed
from sidecar.proxy import web
from sidecar.proxy.framing import RequestLines, malformed, whole
from sidecar.proxy.refusals import Reason

if TYPE_CHECKING:
    from sidecar.proxy.server import ProxyServer


# What may have happened to a connection before there was a parser.
_KEPT = (
    "transport",
    "_paused",
    "_close",
    "_force_close",
    "_keepalive_handle",
    "_next_keepalive_close_time",
)


class Connection(web.RequestHandler):
    """One app connection; closed when the head of a request does not come in time, or is large."""

    __slots__ = (
        "_awaits_head",
        "_head_bytes",
        "_lines",
        "_newest_body",
        "_server",
        "_stall_handle",
        "user",
    )

    _newest_body: StreamReader | None
    _head_bytes: int
    _lines: RequestLines

    def __init__(self, server: ProxyServer, loop: asyncio.AbstractEventLoop) -> None:
        # Not aiohttp's own, which is for whoever has something for the parser (``_equip``): most
        # connections never have, and it is most of what one takes. This is what is asked until
        # then, here and by aiohttp.
        self._loop = loop
        self._manager = self._server = server
        self.transport = None
        self._parser = None
        self._paused = False
        self._drain_waiter = None
        self._close = False
        self._force_close = False
        self._keepalive = True
        self._keepalive_handle = None
        self._next_keepalive_close_time = 0.0
        self._keepalive_timeout = server.limits.keepalive_s
        self._waiter = None
        self._task_handler = None
        self._current_request = None
        self._request_in_progress = False
        self._payload_parser = None
        self._awaits_head = False
        self._stall_handle: asyncio.TimerHandle | None = None
        self.user: int | None = None  # who connected; None on a TCP port, where nobody knows

    def _equip(self) -> None:
        """Have what aiohttp reads requests with, and keep what has happened until now."""
        kept = {name: getattr(self, name) for name in _KEPT}
        web.RequestHandler.__init__(self, self._server, loop=self._loop, **self._server.reading)
        for name, value in kept.items():
            setattr(self, name, value)
        self._lines = RequestLines(self._server.limits.header_bytes_max)
        self._newest_body = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Without aiohttp's task and timer, which cost more than all else here: the task is made
        # with the parser's first bytes, and until a head has come there is the head's own wait.
        self.transport = transport  # type: ignore[assignment]  # uvloop's are no asyncio.Transport
        refused = self._server.take_in(self)
        if refused is not None:
            self._server.refusals.add(refused)
            self.force_close()
            return
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            self._equip()
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
            if self._head_bytes > self._server.limits.header_bytes_max:
                self._refuse("head_too_large", 431, "the head of the request is too large")
                return
        else:
            self._head_bytes = 0
            if uploading and self._messages and isinstance(self._messages[-1][0], _ErrInfo):
                # The parser has given the body up, and whoever reads it would wait for the rest.
                self._refuse("body", 400, "the body is not framed as HTTP wants it")
                return
        # Between requests the keep-alive timer rules; a head that has begun has its own.
        if not self._awaits_head and self._current_request is None and not self._messages:
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
        if self._parser is None:
            self._equip()
        if self._task_handler is None:
            self._task_handler = self._loop.create_task(self.start())

    def pause_writing(self) -> None:
        super().pause_writing()
        wait_s = self._server.limits.stall_wait_s
        self._stall_handle = self._loop.call_later(wait_s, self._stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_stall()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.head_arrived()
        self._end_stall()
        super().connection_lost(exc)
        self._server.have_spare()

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
        self._awaits_head = True
        self._server.heads.expect(self)

    def head_arrived(self) -> None:
        """A request's head is complete; its handler takes over."""
        if self._awaits_head:
            self._awaits_head = False
            self._server.heads.arrived(self)

    def _end_stall(self) -> None:
        if self._stall_handle is not None:
            self._stall_handle.cancel()
            self._stall_handle = None

    def _stalled(self) -> None:
        self._stall_handle = None
        if self.transport is not None:
            # A close would wait for the app to read what is buffered.
            self.transport.abort()

    def head_overdue(self) -> None:
        """It has not come in time."""
        self._awaits_head = False
        if self._current_request is None:
            self._server.refusals.add("head_overdue")
            self.force_close()
