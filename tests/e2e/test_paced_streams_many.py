"""Open streams wait for nobody: neither for another's end, nor for an app that does not read.

No stream goes on after its first event before all have theirs; so a limit on connections, or
anything that lets one stream hold up the others, stops them for good.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.e2e.paced_app import as_written, asking, listen
from tests.e2e.paced_cases import CASES, LAST, Case, chunk, events
from tests.e2e.paced_seller import Play, causally
from tests.e2e.paced_world import PacedWorld, paced_world

pytestmark = pytest.mark.asyncio(loop_scope="module")
STREAMS = 500
# They are all opened at once, and that is work.
HELD_S = 60.0
SHORT = Case("of two", (*map(chunk, events(2)), LAST))
MIB = 2**20
# More than all buffers on the way can take, by far.
LONG = 64
ONE_MIB = Case("of one MiB", (chunk(b"s" * MIB), LAST))
WAYS = ["keyed, fast lane", "keyed, ordinary way"]


@pytest.fixture(scope="module")
def descriptors() -> Iterator[None]:
    """Enough of them: this process is at both ends of every stream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    tmp_path_factory: pytest.TempPathFactory, descriptors: None
) -> AsyncIterator[PacedWorld]:
    """One seller and two sidecars for all tests."""
    async with paced_world(tmp_path_factory.mktemp("paced")) as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
async def test_500_open(world: PacedWorld, way: str) -> None:
    """Each of 500 streams gets its first event while none of them has ended."""
    started: list[Play] = []
    all_started = asyncio.Event()

    async def together(play: Play) -> None:
        await play.heard(0)
        play.write(play.case.pieces[0])
        await play.heard(play.said[0])
        started.append(play)
        if len(started) == STREAMS:
            all_started.set()
        await all_started.wait()
        await causally(play)

    plays = [world.announce(way, SHORT, together) for _ in range(STREAMS)]
    door = world.doors[way]
    courses = await asyncio.gather(*(listen(door, play, held_s=HELD_S) for play in plays))

    assert STREAMS == len(started)
    assert {as_written(plays[0])} == {course.told() for course in courses}


@pytest.mark.parametrize("way", WAYS)
async def test_stalled_reader(world: PacedWorld, way: str) -> None:
    """An app that stops reading stops its own stream alone, and gets all of it afterwards."""
    written = 0

    async def without_end(play: Play) -> None:
        nonlocal written
        assert play.writer is not None
        for _ in range(LONG):
            play.writer.write(ONE_MIB.pieces[0])
            await play.writer.drain()
            written += 1
        play.writer.write(LAST)

    stalled, door = world.announce(way, ONE_MIB, without_end), world.doors[way]
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(asking(door, stalled))
        await reader.readuntil(b"\r\n\r\n")
        written_before, heard = -1, []
        # Until all buffers on the way are full, or, wrongly, the last byte has been taken.
        while written_before != written < LONG:
            written_before = written
            heard += await asyncio.gather(*(world.course(way, case) for case in CASES))
        written_meanwhile = written
        received, last = 0, b""
        while not last.endswith(LAST):
            data = await reader.read(MIB)
            assert data, "the stream was cut"
            received += data.count(b"s")
            last = last[-len(LAST) :] + data
    finally:
        writer.close()
        await writer.wait_closed()

    assert [as_written(play) for play, _ in heard] == [course.told() for _, course in heard]
    assert written_meanwhile < LONG
    assert LONG * MIB == received
