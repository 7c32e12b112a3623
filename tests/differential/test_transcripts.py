"""What an upstream must not be able to do, step by step, through the lane and around it."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.lane_ends import CHUNKED, OK, call
from tests.world.raw_scene import between, scene
from tests.world.raw_upstream import raw_app

WAYS = pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


@WAYS
@pytest.mark.parametrize(
    "body",
    [
        b"z\r\n",
        b"-1\r\nx\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"3\r\nabcdef\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "at once"])
async def test_malformed_chunks(lane: bool, body: bytes, apart: bool) -> None:
    """A malformed chunked answer ends the app's connection: it neither waits nor ends well."""
    async with scene(fast_lane=lane, response_wait_s=60) as (world, upstream, app):
        app.say(call(world))
        other = await upstream.asked()
        if apart:
            other.say(CHUNKED + b"1\r\nx\r\n")
            await app.reader.readuntil(b"x\r\n")
            other.say(body)
            got = await app.rest()
        else:
            other.say(CHUNKED + b"1\r\nx\r\n" + body)
            got = await app.answer()
        await other.hung_up()

    assert not got.endswith(b"0\r\n\r\n")
    assert apart or got.startswith(b"HTTP/1.1 502 ")


@WAYS
@pytest.mark.parametrize("early", [True, False], ids=["at once", "later"])
async def test_unsolicited_answer(lane: bool, early: bool) -> None:
    """An answer that nobody asked for is not the next request's; its connection is given up."""
    async with scene(fast_lane=lane) as (world, upstream, app):
        app.say(call(world))
        first = await upstream.asked()
        if early:
            first.say(OK + FORGED)
            assert OK == await app.answer()
        else:
            first.say(OK)
            assert OK == await app.answer()
            first.say(FORGED)
            await asyncio.sleep(0.02)
        app.say(call(world))
        second = await upstream.asked()
        second.say(OK)
        answer = await app.answer()
        await first.hung_up()
        kept = len(upstream.ends)

    assert OK == answer
    assert 2 == kept


@WAYS
async def test_garbage_behind_an_answer(lane: bool) -> None:
    """What comes with bytes that are no HTTP, in one piece, is not taken for an answer."""
    async with scene(fast_lane=lane) as (world, upstream, app):
        app.say(call(world))
        first = await upstream.asked()
        first.say(OK + b"\0garbage\r\n\r\n")
        answer = await app.answer()
        await first.hung_up()

    assert answer.startswith(b"HTTP/1.1 502 ")


@WAYS
async def test_bytes_behind_an_answer(lane: bool) -> None:
    """Where more comes than an answer has, its connection serves nobody else."""
    async with between(fast_lane=lane) as (world, upstream):
        async with raw_app(world.port) as app:
            app.say(call(world))
            first = await upstream.asked()
            first.say(OK[:-1])
            await app.some(len(OK) - 1)
            first.say(OK[-1:] + FORGED)
            await first.hung_up()
        async with raw_app(world.port) as app:
            app.say(call(world))
            second = await upstream.asked()
            second.say(OK)
            answer = await app.answer()

    assert OK == answer
