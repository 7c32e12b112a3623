"""The network between the sidecars and everybody else: it takes time, and what left has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

from sidecar.errors import UpstreamError, UpstreamTimeoutError
from sidecar.http import Headers, HttpRequest, Reply
from tests.simulation.virtual_loop import OWNER, VirtualLoop

LATENCY_S = (0.0, 0.001, 0.02, 0.02, 0.3)


class TimedReply:
    """A reply whose chunks take their time; ``cut`` ends it with an error."""

    is_here = False

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: bytes,
        *,
        chunk_s: float = 0.0,
        cut: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._chunk_s = chunk_s
        self._cut = cut

    async def chunks(self) -> AsyncIterator[bytes]:
        half = len(self._body) // 2
        for part in (self._body[:half], self._body[half:]):
            await asyncio.sleep(self._chunk_s)
            yield part
            if self._cut:
                raise UpstreamError("the upstream's response was cut short")

    def close(self) -> None:
        """Nothing is open."""


class Network:
    """``http.Upstream``: carries requests to ``handle``, which goes on when the sender is gone."""

    def __init__(
        self,
        loop: VirtualLoop,
        random: Random,
        handle: Callable[[HttpRequest], Awaitable[Reply]],
        on_leave: Callable[[HttpRequest, str], None],
        on_return: Callable[[HttpRequest, str], None],
    ) -> None:
        """``on_leave`` and ``on_return`` are told whose request it is."""
        self._loop = loop
        self._random = random
        self._handle = handle
        self._on_leave = on_leave
        self._on_return = on_return

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        owner = OWNER.get()
        self._on_leave(request, owner)
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._loop.spawn("", self._carry(request, answer))
        try:
            async with asyncio.timeout(wait_s):
                return await asyncio.shield(answer)
        except TimeoutError as fault:
            raise UpstreamTimeoutError("no answer in time") from fault
        finally:
            self._on_return(request, owner)

    async def _carry(self, request: HttpRequest, answer: asyncio.Future[Reply]) -> None:
        await asyncio.sleep(self._random.choice(LATENCY_S))
        try:
            reply = await self._handle(request)
        except UpstreamError as fault:
            await asyncio.sleep(self._random.choice(LATENCY_S))
            if not answer.done():
                answer.set_exception(fault)
                answer.exception()  # whoever waited may be gone
            return
        await asyncio.sleep(self._random.choice(LATENCY_S))
        if not answer.done():
            answer.set_result(reply)
