"""The lane's connections to its upstream: kept, swept, given up, and with whose credential."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from sidecar.http import Origin
from tests.e2e.lane_ends import BODY, CHUNKED, OK, call, until
from tests.world.member import Member
from tests.world.plain_proxy import LIMITS, SERVER_LIMITS, plain_proxy
from tests.world.raw_scene import between, scene
from tests.world.raw_upstream import End, raw_app, raw_upstream
from tests.world.shifted_loop import later, run_shifted

# Longer than an idle connection is kept.
IDLE_S = 16.0
PATIENT = replace(SERVER_LIMITS, header_wait_s=600, keepalive_s=600)


async def serve(app: End, other: End, request: bytes, answer: bytes = OK) -> bytes:
    """One request over this connection; what the app got."""
    app.say(request)
    await other.request()
    other.say(answer)
    return await app.answer()


async def test_kept() -> None:
    """Requests one after the other, of whichever app, share one connection to the upstream."""
    async with (
        between() as (world, upstream),
        raw_app(world.port) as one,
        raw_app(world.port) as two,
    ):
        one.say(call(world))
        other = await upstream.asked()
        other.say(OK)
        await one.answer()
        for _ in range(5):
            assert OK == await serve(two, other, call(world))
            assert OK == await serve(one, other, call(world))
        made, took = len(upstream.ends), world.on_lane

    assert (1, 11) == (made, took)


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK + b"x",
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\nx",
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["close", "excess", "excess after chunks", "version 1.0"],
)
async def test_given_up(answer: bytes) -> None:
    """A connection whose upstream closes it, or has said more than asked, serves nobody else."""
    async with scene() as (world, upstream, app):
        app.say(call(world))
        first = await upstream.asked()
        first.say(answer)
        await first.hung_up()
        async with raw_app(world.port) as other:
            other.say(call(world))
            second = await upstream.asked()
            second.say(OK)
            served = await other.answer()

    assert OK == served


def test_swept() -> None:
    """A connection that nobody used for long is closed; one that was used lately is kept."""

    async def walk() -> None:
        async with (
            between(server_limits=PATIENT) as (world, upstream),
            raw_app(world.port) as one,
            raw_app(world.port) as two,
        ):
            one.say(call(world))
            first = await upstream.asked()
            two.say(call(world))
            second = await upstream.asked()
            first.say(OK)
            await one.answer()
            second.say(OK)
            await two.answer()
            later(IDLE_S - 6)
            # The last one that was used is the next one that is.
            async with raw_app(world.port) as three:
                assert OK == await serve(three, second, call(world))
                later(6)
                await first.hung_up()
                assert OK == await serve(three, second, call(world))
            for _ in range(3):
                later(IDLE_S)
                await asyncio.sleep(0.01)
            await second.hung_up()

    run_shifted(walk())


@pytest.mark.parametrize("pieces", [(b"HTTP/1.1 1",), (OK[:-1],), (CHUNKED, b"1\r\nx\r\n")])
def test_patience(pieces: tuple[bytes, ...]) -> None:
    """Each piece of an answer starts the wait for the next one anew; silence then ends it."""

    async def walk() -> None:
        async with scene(response_wait_s=30) as (world, upstream, app):
            app.say(call(world))
            other = await upstream.asked()
            for piece in pieces:
                later(20)
                await asyncio.sleep(0.01)
                other.say(piece)
                await asyncio.sleep(0.02)
            assert world.open_connections() == 1
            later(31)
            await asyncio.sleep(0.01)
            later(31)
            await other.hung_up()
            await app.reader.read(1)

    run_shifted(walk())


def test_slow_body() -> None:
    """A body that takes long to come is still sent whole, and once."""

    async def walk() -> None:
        async with scene(limits=replace(LIMITS, body_idle_s=60)) as (world, upstream, app):
            body = bytes(range(256)) * 8
            request = call(world, body)
            for at in range(0, len(request), 400):
                app.say(request[at : at + 400])
                await asyncio.sleep(0.01)
                later(0.7)
                await asyncio.sleep(0.01)
            other = await upstream.connection()
            sent = await other.request()
            other.say(OK)
            assert OK == await app.answer()
            assert sent.endswith(b"\r\n\r\n" + body)
            assert OK == await serve(app, other, call(world))
            assert len(upstream.ends) == 1

    run_shifted(walk())


UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"


def echo(*tokens: bytes) -> bytes:
    """An answer that says tokens back."""
    lines = b"".join(b"X-Echo: Bearer " + token + b"\r\n" for token in tokens)
    return OK.replace(b"Content-Length", lines + b"Content-Length")


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
async def test_credential_changes(lane: bool) -> None:
    """After a 401 the request goes again, whole, with a new sign-in, and so do those after it.

    The token that is in use never comes back to an app.
    """
    async with raw_upstream() as upstream:
        member = Member(origins=frozenset({Origin.of(f"http://127.0.0.1:{upstream.port}")}))
        async with (
            plain_proxy(
                web.Application(), upstream_port=upstream.port, provider=member, fast_lane=lane
            ) as world,
            raw_app(world.port) as app,
        ):
            app.say(call(world))
            other = await upstream.connection()
            seen = [await other.request()]
            other.say(echo(b"token-1"))
            got = [await app.answer()]
            app.say(call(world))
            seen.append(await other.request())
            other.say(UNAUTHORIZED)
            seen.append(await other.request())
            other.say(echo(b"token-2"))
            got.append(await app.answer())
            app.say(call(world))
            seen.append(await other.request())
            other.say(echo(b"token-2"))
            got.append(await app.answer())
            took = world.on_lane

    tokens = [each.partition(b"Bearer ")[2].partition(b"\r\n")[0] for each in seen]
    assert [b"token-1", b"token-1", b"token-2", b"token-2"] == tokens
    assert [True] * 4 == [each.endswith(b"\r\n\r\n" + BODY) for each in seen]
    assert [OK, OK, OK] == got
    assert (3 if lane else 0) == took


async def test_pipelined() -> None:
    """Requests that are sent at once are answered one after the other, in their order."""
    async with scene() as (world, upstream, app):
        bodies = [b"%d" % number * 50 for number in range(9)]
        app.say(b"".join(call(world, body) for body in bodies))
        other = await upstream.connection()
        for body in bodies:
            request = await other.request()
            assert request.endswith(b"\r\n\r\n" + body)
            assert not other.reader._buffer  # type: ignore[attr-defined]
            other.say(OK.replace(b"hello", body[:5]))
        answers = [await app.answer() for _ in bodies]
        made = len(upstream.ends)

    assert [body[:5] for body in bodies] == [each[-5:] for each in answers]
    assert 1 == made


async def test_keeps_or_closes() -> None:
    """A request that wants its connection closed gets its answer, and then the end."""
    async with scene() as (world, upstream, app):
        app.say(call(world) + call(world, more="Connection: close\r\n"))
        other = await upstream.connection()
        for _ in range(2):
            await other.request()
            other.say(OK)
        got = await app.rest()
        await until(lambda: not world.open_connections())

    assert 2 == got.count(b"hello")
    assert b"Connection: close" in got
