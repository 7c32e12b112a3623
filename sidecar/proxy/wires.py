"""The fast lane's connections to one origin: answered by callbacks, kept for the next request.

``dial`` makes them, and aiohttp's protocol gets them when an answer is not ordinary.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol, cast

from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from sidecar.errors import UpstreamError, UpstreamTimeoutError
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
        "_connection",
        "_loop",
        "_wires",
        "_writes_paused",
        "asking",
        "deadline_s",
        "idle_since_s",
        "transport",
    )

    transport: asyncio.Transport  # once it is connected

    def __init__(self, wires: Wires, loop: asyncio.AbstractEventLoop) -> None:
        self.asking: Asking | None = None
        self.deadline_s = inf
        self.idle_since_s = 0.0
        self._wires = wires
        self._connection: Connection | None = None  # aiohttp's, once it is wanted
        self._loop = loop
        self._writes_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's are no asyncio.Transport.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        asking = self.asking
        if asking is None:
            self.close()
        else:
            asking.answered(data)

    def connection_lost(self, exc: Exception | None) -> None:
        asking, self.asking = self.asking, None
        self._wires.forget(self)
        if asking is not None:
            asking.lost(exc)
        # It may have been handed over in this moment.
        handler = None if self._connection is None else self._connection.protocol
        if handler is not None:
            handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self._writes_paused = True

    def resume_writing(self) -> None:
        self._writes_paused = False

    def expect(self, wait_s: float) -> None:
        """Tell ``asking`` when nothing has come in this time; ``inf``: never."""
        deadline_s = self.deadline_s = self._loop.time() + wait_s
        if deadline_s < self._wires.looks_s:
            self._wires.look_at(deadline_s)

    def close(self) -> None:
        """End it. Nobody is told."""
        self.asking = None
        self._wires.forget(self)
        self.transport.close()

    @property
    def handler(self) -> ResponseHandler:
        """aiohttp's protocol, to be prepared before it is handed over to."""
        if self._connection is None:
            self._connection = self._wires.dial.lend(self.transport)
        handler = self._connection.protocol
        assert handler is not None
        return handler

    def hand_over(self, data: bytes) -> Connection:
        """Give the connection to aiohttp's protocol, which was prepared, and these bytes to it."""
        self.asking = None
        self._wires.forget(self)
        handler, connection = self.handler, self._connection
        assert connection is not None
        if self._writes_paused:
            handler.pause_writing()
        self.transport.set_protocol(handler)
        if data:
            handler.data_received(data)
        return connection


class Wires:
    """The wires to one origin, with one timer for all who wait, left running between requests."""

    def __init__(self, upstream: HttpUpstream, origin: Origin) -> None:
        self.upstream = upstream
        self.origin = origin
        self.dial = upstream.dial(origin)
        upstream.borrow(origin, self)
        self.looks_s = inf  # when the timer does
        self._timer: asyncio.TimerHandle | None = None
        self._all: set[Wire] = set()
        self.idle: list[Wire] = []  # free ones; the one that was used last is the last
        self._loop = asyncio.get_running_loop()  # noqa: TID251  # the clock of its timers
        self._sweeper: asyncio.TimerHandle | None = None

    def take(self) -> Wire | None:
        """One that is free, the one that was used last."""
        return self.idle.pop() if self.idle else None

    async def connect(self, wait_s: float) -> Wire:
        """Another one. UpstreamError where there is none to be had, or not in this time."""
        wire = Wire(self, self._loop)
        try:
            async with asyncio.timeout(min(wait_s, self.dial.wait_s)):
                await self.dial.open(wire)
        except TimeoutError as fault:
            raise self.late(wait_s) from fault
        if wire.transport.is_closing():
            raise self.dial.unasked()
        self._all.add(wire)
        return wire

    def late(self, wait_s: float) -> UpstreamError:
        """The fault where it was not connected in time."""
        if self.dial.wait_s < wait_s:
            return UpstreamError(f"cannot connect to {self.origin}: timed out")
        return self.silence(wait_s)

    def silence(self, wait_s: float) -> UpstreamTimeoutError:
        """The fault where nothing comes in this time."""
        return UpstreamTimeoutError(f"no answer from {self.origin} in {wait_s:g} s")

    def put(self, wire: Wire) -> None:
        """The answer on it has ended: keep it for the next request."""
        wire.asking = None
        wire.idle_since_s = self._loop.time()
        self.idle.append(wire)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(IDLE_S, self._sweep)

    def forget(self, wire: Wire) -> None:
        """It is no longer one of these."""
        self._all.discard(wire)
        if wire in self.idle:
            self.idle.remove(wire)

    def look_at(self, deadline_s: float) -> None:
        """Look then who has waited too long."""
        if self._timer is not None:
            self._timer.cancel()
        self.looks_s = deadline_s
        self._timer = self._loop.call_at(deadline_s, self._look)

    def _look(self) -> None:
        self._timer, self.looks_s = None, inf
        now_s = self._loop.time()
        waiting = [wire for wire in self._all if wire.asking is not None]
        for wire in waiting:
            # What another one was told may have ended it.
            if wire.asking is not None and wire.deadline_s <= now_s:
                wire.asking.overdue()
        ends_s = min((wire.deadline_s for wire in waiting if wire.asking is not None), default=inf)
        if ends_s < self.looks_s:
            self.look_at(ends_s)

    def close(self) -> None:
        """Close all. Who waits for an answer hears of it from the loop."""
        for timer in (self._sweeper, self._timer):
            if timer is not None:
                timer.cancel()
        self._sweeper = self._timer = None
        self.looks_s = inf
        for wire in tuple(self._all):
            if wire.asking is None:
                wire.close()
            elif wire.transport.get_extra_info("sslcontext") is None:
                wire.transport.close()
            else:
                # Its other end may take long to say that it has heard.
                wire.transport.abort()

    def _sweep(self) -> None:
        self._sweeper = None
        oldest_s = self._loop.time() - IDLE_S
        for wire in [wire for wire in self.idle if wire.idle_since_s <= oldest_s]:
            wire.close()
        if self.idle:
            self._sweeper = self._loop.call_later(IDLE_S, self._sweep)
