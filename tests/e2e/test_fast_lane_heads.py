"""Heads that differ from call to call on one connection: each goes out as its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.e2e.lane_ends import OK, call
from tests.world.plain_proxy import SERVER_LIMITS
from tests.world.raw_scene import scene
from tests.world.raw_upstream import End

NARROW = replace(SERVER_LIMITS, header_bytes_max=8192)
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


async def serve(app: End, other: End, request: bytes, answer: bytes = OK) -> bytes:
    """One request; as the upstream got it."""
    app.say(request)
    got = await other.request()
    other.say(answer)
    await app.answer()
    return got


def traced(*traces: str) -> str:
    """Lines that vary."""
    return "".join(f"x-trace-{number}: {trace}\r\n" for number, trace in enumerate(traces))


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "ordinary"])
async def test_own_lines(lane: bool) -> None:
    """Lines that vary cross as each call has them, and so do the body and its length."""
    async with scene(fast_lane=lane) as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        other.say(OK)
        await app.answer()
        for at in range(12):
            lines = traced(f"{at:02}-ab", "a b" * at + "c", f"{at}")
            got = await serve(app, other, call(world, b"x" * at * 7, lines))

            assert lines.encode() in got
            assert b"Content-Length: %d\r\n\r\n" % (at * 7) + b"x" * at * 7 in got
        took = world.on_lane

    assert (13 if lane else 0) == took


async def test_handed_over() -> None:
    """What the lane hands over is the head of this call, and not that of one before."""
    async with scene() as (world, upstream, app):
        app.say(call(world, more=traced("0")))
        other = await upstream.asked()
        other.say(OK)
        await app.answer()
        for at in range(1, 6):
            await serve(app, other, call(world, more=traced(str(at))))
        app.say(call(world, more=traced("last")))
        assert traced("last").encode() in await other.request()
        other.say(UNAUTHORIZED)
        answer = await app.answer()
        again = await serve(app, other, call(world, more=traced("next")))
        took = world.on_lane

    assert answer.startswith(b"HTTP/1.1 401")
    assert traced("next").encode() in again
    assert 8 == took


async def test_head_that_grows() -> None:
    """A head that has grown beyond what is allowed is refused, whatever came before it."""
    async with scene(server_limits=NARROW) as (world, upstream, app):
        app.say(call(world, more=traced("0")))
        other = await upstream.asked()
        other.say(OK)
        await app.answer()
        for at in range(1, 6):
            await serve(app, other, call(world, more=traced(str(at))))
        app.say(call(world, more=traced("1" * 8200)))
        answer = await app.answer()
        took = world.on_lane

    assert 6 == took
    assert answer.split(b" ")[1] in {b"400", b"431"}


async def test_back_to_the_lane() -> None:
    """What is sent ahead of an answer that is handed over keeps nobody from the lane for good."""
    async with scene() as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        app.say(call(world, b"sent ahead"))
        await asyncio.sleep(0.05)
        other.say(b"HTTP/1.1 204 No Content\r\n\r\n")
        await app.answer()
        ahead = await other.request()
        other.say(OK)
        await app.answer()
        after = await serve(app, other, call(world, b"after"))
        took = world.on_lane

    assert (True, True) == (ahead.endswith(b"sent ahead"), after.endswith(b"after"))
    assert 2 == took
