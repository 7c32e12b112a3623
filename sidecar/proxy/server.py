"""The inbound side: a listening socket, and connections within limits.

More connections than allowed are closed as they come, and so are those of users who are no
callers: a few may be told so, and the rest take no caller's place. All of these are counted.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import HttpVersion11, hdrs

from sidecar.payments.events import Emit
from sidecar.peer import peer_of
from sidecar.proxy import web
from sidecar.proxy.connection import Connection
from sidecar.proxy.framing import check_framing, check_parsers
from sidecar.proxy.refusals import Reason, Refusals
from sidecar.proxy.waits import Waits
from sidecar.values import dataclass

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
        self._knows_users: bool | None = None
        self._spare: Connection | None = None
        self._handler = handler
        self.limits = limits
        self._connections_max = limits.connections_max
        # What aiohttp's share of a connection is made with.
        self.reading: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": limits.keepalive_s,
            "max_line_size": limits.header_bytes_max,
            "max_field_size": limits.header_bytes_max,
            "auto_decompress": False,
            "lingering_time": LINGER_S,
            "read_bufsize": BODY_BUFFER_BYTES,
        }
        super().__init__(self._on_request, handler_cancellation=True)
        self.heads = Waits(limits.header_wait_s, self._loop)
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
        self.heads.stop()
        self.refusals.tell()

    def take_in(self, connection: Connection) -> Reason | None:
        """One has just come in: why it is to end at once, or None."""
        transport = connection.transport
        assert transport is not None
        is_full = len(self._connections) >= self._connections_max
        self._connections[connection] = transport
        # All connections come in at one place, and to ask each what it is takes its time.
        if self._knows_users is None:
            self._knows_users = transport.get_extra_info("socket").family == socket.AF_UNIX
        if self._knows_users:
            connection.user = peer_of(transport.get_extra_info("socket")).user
            if not is_full and self._is_crowded_for(connection.user):
                return "strangers"
        return "connections" if is_full else None

    def _is_crowded_for(self, user: int | None) -> bool:
        """Whether this user, who has just connected, is one stranger too many."""
        if user is None or user in self._users:
            return False
        held = [one.user for one in self._connections if isinstance(one, Connection)]
        return sum(each not in self._users for each in held) > STRANGERS_MAX

    def __call__(self) -> web.RequestHandler:
        made = self._spare
        if made is None:
            return self._make()
        self._spare = None
        return made

    def have_spare(self) -> None:
        """Make the next connection now that one has ended: when it comes, an app waits for it."""
        if self._spare is None:
            self._spare = self._make()

    def _make(self) -> Connection:
        return Connection(self, self._loop)


def user_behind(request: web.BaseRequest) -> int | None:
    """The user who connected to a Unix socket; None on a TCP port."""
    protocol = request.protocol
    assert isinstance(protocol, Connection)
    return protocol.user
