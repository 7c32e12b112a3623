"""What an app sends before it has its answer is as good as what it sends afterwards."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.payments.events import RequestServed
from tests.e2e.lane_ends import OK, call, until
from tests.world.raw_scene import scene
from tests.world.raw_upstream import End

WAYS = pytest.mark.parametrize("lane", [True, False], ids=["lane", "ordinary"])
RTSP = b"GET /v1/models RTSP/1.0\r\n\r\n"


async def send_apart(app: End, *pieces: bytes) -> None:
    """Each in a segment of its own."""
    for piece in pieces:
        app.say(piece)
        await asyncio.sleep(0.02)


@WAYS
async def test_behind_the_parser(lane: bool) -> None:
    """What is sent ahead waits for the answer to a request with a body that the parser has."""
    async with scene(fast_lane=lane) as (world, upstream, app):
        first = call(world, b"first")
        # A head in two pieces is the parser's.
        await send_apart(app, first[:40], first[40:])
        other = await upstream.connection()
        got = await other.request()
        await send_apart(app, call(world, b"ahead"))
        made, waiting = len(upstream.ends), other.reader._buffer  # type: ignore[attr-defined]
        other.say(OK.replace(b"hello", b"one.."))
        answers = [await app.answer()]
        ahead = await other.request()
        other.say(OK.replace(b"hello", b"two.."))
        answers.append(await app.answer())

    assert (True, True) == (got.endswith(b"first"), ahead.endswith(b"ahead"))
    assert (1, b"") == (made, bytes(waiting))
    assert [b"one..", b"two.."] == [each[-5:] for each in answers]


@WAYS
async def test_in_front_of_garbage(lane: bool) -> None:
    """A sound request that was sent ahead is answered, whatever was sent behind it."""
    async with scene(fast_lane=lane) as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        await send_apart(app, call(world, b"ahead"), b"\0 no HTTP\r\n\r\n")
        other.say(OK)
        answers = [await app.answer()]
        ahead = await other.request()
        other.say(OK)
        answers.append(await app.answer())
        refusal = await app.rest()

    assert ahead.endswith(b"ahead")
    assert [OK, OK] == answers
    assert b" 400 " in refusal.partition(b"\r\n")[0]


@WAYS
async def test_in_pieces(lane: bool) -> None:
    """A body that was sent ahead in pieces is put together again."""
    async with scene(fast_lane=lane) as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        ahead, behind = call(world, b"a body in pieces"), call(world, b"behind")
        await send_apart(app, ahead[:-9], ahead[-9:-4], ahead[-4:], behind)
        got: list[bytes] = []
        for _ in range(3):
            other.say(OK)
            await app.answer()
            got.append(await other.request() if len(got) < 2 else b"")

    assert got[0].endswith(b"\r\n\r\na body in pieces")
    assert got[1].endswith(b"\r\n\r\nbehind")


async def test_ended_by_what_is_behind() -> None:
    """A request whose answer is no longer the lane's is told of, whatever ends its connection."""
    async with scene() as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        await send_apart(app, RTSP)
        # Not ordinary, and not all of it.
        other.say(b"HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nab")
        await app.rest()
        await until(lambda: not world.open_connections())
        served = [event for event in world.events if isinstance(event, RequestServed)]

    assert [499] == [event.status for event in served]
