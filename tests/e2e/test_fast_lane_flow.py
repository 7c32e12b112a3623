"""The lane under pressure and at its end: whoever is slow slows the other side, and no more."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress

import pytest

from sidecar.payments.events import RequestServed
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.handler import RequestLimits
from tests.e2e.lane_ends import OK, call, until
from tests.world.raw_scene import between, scene
from tests.world.raw_upstream import End, raw_app

MIB = 1024 * 1024
# What the system's buffers take on a connection's two ends, at the most that Linux gives by itself.
BUFFERED_MAX = 12 * MIB
PIECE = bytes(range(256)) * 256


class Flood:
    """Writes the same piece again and again, no faster than the other end takes it."""

    def __init__(self, end: End, pieces: int, piece: bytes = PIECE) -> None:
        self.written = 0
        self._end, self._pieces, self._piece = end, pieces, piece
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        for _ in range(self._pieces):
            self._end.writer.write(self._piece)
            await self._end.writer.drain()
            self.written += len(self._piece)

    async def stalled(self) -> int:
        """How much was written once nothing more goes out."""
        last, looks = -1, 0
        while looks < 4:
            looks = looks + 1 if last == self.written else 0
            last = self.written
            await asyncio.sleep(0.05)
        return last


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
async def test_slow_reader(lane: bool) -> None:
    """An app that does not read stops its upstream; when it reads, it gets every byte."""
    pieces = 1024
    async with scene(fast_lane=lane, response_wait_s=0.3) as (world, upstream, app):
        # So that the stream's own buffer does not read on behalf of the test.
        app.writer.transport.pause_reading()  # type: ignore[attr-defined]
        app.say(call(world))
        other = await upstream.asked()
        size = pieces * len(PIECE)
        other.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        flood = Flood(other, pieces)
        written = await flood.stalled()
        # However long it takes: silence that the app made is not the upstream's.
        await asyncio.sleep(0.5)
        app.writer.transport.resume_reading()  # type: ignore[attr-defined]
        head = await app.reader.readuntil(b"\r\n\r\n")
        digest, left = hashlib.sha256(), size
        while left:
            data = await app.reader.read(MIB)
            assert data
            digest.update(data)
            left -= len(data)
        await flood.task
        app.say(call(world))
        await other.request()
        other.say(OK)
        again = await app.answer()

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert 0 < written < 2 * BUFFERED_MAX < size
    assert hashlib.sha256(PIECE * pieces).hexdigest() == digest.hexdigest()
    assert OK == again


async def test_slow_upstream() -> None:
    """An app that sends on and on before it is answered is held up; then all are answered."""
    count, body = 1200, b"x" * 30_000
    async with scene(response_wait_s=60) as (world, upstream, app):
        request = call(world, body)
        app.say(request)
        other = await upstream.connection()
        first = await other.request()
        flood = Flood(app, count - 1, request)
        written = await flood.stalled()
        other.say(OK)
        answers = [await app.answer()]
        for _ in range(count - 1):
            assert first == await other.request()
            other.say(OK)
            answers.append(await app.answer())
        await flood.task

    assert first.endswith(body)
    assert 0 < written < BUFFERED_MAX < count * len(request)
    assert [OK] * count == answers


async def test_next_body_while_unread() -> None:
    """A body that comes while the last answer is unread is sent all the same."""
    async with scene() as (world, upstream, app):
        app.writer.transport.pause_reading()  # type: ignore[attr-defined]
        app.say(call(world))
        other = await upstream.asked()
        size = 2 * BUFFERED_MAX
        other.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        other.say(bytes(size))
        app.say(call(world)[:-5])
        await asyncio.sleep(0.05)
        app.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await app.reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            left -= len(await app.reader.read(min(left, MIB)))
        app.say(call(world)[-5:])
        request = await other.request()
        other.say(OK)
        answer = await app.answer()

    assert request.endswith(b"0123456789")
    assert OK == answer


async def test_last_piece_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wire that waited for the app in its answer's very end is read from again, for the next."""
    write = BoardingConnection.write

    def write_too_much(connection: BoardingConnection, data: bytes) -> None:
        write(connection, data)
        if data == b"56789":
            # As its transport does where that was more than it takes.
            connection.pause_writing()
            asyncio.get_running_loop().call_soon(connection.resume_writing)

    monkeypatch.setattr(BoardingConnection, "write", write_too_much)
    async with scene(response_wait_s=0.5) as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        other.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        begun = await app.reader.readuntil(b"01234")
        other.say(b"56789")
        ended = await app.reader.readexactly(5)
        app.say(call(world))
        await other.request()
        other.say(OK)
        again = await app.answer()

    assert begun.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"56789" == ended
    assert OK == again


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
async def test_refused_before_it_is_read(lane: bool) -> None:
    """An upstream that refuses a long body before it has read it is heard."""
    refusal = b"HTTP/1.1 402 Pay\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmore"
    async with scene(
        fast_lane=lane,
        memory=8 * MIB,
        limits=RequestLimits(8 * MIB, body_idle_s=60, caller_requests_max=1),
    ) as (world, upstream, app):
        app.say(call(world, bytes(MIB)))
        other = await upstream.connection()
        other.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        other.say(refusal)
        answer = await app.answer()

    assert answer.startswith(b"HTTP/1.1 402 ")
    assert answer.endswith(b"\r\n\r\nmore")


