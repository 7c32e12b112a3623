"""The app's request body, kept up to a cap, so that it can be sent again with its payment.

A short one is kept whole before it is sent; a longer one is sent on while it is copied
(``copied``). Beyond the cap one streams through as it comes and is never paid for, because it
could not be sent again. What is kept counts against one budget for the whole process, whether
memory or a file holds it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import StreamReader

from sidecar.proxy.copied import Copied
from sidecar.proxy.heap import keep_freed
from sidecar.proxy.paced import Paced
from sidecar.proxy.spool import OpenFile, nameless_file
from sidecar.values import dataclass

# What is collected before anything is sent.
COLLECTED_BYTES_MAX = 1024 * 1024


class ReplayMemory:
    """How much all kept bodies together may take."""

    def __init__(self, bytes_max: int, open_file: OpenFile = nameless_file) -> None:
        self.open_file = open_file
        self._bytes_max = bytes_max
        # Whoever is asked with each call takes of it, and adds to it, without asking here.
        self.free = bytes_max

    def resize(self, bytes_max: int) -> None:
        """Allow this much from now on; what is set aside stays so."""
        self.free += bytes_max - self._bytes_max
        self._bytes_max = bytes_max

    def take(self, size: int) -> bool:
        """Set this much aside; False when it is not there."""
        if size > self.free:
            return False
        self.free -= size
        return True

    def give_back(self, size: int) -> None:
        """The body is gone."""
        self.free += size


@dataclass(frozen=True, slots=True)
class Kept:
    """The whole body. ``taken`` is to be given back when the request is done."""

    data: bytes
    taken: int


@dataclass(frozen=True, slots=True)
class Streamed:
    """What was read before the cap was met, and the rest as it comes."""

    head: bytes
    source: Paced

    @property
    def is_silent(self) -> bool:
        """Whether the app has not sent the rest in time."""
        return self.source.is_silent

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body from its first byte. TimeoutError when the app goes silent."""
        if self.head:
            yield self.head
        while chunk := await self.source.read():
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
) -> Kept | Copied | Streamed | NoRoom:
    """Read what is collected. ``length`` is the declared one; None for a chunked body.

    Raises TimeoutError when next to nothing arrives in ``idle_s`` seconds.
    """
    if length is None or length > COLLECTED_BYTES_MAX:
        keep_freed()
    if length is not None and length > replay_bytes_max:
        return Streamed(b"", Paced(source, idle_s, in_chunks=False))
    taken = length or 0
    if not memory.take(taken):
        return NoRoom()
    if length is not None and length > COLLECTED_BYTES_MAX:
        return Copied(Paced(source, idle_s, in_chunks=False), (), memory, taken, replay_bytes_max)
    if length is not None and source.is_eof():
        # It is here already, as the body of most calls is: nothing to wait for.
        return Kept(source.read_nowait(), taken)
    return await _collect(
        Paced(source, idle_s, in_chunks=length is None), memory, taken, replay_bytes_max
    )


async def _collect(
    paced: Paced, memory: ReplayMemory, taken: int, replay_bytes_max: int
) -> Kept | Copied | Streamed | NoRoom:
    parts: list[bytes] = []
    size = 0
    done = False
    try:
        while chunk := await paced.read():
            parts.append(chunk)
            size += len(chunk)
            if size > replay_bytes_max:
                return Streamed(b"".join(parts), paced)
            if size > COLLECTED_BYTES_MAX:
                done = True
                return Copied(paced, tuple(parts), memory, taken, replay_bytes_max)
            if size > taken:
                if not memory.take(size - taken):
                    return NoRoom()
                taken = size
        done = True
        return Kept(b"".join(parts), taken)
    finally:
        if not done:
            memory.give_back(taken)
