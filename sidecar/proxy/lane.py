"""At most so many requests of one wallet in flight: a vendor refuses, and then punishes, more.

A request is in flight from before it is sent until its answer has ended or is closed. Those who
wait are served in the order in which they came.
Source: providers.md 1 (g), X402_CONCURRENCY_LIMIT.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sidecar.clock import Clock
from sidecar.errors import UpstreamTimeoutError
from sidecar.http import Headers, HttpRequest, Reply, Upstream


class Slots:
    """What the requests of one wallet at one vendor share, whatever route they go by."""

    def __init__(self, in_flight_max: int, clock: Clock) -> None:
        assert in_flight_max > 0
        self._free = asyncio.Semaphore(in_flight_max)
        self._clock = clock

    async def take(self, wait_s: float) -> float:
        """Take one, and say how much of ``wait_s`` is left. UpstreamTimeoutError if none came."""
        if not self._free.locked():
            await self._free.acquire()
            return wait_s
        began_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(wait_s):
                await self._free.acquire()
        except TimeoutError as fault:
            raise UpstreamTimeoutError(
                f"no turn came in {wait_s:g} s: earlier requests of this wallet are under way, "
                "and its vendor takes no more at a time"
            ) from fault
        return max(0.0, wait_s - (self._clock.monotonic_s() - began_s))

    def give_back(self) -> None:
        """The request is over."""
        self._free.release()


class Lane:
    """An upstream that one wallet's requests pass a few at a time; ``http.Upstream``."""

    def __init__(self, upstream: Upstream, slots: Slots) -> None:
        self._upstream = upstream
        self._slots = slots

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        """As the upstream sends; the wait for a turn counts against ``wait_s``."""
        left_s = await self._slots.take(wait_s)
        sent = False
        try:
            reply = await self._upstream.send(request, wait_s=left_s, body=body)
            sent = True
        finally:
            if not sent:
                self._slots.give_back()
        return LaneReply(reply, self._slots)


class LaneReply:
    """A reply that holds a slot until it ends or is closed; ``http.Reply``."""

    __slots__ = ("_holds", "_reply", "_slots", "headers", "status")

    def __init__(self, reply: Reply, slots: Slots) -> None:
        self.status = reply.status
        self.headers: Headers = reply.headers
        self._reply = reply
        self._slots = slots
        self._holds = True

    @property
    def is_here(self) -> bool:
        return self._reply.is_here

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._reply.chunks():
            yield chunk
        # Not where reading stops early: until it is closed the vendor goes on serving it.
        self._give_back()

    def close(self) -> None:
        try:
            self._reply.close()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if self._holds:
            self._holds = False
            self._slots.give_back()
