"""Bytes kept in a file that has no name: on the disk, and gone with the last who holds them.

That may be after the request: an app may hang up while what it sent is sent again, paid for. A
thread writes, reads and closes, for a disk may be slow, and the loop has others to serve. Where no
file can be had or written, they stay in memory.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TypeAlias
from weakref import finalize

if TYPE_CHECKING:
    from io import FileIO

# What is written at once, while at most as much again is gathered.
WRITTEN_BYTES = 1536 * 1024
READ_BYTES = 256 * 1024
PARTS_MAX = 1024  # of one write: the system's IOV_MAX
THREADS_MAX = 4

OpenFile: TypeAlias = Callable[[], "FileIO"]

# Not the loop's own: a disk that stands still holds up no name resolution. And the loop is not
# woken for each write that is done, as nobody waits for most of them.
_threads = ThreadPoolExecutor(THREADS_MAX, "spool")


def nameless_file() -> FileIO:
    """A file in the folder for temporary ones, for nobody else to open."""
    return TemporaryFile(buffering=0)


class Spool:
    """What is kept of one body; ``http.Stored`` once all of it is."""

    def __init__(self, open_file: OpenFile) -> None:
        self.size = 0
        self._open_file = open_file
        self._file: FileIO | None = None
        self._in_file = 0  # so many bytes were written
        self._held: list[bytes] = []  # the rest, of which the first so many are being written
        self._under_way = 0
        self._gathered = 0  # bytes that came since
        self._writing: Future[bool] | None = None
        self._can_write = True

    async def add(self, chunk: bytes) -> None:
        """Keep this, too. Returns later while the disk does not keep up."""
        # Before anything is awaited: who is cancelled below has kept it.
        self._held.append(chunk)
        self._gathered += len(chunk)
        self.size += len(chunk)
        if self._gathered >= WRITTEN_BYTES:
            await self._settle()
            self._begin_writing()

    async def chunks(self) -> AsyncIterator[bytes]:
        """All of it, from its first byte. OSError where the disk does not give it back."""
        await self._settle()
        at = 0
        while at < self._in_file:
            assert self._file is not None
            size = min(READ_BYTES, self._in_file - at)
            chunk = await asyncio.wrap_future(
                _threads.submit(os.pread, self._file.fileno(), size, at)
            )
            if not chunk:
                raise OSError("a temporary file is shorter than what was written to it")
            at += len(chunk)
            yield chunk
        for chunk in tuple(self._held):
            yield chunk

    def _begin_writing(self) -> None:
        if self._can_write:
            parts = tuple(self._held)
            self._under_way = len(parts)
            self._gathered = 0
            self._writing = _threads.submit(self._write, parts)

    async def _settle(self) -> None:
        """Come back when nothing is being written."""
        writing = self._writing
        if writing is None:
            return
        if not writing.done():
            # Waited for in this way, it goes on where who waits is cancelled.
            await asyncio.wait({asyncio.wrap_future(writing)})
            if self._writing is not writing:
                return  # another who waited has noted it
        self._writing = None
        if not writing.result():
            self._can_write = False
            return
        self._in_file += sum(map(len, self._held[: self._under_way]))
        del self._held[: self._under_way]

    def _write(self, parts: tuple[bytes, ...]) -> bool:
        """In a thread: append these to the file. False where that fails; then nobody tries again.

        What it then holds beyond what was noted is never read.
        """
        try:
            if self._file is None:
                self._file = self._open_file()
                # Whoever writes or reads holds this, and so never finds it closed. To close a file
                # without a name is to free all of it.
                finalize(self, _threads.submit, self._file.close).atexit = False
            if len(parts) > PARTS_MAX:
                parts = (b"".join(parts),)
            # In one call: the loop waits for a thread that comes back between two of them.
            return os.writev(self._file.fileno(), parts) == sum(map(len, parts))
        except OSError:
            return False
