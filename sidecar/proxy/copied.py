"""A large body of an app: sent on as it comes, and copied, so that it can be sent again.

Nothing that is decided before a request is sent asks for its body: who may ask, where it goes,
with which credential. So it goes ahead at once, and whatever needs all of it waits for the rest:

    the answer, or the fault              what becomes of the rest of the body
    ------------------------------------  --------------------------------------------------------
    one that is relayed                   sent on while the answer lasts, and not copied any more;
                                          then read to its end, so that the app reads its answer
    402 that is not paid for              read to its end
    401 or 402 that a sign-in mends       read to its end first, and copied; then sent again
    402 that is paid for, or credit is    read to its end first, and copied: its hash names the
                                          purchase, and an app that hung up before it buys nothing
    the upstream hangs up, or takes none  read to its end, after the fault was told
    the app hangs up                      nothing is signed; the upstream's connection is closed
    the app goes silent                   likewise, and the app is told
    it passes the cap, or the memory      sent on; what asks for payment then is refused

An upstream that reads slowly is read for slowly: nothing is read from the app that is not asked
for, so that memory stays flat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import Enum, auto
from typing import TYPE_CHECKING

from sidecar.proxy.paced import Paced
from sidecar.proxy.spool import Spool

if TYPE_CHECKING:
    from sidecar.proxy.body import ReplayMemory


class Lost(Enum):
    """Why there is no copy."""

    TOO_LARGE = auto()
    NO_ROOM = auto()
    NOT_NEEDED = auto()


class Copied:
    """One such body. Whoever has it closes it."""

    def __init__(
        self,
        source: Paced,
        head: tuple[bytes, ...],
        memory: ReplayMemory,
        taken: int,
        bytes_max: int,
    ) -> None:
        """``head`` was read already; so much of the memory was ``taken`` for it."""
        self.lost: Lost | None = None
        self._source = source
        self._head = head
        self._memory = memory
        self._taken = taken
        self._bytes_max = bytes_max
        self._spool: Spool | None = Spool(memory.open_file)
        self._size = 0
        self._is_whole = False
        # Who reads on must not begin before who read until now has really stopped.
        self._turn = asyncio.Lock()

    @property
    def is_silent(self) -> bool:
        """Whether the app has not sent the rest in time."""
        return self._source.is_silent

    @property
    def stored(self) -> Spool | None:
        """The body to be sent again; None while it is not all here, or where it was not copied.

        Who has it keeps it, even beyond the request.
        """
        return self._spool if self._is_whole else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body from its first byte, as it comes. TimeoutError when the app goes silent."""
        while chunk := await self._next():
            yield chunk

    async def complete(self) -> Lost | None:
        """Read what is still to come. From then on it is ``stored``, or this is why it is not.

        Raises TimeoutError when the app goes silent.
        """
        while not self._is_whole and self.lost is None:
            await self._next()
        return self.lost

    def forget(self) -> None:
        """It will not be sent again."""
        self._lose(Lost.NOT_NEEDED)

    async def drain(self) -> None:
        """Read what is still to come, for nobody. TimeoutError when the app goes silent."""
        self.forget()
        while not self._is_whole and self._size <= self._bytes_max:
            await self._next()

    def close(self) -> None:
        """The request is over."""
        self.forget()

    async def _next(self) -> bytes:
        async with self._turn:
            if self._head:
                chunk, self._head = self._head[0], self._head[1:]
            else:
                chunk = await self._source.read()
            self._is_whole = not chunk
            self._size += len(chunk)
            await self._copy(chunk)
            return chunk

    async def _copy(self, chunk: bytes) -> None:
        if self._spool is None:
            return
        if self._size > self._bytes_max:
            self._lose(Lost.TOO_LARGE)
            return
        if self._size > self._taken:
            if not self._memory.take(self._size - self._taken):
                self._lose(Lost.NO_ROOM)
                return
            self._taken = self._size
        await self._spool.add(chunk)

    def _lose(self, why: Lost) -> None:
        if self.lost is None:
            self.lost = why
            self._spool = None
            self._memory.give_back(self._taken)
