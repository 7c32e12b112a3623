"""The fast lane's connections to one origin: answered by callbacks, kept for the next request.

They are made by the connector that everything else connects with, and given back to its protocol
when an answer is not ordinary.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from sidecar.errors import UpstreamTimeoutError
from sidecar.http import Origin
from sidecar.proxy.upstream import HttpUpstream

# As long as the connector keeps its own.
IDLE_S = 15.0


class Asking(Protocol):
    """Whoever waits for an answer on a wire."""

    def answered(self, data: bytes) -> None:
        """The next bytes of it."""
        ...

    def lost(self, fault: Exception | None) -> None:
        """The wire is gone."""
        ...

    def overdue(self) -> None:
        """Nothing came in time."""
        ...


class Wire(asyncio.Protocol):
    """One connection. Bytes that come when nobody asked end it."""

    __slots__ = (
        "_deadline_s",
        "_handed",
        "_looks_s",
        "_loop",
        "_timer",
        "_wires",
        "_writes_paused",
        "asking",
        "connection",
        "handler",
        "idle_since_s",
        "transport",
    )

    def __init__(self, wires: Wires, connection: Connection) -> None:
        handler, transport = connection.protocol, connection.transport
        assert handler is not None
        assert transport is not None
        self.connection = connection
        self.transport = transport
        self.asking: Asking | None = None
        self.idle_since_s = 0.0
        self._wires = wires
        self.handler: ResponseHandler = handler
        self._loop = asyncio.get_running_loop()  # noqa: TID251  # the clock of its timers
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_s = 0.0
        self._looks_s = float("inf")  # when the timer does
        self._writes_paused = False
        self._handed = False
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        if self.asking is None:
            self.close()
        else:
            self.asking.answered(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        asking, self.asking = self.asking, None
        self._wires.forget(self)
        if asking is not None:
            asking.lost(exc)
        self.handler.connection_lost(exc)
        if not self._handed:
            self.connection.close()

    def pause_writing(self) -> None:
        self._writes_paused = True

    def resume_writing(self) -> None:
        self._writes_paused = False

    def expect(self, wait_s: float) -> None:
        """Tell ``asking`` when nothing has come in this time; ``inf``: never."""
        deadline_s = self._deadline_s = self._loop.time() + wait_s
        # The timer is left running from one request to the next: it finds out what has changed.
        if deadline_s < self._looks_s:
            self._look_at(deadline_s)

    def close(self) -> None:
        """End it. Nobody is told."""
        self.asking = None
        self._stop_timer()
        self._wires.forget(self)
        self.connection.close()

    def hand_over(self, data: bytes) -> Connection:
        """Give the connection to aiohttp's protocol, which was prepared, and these bytes to it."""
        self.asking = None
        self._handed = True
        self._stop_timer()
        if self._writes_paused:
            self.handler.pause_writing()
        self.transport.set_protocol(self.handler)
        if data:
            self.handler.data_received(data)
        return self.connection

    def _look(self) -> None:
        self._timer = None
        self._looks_s = float("inf")
        asking = self.asking
        if asking is None or self._deadline_s == float("inf"):
            return
        if self._loop.time() >= self._deadline_s:
            asking.overdue()
        else:
            self._look_at(self._deadline_s)

    def _look_at(self, deadline_s: float) -> None:
        self._stop_timer()
        self._looks_s = deadline_s
        self._timer = self._loop.call_at(deadline_s, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._looks_s = float("inf")


class Wires:
    """The wires to one origin."""

    def __init__(self, upstream: HttpUpstream, origin: Origin) -> None:
        self.upstream = upstream
        self.origin = origin
        upstream.borrow(origin, self._lend)
        self._idle: list[Wire] = []
        self._loop = asyncio.get_running_loop()  # noqa: TID251  # the clock of its timers
        self._sweeper: asyncio.TimerHandle | None = None

    def take(self) -> Wire | None:
        """One that is free, the one that was used last."""
        return self._idle.pop() if self._idle else None

    def _lend(self) -> Connection | None:
        wire = self.take()
        return None if wire is None else wire.hand_over(b"")

    async def connect(self, wait_s: float) -> Wire:
        """Another one. UpstreamError where there is none to be had, or not in this time."""
        try:
            async with asyncio.timeout(wait_s):
                return Wire(self, await self.upstream.connect(self.origin))
        except TimeoutError as fault:
            raise self.silence(wait_s) from fault

    def silence(self, wait_s: float) -> UpstreamTimeoutError:
        """The fault where nothing comes in this time."""
        return UpstreamTimeoutError(f"no answer from {self.origin} in {wait_s:g} s")

    def put(self, wire: Wire) -> None:
        """The answer on it has ended: keep it for the next request."""
        wire.asking = None
        wire.idle_since_s = self._loop.time()
        self._idle.append(wire)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(IDLE_S, self._sweep)

    def forget(self, wire: Wire) -> None:
        """It is no longer free."""
        if wire in self._idle:
            self._idle.remove(wire)

    def close(self) -> None:
        """Close those that are free."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for wire in self._idle.copy():
            wire.close()

    def _sweep(self) -> None:
        self._sweeper = None
        oldest_s = self._loop.time() - IDLE_S
        for wire in [wire for wire in self._idle if wire.idle_since_s <= oldest_s]:
            wire.close()
        if self._idle:
            self._sweeper = self._loop.call_later(IDLE_S, self._sweep)
