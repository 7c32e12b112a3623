"""The app's request body: kept whole up to a cap, so that it can be sent again with its payment.

A larger one streams through as it comes and is never paid for, because it could not be sent
again. What is kept counts against one memory budget for the whole process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import StreamReader

# What a body must bring in each time that it may be silent for: a byte now and then is no body.
PACE_BYTES_MIN = 1_024


class ReplayMemory:
    """How much all kept bodies together may take."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = self._free = bytes_max

    def resize(self, bytes_max: int) -> None:
        """Allow this much from now on; what is set aside stays so."""
        self._free += bytes_max - self._bytes_max
        self._bytes_max = bytes_max

    def take(self, size: int) -> bool:
        """Set this much aside; False when it is not there."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def give_back(self, size: int) -> None:
        """The body is gone."""
        self._free += size


@dataclass(frozen=True, slots=True)
class Kept:
    """The whole body. ``taken`` is to be given back when the request is done."""

    data: bytes
    taken: int


@dataclass(frozen=True, slots=True)
class Streamed:
    """What was read before the cap was met, and the rest as it comes."""

    head: bytes
    source: StreamReader
    idle_s: float

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body from its first byte. TimeoutError when the app goes silent."""
        if self.head:
            yield self.head
        async for chunk in _arriving(self.source, self.idle_s):
            yield chunk


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The memory for kept bodies is used up; later there may be room."""


async def read_body(
    source: StreamReader,
    length: int | None,
    memory: ReplayMemory,
    replay_bytes_max: int,
    idle_s: float,
) -> Kept | Streamed | NoRoom:
    """Read up to the cap. ``length`` is the declared one; None for a chunked body.

    Raises TimeoutError when next to nothing arrives in ``idle_s`` seconds.
    """
    if length is not None and length > replay_bytes_max:
        return Streamed(b"", source, idle_s)
    taken = length or 0
    if not memory.take(taken):
        return NoRoom()
    if length is not None and source.is_eof():
        # It is here already, as the body of most calls is: nothing to wait for.
        return Kept(source.read_nowait(), taken)
    parts: list[bytes] = []
    size = 0
    done = False
    try:
        async for chunk in _arriving(source, idle_s):
            parts.append(chunk)
            size += len(chunk)
            if size > replay_bytes_max:
                return Streamed(b"".join(parts), source, idle_s)
            if size > taken:
                if not memory.take(size - taken):
                    return NoRoom()
                taken = size
        done = True
        return Kept(b"".join(parts), taken)
    finally:
        if not done:
            memory.give_back(taken)


async def _arriving(source: StreamReader, idle_s: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()  # noqa: TID251  # the clock that its timeouts go by
    left_s, owed = idle_s, PACE_BYTES_MIN
    while not source.at_eof():
        waits_s = loop.time()
        async with asyncio.timeout(left_s):
            chunk = await source.readany()
        # Only this wait counts: the time between is the upstream's, which takes what it can.
        left_s -= loop.time() - waits_s
        owed -= len(chunk)
        if owed <= 0:
            left_s, owed = idle_s, PACE_BYTES_MIN
        if chunk:
            yield chunk
