"""A request that its handler answers from the lane: what its app gets, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sidecar.http import Headers
from sidecar.proxy.attended import Attended, DirectResponse
from sidecar.proxy.begun import Begun
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.relay import is_whole
from sidecar.tasks import Supervisor


class Way:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False
        self.unsent = 1

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None) -> None:
        self.high = high


class Lane:
    """A connection, what was done with it, and what was begun on it."""

    def __init__(self) -> None:
        self.transport: Way | None = Way()
        self.is_paused = False
        self.said: list[str] = []
        self.emptied = asyncio.Event()
        self.emptied.set()
        self.attended = Attended(
            cast(BoardingConnection, self), "POST", cast(Begun, cast(Any, self))
        )

    @property
    def outcome(self) -> Lane:
        return self

    def enter(self, passing: Attended) -> None:
        self.said.append("entered")

    def leave(self) -> None:
        self.said.append("left")

    def cut(self) -> None:
        self.said.append("cut")

    def drop(self) -> None:
        self.said.append("dropped")

    def give_back(self) -> None:
        self.said.append("given back")

    async def _drain_helper(self) -> None:
        await self.emptied.wait()

    def hang_up(self) -> None:
        self.transport = None
        self.attended.app_gone()


async def write(lane: Lane, status: int, headers: Headers, *pieces: bytes) -> list[bytes]:
    """What goes out of an answer, write by write."""
    response = DirectResponse(lane.attended, status, headers)
    await response.begin()
    for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    assert lane.transport is not None
    return lane.transport.written


LENGTH = (("A", "b"), ("content-length", "5"))
NOTHING = (("Content-Length", "0"),)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("status", "headers", "pieces", "written"),
    [
        (200, LENGTH, [b"12345"], [OK + b"A: b\r\ncontent-length: 5\r\n\r\n12345"]),
        (200, LENGTH[1:], [b"1", b"2345"], [OK + b"content-length: 5\r\n\r\n1", b"2345"]),
        (299, NOTHING, [], [b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"]),
        (204, (("A", "b"),), [], [b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"]),
        (
            200,
            (),
            [b"x" * 17, b"", b"y"],
            [
                OK + b"Transfer-Encoding: chunked\r\n\r\n",
                b"11\r\n" + b"x" * 17 + b"\r\n",
                b"1\r\ny\r\n",
                b"0\r\n\r\n",
            ],
        ),
    ],
    ids=["whole", "pieces", "nothing", "no body", "chunks"],
)
async def test_written(
    status: int, headers: Headers, pieces: list[bytes], written: list[bytes]
) -> None:
    """A head of known length goes with the first of its body, any other at once; chunks by one."""
    assert written == await write(Lane(), status, headers, *pieces)


async def test_line_break() -> None:
    """No header value breaks its line."""
    for value in ("a\r\nb", "a\rb", "a\nb", "a\0b"):
        with pytest.raises(ValueError, match="line break"):
            await write(Lane(), 200, (("A", value),))


async def test_closes() -> None:
    """An answer that ends its connection says so."""
    lane = Lane()
    response = DirectResponse(lane.attended, 400, NOTHING, closes=True)
    await response.begin()
    await response.write_eof()

    assert lane.transport is not None
    assert lane.transport.written[0].endswith(b"\r\nConnection: close\r\n\r\n")
    assert ["cut"] == lane.said


async def test_stream_is_whole() -> None:
    """A stream is whole from its terminal event on."""
    lane = Lane()
    headers = (("Content-Type", "text/event-stream"),)
    response = DirectResponse(lane.attended, 200, headers)
    await response.begin()
    await response.write(b"data: 1\n\n")
    before = is_whole(response)
    await response.write(b"data: [DONE]\n\n")

    assert (False, True) == (before, is_whole(response))


async def test_slow_app() -> None:
    """Who writes waits while the app does not read."""
    lane = Lane()
    lane.is_paused = True
    lane.emptied.clear()
    response = DirectResponse(lane.attended, 200, LENGTH)
    await response.begin()
    writing = asyncio.ensure_future(response.write(b"12"))
    await asyncio.sleep(0)
    waits = not writing.done()
    lane.emptied.set()
    await writing

    assert waits


async def test_flushed() -> None:
    """The last byte is flushed once the system has it, and never where the app has gone."""
    lane = Lane()
    response = DirectResponse(lane.attended, 200, ())
    lane.emptied.clear()
    flushing = asyncio.ensure_future(response.flushed())
    await asyncio.sleep(0)
    waits = not flushing.done()
    lane.emptied.set()
    await flushing
    lane.transport = None

    assert waits
    with pytest.raises(ConnectionError):
        await response.flushed()


async def test_flushed_already() -> None:
    """Nobody waits where the system has all of it; and who has gone did not get it."""
    lane = Lane()
    assert lane.transport is not None
    lane.transport.unsent = 0
    lane.emptied.clear()
    response = DirectResponse(lane.attended, 200, ())
    await asyncio.wait_for(response.flushed(), 1)
    lane.transport.closing = True

    with pytest.raises(ConnectionError):
        await response.flushed()


async def test_gone_while_it_flushes() -> None:
    """An app that hangs up before the last byte was flushed did not get it."""
    lane = Lane()
    response = DirectResponse(lane.attended, 200, ())
    lane.emptied.clear()
    flushing = asyncio.ensure_future(response.flushed())
    await asyncio.sleep(0)
    lane.transport = None
    lane.emptied.set()

    with pytest.raises(ConnectionError):
        await flushing


async def test_app_has_gone() -> None:
    """Nothing is written to an app that has gone, nor to one whose connection is ending."""
    lane = Lane()
    assert lane.transport is not None
    lane.transport.closing = True
    with pytest.raises(ConnectionError):
        await write(lane, 204, ())
    lane.transport = None
    with pytest.raises(ConnectionError):
        await write(lane, 204, ())


def tasks() -> Supervisor:
    """Tasks that may not fail."""

    def fail(name: str, fault: BaseException) -> None:
        raise AssertionError(name) from fault

    return Supervisor(fail)


async def test_answered() -> None:
    """Once it is answered, the lane is free for what comes next."""
    lane = Lane()
    work = tasks()
    lane.attended.go(work, lambda: write(lane, 200, LENGTH, b"12345"))
    await work.drain(1)

    assert ["entered", "left"] == lane.said


async def test_not_answered() -> None:
    """A connection whose request got no whole answer ends."""
    lane = Lane()
    work = tasks()

    async def serve() -> None:
        raise ConnectionResetError

    lane.attended.go(work, serve)
    await work.drain(1)

    assert ["entered", "cut", "left"] == lane.said


async def test_gone_before_it_is_served() -> None:
    """An app that hangs up before its handler begins is not served, and nothing stays taken."""
    lane = Lane()
    work = tasks()
    lane.attended.go(work, lambda: write(lane, 200, LENGTH, b"12345"))
    lane.hang_up()
    await work.drain(1)

    assert ["entered", "dropped", "given back"] == lane.said


async def test_gone_while_it_is_served() -> None:
    """An app that hangs up takes its handler with it."""
    lane = Lane()
    work = tasks()
    ended: list[str] = []

    async def serve() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    lane.attended.go(work, serve)
    await asyncio.sleep(0)
    lane.hang_up()
    await work.drain(1)

    assert (["cancelled"], ["entered"]) == (ended, lane.said)


@pytest.mark.parametrize("fault", [None, ConnectionResetError(), asyncio.CancelledError()])
async def test_at_last(fault: BaseException | None) -> None:
    """What is to be done at last is done whatever ended the request, and the lane is free then."""
    lane = Lane()
    work = tasks()

    async def last() -> None:
        await asyncio.sleep(0)
        lane.said.append("done")

    async def serve() -> None:
        lane.attended.at_last("delivery", last())
        lane.attended.is_answered = True
        if fault is not None:
            raise fault

    lane.attended.go(work, serve)
    await work.drain(1)

    assert ["entered", "left", "done"] == lane.said


async def test_at_last_without_app() -> None:
    """It is done for an app that has hung up on its answer, too."""
    lane = Lane()
    work = tasks()
    flushing = asyncio.Event()

    async def last() -> None:
        await asyncio.sleep(0)
        lane.said.append("done")

    async def serve() -> None:
        try:
            flushing.set()
            await asyncio.sleep(10)
        finally:
            lane.attended.at_last("delivery", last())

    lane.attended.go(work, serve)
    await flushing.wait()
    lane.hang_up()
    await work.drain(1)

    assert ["entered", "done"] == lane.said


async def test_at_last_fails() -> None:
    """Its failure is told under its own name."""
    failed: list[tuple[str, str]] = []
    work = Supervisor(lambda name, fault: failed.append((name, str(fault))))
    lane = Lane()

    async def last() -> None:
        raise ValueError("no disk")

    async def serve() -> None:
        lane.attended.at_last("delivery", last())

    lane.attended.go(work, serve)
    await work.drain(1)

    assert [("delivery", "no disk")] == failed
