"""Bytes kept in a file without a name."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from sidecar.proxy.spool import WRITTEN_BYTES, Spool, nameless_file

CHUNK = 300_000
CHUNKS = 3 * WRITTEN_BYTES // CHUNK


def chunk(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest() * (CHUNK // 32)


WHOLE = b"".join([chunk(number) for number in range(CHUNKS)])


async def fill(spool: Spool) -> None:
    for number in range(CHUNKS):
        await spool.add(chunk(number))


async def read(spool: Spool) -> bytes:
    return b"".join([piece async for piece in spool.chunks()])


class Files:
    """Makes files in a folder of its own, where a test may look at them."""

    def __init__(self, folder: Path, made_as: Callable[[Path, str], FileIO] = FileIO) -> None:
        self.made: list[FileIO] = []
        self._folder = folder
        self._made_as = made_as

    def open(self) -> FileIO:
        path = self._folder / str(len(self.made))
        path.write_bytes(b"")
        self.made.append(self._made_as(path, "r+"))
        return self.made[-1]


class SlowFiles(Files):
    """The same, on a disk that stands still until the gate is opened."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate = threading.Event()

    def open(self) -> FileIO:
        self.gate.wait(10)
        return super().open()


class FullOnce(FileIO):
    """A file whose disk is full when it is written to for the second time, and not later."""

    uses = 0

    def fileno(self) -> int:
        self.uses += 1
        if self.uses == 2:
            raise OSError(28, "No space left on device")
        return super().fileno()


class SlowToClose(FileIO):
    """A file that takes long to free."""

    gate = threading.Event()

    def close(self) -> None:
        self.gate.wait(10)
        super().close()


async def test_comes_back_as_often_as_wanted(tmp_path: Path) -> None:
    """What was kept comes back whole and in order, again and again; most of it is in the file."""
    files = Files(tmp_path)
    spool = Spool(files.open)
    await fill(spool)
    first, second = await read(spool), await read(spool)
    size = (tmp_path / "0").stat().st_size

    assert WHOLE == first == second
    assert len(WHOLE) == spool.size
    assert len(WHOLE) - size < 2 * WRITTEN_BYTES
    assert 1 == len(files.made)


async def test_little_needs_no_file(tmp_path: Path) -> None:
    """What is less than a piece is not written at all."""
    files = Files(tmp_path)
    spool = Spool(files.open)
    await spool.add(b"little")
    kept = await read(spool)

    assert b"little" == kept
    assert [] == files.made


async def test_many_small_ones(tmp_path: Path) -> None:
    """Pieces of which the system takes no so many at once go into the file all the same."""
    spool = Spool(Files(tmp_path).open)
    for number in range(WRITTEN_BYTES // 1_000 + 1):
        await spool.add(b"%1000d" % number)
    kept = await read(spool)

    assert b"".join([b"%1000d" % number for number in range(WRITTEN_BYTES // 1_000 + 1)]) == kept
    assert WRITTEN_BYTES <= (tmp_path / "0").stat().st_size


def no_file() -> FileIO:
    raise OSError(30, "Read-only file system")


async def test_no_file_to_be_had() -> None:
    """Where no file can be made, all of it stays in memory."""
    spool = Spool(no_file)
    await fill(spool)
    kept = await read(spool)

    assert WHOLE == kept


async def test_disk_full(tmp_path: Path) -> None:
    """When the disk is full in the middle, the rest stays in memory, and comes back after it."""
    spool = Spool(Files(tmp_path, FullOnce).open)
    await fill(spool)
    kept = await read(spool)
    size = (tmp_path / "0").stat().st_size

    assert WHOLE == kept
    assert 0 < size < len(WHOLE) // 2


async def test_lost_bytes_are_never_made_up(tmp_path: Path) -> None:
    """A file that became shorter is a fault, not a shorter body."""
    spool = Spool(Files(tmp_path).open)
    await fill(spool)
    await spool._settle()
    (tmp_path / "0").write_bytes(b"")
    with pytest.raises(OSError, match="shorter"):
        await read(spool)


async def test_gone_with_the_last_who_holds_it(tmp_path: Path) -> None:
    """The file is closed when nobody holds it any more: not under the thread that writes to it."""
    files = SlowFiles(tmp_path)
    spool = Spool(files.open)
    await spool.add(bytes(WRITTEN_BYTES))
    del spool
    files.gate.set()
    async with asyncio.timeout(10):
        while not files.made or not files.made[0].closed:
            await asyncio.sleep(0.01)

    assert WRITTEN_BYTES == (tmp_path / "0").stat().st_size


async def test_nobody_waits_for_it_to_be_closed(tmp_path: Path) -> None:
    """The loop goes on while a file is closed."""
    files = Files(tmp_path, SlowToClose)
    spool = Spool(files.open)
    await fill(spool)
    await spool._settle()
    # The thread that wrote lets go of it, too.
    await asyncio.sleep(0.05)
    del spool
    before = files.made[0].closed
    SlowToClose.gate.set()
    async with asyncio.timeout(10):
        while not files.made[0].closed:
            await asyncio.sleep(0.01)

    assert not before


async def test_cancelled_while_the_disk_is_slow(tmp_path: Path) -> None:
    """Who is cancelled while it waits for the disk has kept its piece, once."""
    files = SlowFiles(tmp_path)
    spool = Spool(files.open)
    await spool.add(b"a" * WRITTEN_BYTES)
    waiting = asyncio.ensure_future(spool.add(b"b" * WRITTEN_BYTES))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    files.gate.set()
    await spool.add(b"c")
    kept = await read(spool)

    assert b"a" * WRITTEN_BYTES + b"b" * WRITTEN_BYTES + b"c" == kept


async def test_goes_on_while_the_disk_writes(tmp_path: Path) -> None:
    """What comes while the disk is slow is gathered, as much again as is being written."""
    files = SlowFiles(tmp_path)
    spool = Spool(files.open)
    await spool.add(b"a" * WRITTEN_BYTES)
    async with asyncio.timeout(5):
        await spool.add(b"b" * (WRITTEN_BYTES - 1))
    waiting = asyncio.ensure_future(spool.add(b"c"))
    await asyncio.sleep(0.05)
    waits = not waiting.done()
    files.gate.set()
    await waiting
    kept = await read(spool)

    assert waits
    assert b"a" * WRITTEN_BYTES + b"b" * (WRITTEN_BYTES - 1) + b"c" == kept


async def test_read_by_two_while_the_disk_is_slow(tmp_path: Path) -> None:
    """Two who wait for the disk to read it again both get all of it."""
    files = SlowFiles(tmp_path)
    spool = Spool(files.open)
    await spool.add(b"a" * WRITTEN_BYTES)
    await spool.add(b"b")
    both = asyncio.gather(read(spool), read(spool))
    await asyncio.sleep(0.05)
    files.gate.set()
    first, second = await both

    assert b"a" * WRITTEN_BYTES + b"b" == first == second


def test_nobody_else_finds_it() -> None:
    """The file has no name, and nobody else may open it."""
    with nameless_file() as file:
        links = Path(f"/proc/self/fd/{file.fileno()}").stat()

    assert 0 == links.st_nlink
    assert 0o600 == links.st_mode & 0o777
