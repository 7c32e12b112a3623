"""Connections whose ordinary requests take the fast lane; the parser gets all others.

The two never read from the same request. Bytes go to the lane only while the parser rests: it has
answered all that it was given, and what it was given ended with a request's last byte. Bytes go
to the parser once the lane has declined them, and from then on until it rests again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from sidecar.payments.events import Emit
from sidecar.proxy.ahead import Ahead
from sidecar.proxy.begun import Begun
from sidecar.proxy.calls import Asked
from sidecar.proxy.connection import Connection
from sidecar.proxy.framing import HEAD_END, bytes_of_request
from sidecar.proxy.server import Handler, ProxyServer, ServerLimits


class Passing(Protocol):
    """A request on the fast lane."""

    def more(self, data: bytes) -> bool:
        """More bytes from the app; False where they belong to a later request."""
        ...

    def app_gone(self) -> None:
        """The app has hung up."""
        ...

    def app_slow(self) -> None:
        """Nothing more is to be written for now."""
        ...

    def app_ready(self) -> None:
        """The app reads again."""
        ...


class FastLane(Protocol):
    """Takes requests that are ordinary."""

    def take(self, connection: BoardingConnection, data: bytes) -> bool:
        """Take the request that begins these bytes; False where the parser is to have them."""
        ...


class BoardingConnection(Connection):
    """One app connection with a fast lane."""

    __slots__ = (
        "_ahead",
        "_begun",
        "_boards",
        "_closes",
        "_express",
        "_given",
        "_given_bytes",
        "_passing",
        "_requests_before",
        "is_cut",
        "last",
    )

    def __init__(self, server: BoardingServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop)
        self._boards = server
        self._express = server.express
        self._begun: Begun | None = None
        self._closes = False  # once the request on the lane is over
        self._ahead: Ahead | None = None  # what came while a request was on the lane
        # The head of what the parser was given since it rested, and how much that was.
        self._given = b""
        self._given_bytes = 0
        self._passing: Passing | None = None
        self._requests_before = 0
        self.is_cut = False  # by us, with a request on the lane
        self.last: Asked | None = None  # what the lane took of it last

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Connection.connection_made(self, transport)
        # An app that connects anew mostly asks what it asked on its connection before.
        newest = self._boards.newest
        if newest is not None and newest.call.user == self.user:
            self.last = newest

    def data_received(self, data: bytes) -> None:
        passing = self._passing
        if passing is not None:
            if not passing.more(data):
                self._keep(data)
            return
        if self._begun is not None:
            self._keep(data)
            return
        rests = not self._given_bytes or self._rests()
        open_ = data and not self._close and not self._force_close
        if not (rests and open_ and self._express.take(self, data)):
            self._give_parser(data)

    # What the lane does with it.

    def enter(self, passing: Passing) -> None:
        """A request takes the lane."""
        self._passing = passing
        if self._awaits_head:
            self.head_arrived()

    def leave(self) -> None:
        """It is over; the next may come."""
        self._passing = None
        if self.transport is None:
            return
        if self._closes:
            super().close()
            if self.transport is not None:
                self.transport.close()
            return
        ends_s = self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(ends_s, self._process_keepalive)
        if self._ahead is not None:
            self._go_on()

    def decline(self, pieces: list[bytes]) -> None:
        """Nothing was sent, and these bytes are the parser's after all, as they came."""
        self._passing = None
        for piece in pieces:
            self._give_parser(piece)
        self._end_with_request()

    def hand_over(self, head: bytes, begun: Begun) -> None:
        """It was sent; its handler gets the answer. The parser sees the head alone."""
        self._passing = None
        self._begun = begun
        self._give_parser(head)
        self._end_with_request()

    def take_begun(self) -> Begun | None:
        """What was begun of the request that is handled now."""
        begun, self._begun = self._begun, None
        self._end_with_request()
        if begun is not None and self._ahead is not None:
            # Not before it is handled: what comes next may end the connection, and with it this.
            self._go_on()
        return begun

    def write(self, data: bytes) -> None:
        """Send this to the app."""
        if self.transport is not None:
            self.transport.write(data)

    def cut(self) -> None:
        """End the connection where it is."""
        self._closes = True

    @property
    def is_paused(self) -> bool:
        """Whether the app is slow to read."""
        return self._paused

    def call_later(self, wait_s: float, what: Callable[[], None]) -> asyncio.TimerHandle:
        """Do this later."""
        return self._loop.call_later(wait_s, what)

    # What happens to it.

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._passing is not None:
            self._passing.app_slow()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._passing is not None:
            self._passing.app_ready()

    def connection_lost(self, exc: BaseException | None) -> None:
        passing, self._passing = self._passing, None
        if self.last is not None:
            self._boards.newest = self.last
        super().connection_lost(exc)
        if passing is not None:
            passing.app_gone()
        self._abandon()

    def close(self) -> None:
        # aiohttp's server closes what is idle so when it stops, and busy ones after their request.
        if self._passing is not None or self._begun is not None:
            self._closes = True
            # Whoever waits for all connections to end waits for their tasks.
            self._start()
        else:
            super().close()

    def force_close(self) -> None:
        # While a request is on the lane, only a sidecar that stops ends it so.
        if self._passing is not None:
            self.is_cut = True
        super().force_close()

    def _process_keepalive(self) -> None:
        if self._passing is None:
            super()._process_keepalive()
            return
        # To aiohttp it looks idle while a request is on the lane.
        self._keepalive_handle = self._loop.call_later(
            self._keepalive_timeout, self._process_keepalive
        )

    # The parser's share.

    def _give_parser(self, data: bytes) -> None:
        if data and self._given_bytes:
            # Sent ahead of an answer, the next request is not to be taken for more of this one.
            # Nothing is no next request: aiohttp reads on with it, and the parser does not rest.
            self._has_whole()
        if data and HEAD_END not in self._given:
            # No longer than a head may be: a longer one ends its connection.
            self._given += data
        self._given_bytes += len(data)
        super().data_received(data)

    def _rests(self) -> bool:
        """Whether the parser has answered what it was given, and that ended with its request."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages or self._upgraded:
            return False
        return self._has_whole()

    def _has_whole(self) -> bool:
        """Whether what the parser was given is one request that it has read; forgotten if so."""
        if self._request_count != self._requests_before + 1:
            return False
        if self._given_bytes != bytes_of_request(self._given):
            return False
        self._given, self._given_bytes = b"", 0
        self._requests_before = self._request_count
        return True

    def _keep(self, data: bytes) -> None:
        ahead = self._ahead = self._ahead or Ahead()
        ahead.keep(data)
        if ahead.is_full and self.transport is not None:
            self.transport.pause_reading()

    def _go_on(self) -> None:
        ahead = self._ahead
        assert ahead is not None
        was_full = ahead.is_full
        while ahead.pieces and not self._force_close:
            data, passing = ahead.pieces[0], self._passing
            if passing is not None and not passing.more(data):
                break
            ahead.drop()
            if passing is None:
                self.data_received(data)
        if was_full and not ahead.is_full and self.transport is not None:
            self.transport.resume_reading()
        if not ahead.pieces:
            self._ahead = None

    # The end.

    def _end_with_request(self) -> None:
        """Where it is to end once the parser has its request: as aiohttp does that."""
        if self._closes:
            super().close()

    def _abandon(self) -> None:
        begun = self._begun
        if begun is not None:
            self._begun = None
            begun.outcome.drop()
            begun.give_back()


class BoardingServer(ProxyServer):
    """A server whose connections have a fast lane."""

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        users: Collection[int] = frozenset(),
        *,
        emit: Emit,
        express: FastLane,
    ) -> None:
        super().__init__(handler, limits, users, emit=emit)
        self.express = express
        # What was asked last on the connection that ended last.
        self.newest: Asked | None = None

    def _make(self) -> Connection:
        return BoardingConnection(self, self._loop)
