"""However a request on the fast lane ends: what it held is free again, and nothing is left open."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from sidecar.payments.events import RequestServed
from sidecar.proxy.handler import RequestLimits
from tests.e2e.lane_ends import BODY, ENDINGS, OK, Ending, call, deaf_port, until
from tests.world.plain_proxy import SERVER_LIMITS, plain_proxy
from tests.world.raw_scene import between, scene
from tests.world.raw_upstream import raw_app

ONE_AT_A_TIME = RequestLimits(replay_bytes_max=100_000, body_idle_s=1.0, caller_requests_max=1)

# Each silence takes as long; a machine that stands still for as long looks like one.
RESPONSE_WAIT_S = 1.0
# So that whatever ends a connection is not its having been idle.
PATIENT = replace(SERVER_LIMITS, keepalive_s=60)


def told(events: list[Any]) -> list[RequestServed]:
    """What the log would say, without what no two requests share."""
    return [
        replace(each, request_id="", duration_s=0.0, upstream_s=0.0, detail="")
        for each in events
        if isinstance(each, RequestServed)
    ]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
@pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
async def test_given_back(ending: Ending, lane: bool) -> None:
    """The one place of a caller and all of the replay memory are there for the next request."""
    async with between(
        fast_lane=lane,
        limits=ONE_AT_A_TIME,
        server_limits=PATIENT,
        memory=len(BODY),
        response_wait_s=RESPONSE_WAIT_S,
    ) as (world, upstream):
        for _ in range(3):
            async with raw_app(world.port) as app:
                await ending(world, app, upstream)
            await until(lambda: not world.open_connections())
            # Its upstream connection, if it is kept, serves nobody else: each is a new one.
            for end in upstream.ends:
                await end.hang_up()
            await asyncio.sleep(0.01)
        async with raw_app(world.port) as app:
            app.say(call(world))
            other = await upstream.asked()
            other.say(OK)
            answer = await app.answer()
        took = world.on_lane

    assert OK == answer
    assert (4 if lane else 0) == took


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
async def test_same_record(ending: Ending) -> None:
    """What the log says of a request is the same on either way: once, with its own id."""
    said, ids = [], []
    for lane in (True, False):
        async with between(fast_lane=lane, response_wait_s=RESPONSE_WAIT_S) as (world, upstream):
            async with raw_app(world.port) as app:
                await ending(world, app, upstream)
            await until(lambda: not world.open_connections())
            said.append(told(world.events))
            ids += [each.request_id for each in world.events if isinstance(each, RequestServed)]

    assert said[1] == said[0]
    assert [16, 16] == [len(each) for each in ids]
    assert 2 == len(set(ids))


async def test_refused_at_the_limit() -> None:
    """A caller at its limit is told so while a request is on the lane, and served after it."""
    async with (
        between(limits=ONE_AT_A_TIME) as (world, upstream),
        raw_app(world.port) as first,
        raw_app(world.port) as second,
    ):
        first.say(call(world))
        other = await upstream.asked()
        second.say(call(world))
        refused = await second.answer()
        other.say(OK)
        await first.answer()
        second.say(call(world))
        await other.request()
        other.say(OK)
        served = await second.answer()

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert OK == served


async def test_no_room_for_a_body() -> None:
    """While a body on the lane takes the replay memory, another is told so, and served after it."""
    async with (
        between(memory=len(BODY)) as (world, upstream),
        raw_app(world.port) as first,
        raw_app(world.port) as second,
    ):
        first.say(call(world))
        other = await upstream.asked()
        second.say(call(world))
        refused = await second.answer()
        # From here on the body is not needed any more.
        other.say(OK[:-1])
        await first.some(len(OK) - 1)
        second.say(call(world))
        another = await upstream.asked()
        another.say(OK)
        served = await second.answer()

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert OK == served


async def test_given_back_once() -> None:
    """What was given back is no more than was taken: the limits hold after many requests, too."""
    async with scene(memory=len(BODY), limits=ONE_AT_A_TIME) as (world, upstream, first):
        first.say(call(world))
        other = await upstream.connection()
        for _ in range(5):
            await other.request()
            other.say(OK[:-1])
            await first.some(len(OK) - 1)
            other.say(OK[-1:])
            await first.some(1)
            first.say(call(world))
        await other.request()
        async with raw_app(world.port) as second:
            second.say(call(world))
            too_many = await second.answer()
        other.say(OK)
        await first.answer()
        async with raw_app(world.port) as second:
            second.say(call(world, BODY + BODY))
            too_large = await second.answer()

    assert too_many.startswith(b"HTTP/1.1 503 ")
    assert too_large.startswith(b"HTTP/1.1 503 ")


async def test_app_leaves_while_connecting() -> None:
    """An app that hangs up before there is a connection ends the attempt, and frees its place.

    One that waits is told that nobody answered, when the time for an answer is over.
    """
    async with (
        deaf_port() as port,
        plain_proxy(
            web.Application(),
            upstream_port=port,
            limits=ONE_AT_A_TIME,
            response_wait_s=RESPONSE_WAIT_S,
        ) as world,
    ):
        async with raw_app(world.port) as app:
            app.say(call(world))
            await until(lambda: world.on_lane == 1)
            await asyncio.sleep(0.02)
        await until(lambda: not world.open_connections())
        async with raw_app(world.port) as app:
            app.say(call(world))
            answer = await app.answer()
        await until(lambda: not world.open_connections())
        took, said = world.on_lane, told(world.events)

    assert 2 == took
    assert [499, 504] == [each.status for each in said]
    assert answer.startswith(b"HTTP/1.1 504 ")


async def test_cannot_connect() -> None:
    """An upstream that is not there is a 502 that names it, and the place is free again."""
    async with plain_proxy(web.Application(), upstream_port=9, limits=ONE_AT_A_TIME) as world:
        async with raw_app(world.port) as app:
            for _ in range(3):
                app.say(call(world))
                answer = await app.answer()
        took = world.on_lane

    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"cannot connect to http://127.0.0.1:9" in answer
    assert 3 == took


async def test_upstream_leaves_while_idle() -> None:
    """A kept connection that its upstream ends is not used: not even for a body on its way."""
    async with scene() as (world, upstream, app):
        app.say(call(world))
        first = await upstream.asked()
        first.say(OK)
        await app.answer()
        app.say(call(world)[:-5])
        await until(lambda: world.on_lane == 2)
        await first.hang_up()
        await asyncio.sleep(0.02)
        app.say(call(world)[-5:])
        second = await upstream.connection()
        request = await second.request()
        second.say(OK)
        answer = await app.answer()

    assert request.endswith(BODY)
    assert OK == answer


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
async def test_reset_is_not_told_twice(lane: bool) -> None:
    """A connection that is reset is the log line's to tell of; asyncio has nothing to add."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    async with between(fast_lane=lane) as (world, upstream):
        for piece in (b"", OK[:20], OK[:-2], b"HTTP/1.1 402 Pay\r\nContent-Length: 9\r\n\r\n{"):
            async with raw_app(world.port) as app:
                app.say(call(world))
                other = await upstream.asked()
                other.say(piece)
                await asyncio.sleep(0.01)
                other.writer.transport.abort()
                await app.reader.read(1)
            await until(lambda: not world.open_connections())
    gc.collect()

    assert [] == complaints
