"""An app's body as it comes, and no slower than a body has to come."""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader

# What a body must bring in each time that it may be silent for: a byte now and then is no body.
PACE_BYTES_MIN = 1_024


class SilentAppError(Exception):
    """The app does not send the rest of its body, and whoever waited for it was told otherwise."""


class Paced:
    """Reads it. ``is_silent`` once the app took too long, whoever was told so."""

    def __init__(self, source: StreamReader, idle_s: float, in_chunks: bool) -> None:
        self.is_silent = False
        # A body that is not in chunks is taken in the pieces in which it was received, and not put
        # together first. Of chunks a byte long that would make pieces a byte long.
        self._in_chunks = in_chunks
        self._source = source
        self._idle_s = self._left_s = idle_s
        self._owed = PACE_BYTES_MIN

    async def read(self) -> bytes:
        """What has come since, once there is something; nothing at the end of it.

        Raises TimeoutError when next to nothing arrives in ``idle_s`` seconds. Who is cancelled
        here has taken nothing.
        """
        loop = asyncio.get_running_loop()  # noqa: TID251  # the clock that its timeouts go by
        while not self._source.at_eof():
            waits_s = loop.time()
            try:
                async with asyncio.timeout(self._left_s):
                    if self._in_chunks:
                        chunk = await self._source.readany()
                    else:
                        chunk, _ = await self._source.readchunk()
            except TimeoutError:
                self.is_silent = True
                raise
            # Only this wait counts: the time between is the upstream's, which takes what it can.
            self._left_s -= loop.time() - waits_s
            self._owed -= len(chunk)
            if self._owed <= 0:
                self._left_s, self._owed = self._idle_s, PACE_BYTES_MIN
            if chunk:
                return chunk
        return b""