async def test_graceful_stop() -> None:
    """Requests on the lane are answered before the end; idle connections end; no new ones come."""
    async with (
        between() as (world, upstream),
        raw_app(world.port) as idle,
        raw_app(world.port) as idle_in_parser,
        raw_app(world.port) as waiting,
        raw_app(world.port) as relaying,
    ):
        idle.say(call(world))
        first = await upstream.asked()
        first.say(OK)
        await idle.answer()
        idle_in_parser.say(call(world, more="Expect: 100-continue\r\n"))
        await first.request()
        first.say(OK)
        await idle_in_parser.reader.readuntil(OK)
        waiting.say(call(world))
        await first.request()
        relaying.say(call(world))
        second = await upstream.asked()
        second.say(OK[:-1])
        begun = await relaying.some(len(OK) - 1)
        assert world.stop is not None
        stopping = asyncio.ensure_future(world.stop(10))
        assert b"" == await idle.rest()
        assert b"" == await idle_in_parser.rest()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", world.port)
        assert not stopping.done()
        first.say(OK)
        second.say(OK[-1:])
        answers = [await waiting.rest(), begun + await relaying.rest()]
        await stopping
        took = world.on_lane

    assert [OK, OK] == answers
    assert 3 == took


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
async def test_stop_has_an_end(lane: bool) -> None:
    """What is not answered in the time for it is cut, and its record says so."""
    async with scene(response_wait_s=60, fast_lane=lane) as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        assert world.stop is not None
        async with asyncio.timeout(5):
            await world.stop(0.1)
        got = await app.rest()
        await other.hung_up()
        await until(lambda: any(isinstance(event, RequestServed) for event in world.events))
        served = [event.status for event in world.events if isinstance(event, RequestServed)]

    assert b"" == got
    assert [499] == served


async def test_ends_otherwise() -> None:
    """Requests of one head that end in different ways are each told of as they ended."""
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    async with scene() as (world, upstream, app):
        for place, answer in enumerate((OK, missing, OK, OK, missing)):
            app.say(call(world))
            if place == 0:
                other = await upstream.connection()
            await other.request()
            other.say(answer)
            await app.some(len(answer))
        await until(lambda: len(world.events) == 5)
        took = world.on_lane
        ends = [e.status for e in world.events if isinstance(e, RequestServed)]

    assert [200, 404, 200, 200, 404] == ends
    assert 5 == took


async def test_stop_while_collecting() -> None:
    """A body that is on its way when the end comes is still taken, sent and answered."""
    async with scene() as (world, upstream, app):
        app.say(call(world)[:-3])
        await until(lambda: world.on_lane == 1)
        assert world.stop is not None
        stopping = asyncio.ensure_future(world.stop(10))
        await asyncio.sleep(0.01)
        app.say(call(world)[-3:])
        other = await upstream.asked()
        other.say(OK)
        got = await app.rest()
        with suppress(ConnectionError):
            await stopping

    assert OK == got
