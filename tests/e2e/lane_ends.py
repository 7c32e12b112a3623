"""Every way in which a request can end early, on either side, and how it gets there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.world.plain_proxy import TOKEN, Plain
from tests.world.raw_upstream import End, RawUpstream

BODY = b"0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def call(world: Plain, body: bytes = BODY, more: str = "", method: str = "POST") -> bytes:
    """An ordinary request."""
    return (
        f"{method} /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{world.port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def app_leaves_collecting(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world)[:-4])
    await until(lambda: world.open_connections() > 0)
    await asyncio.sleep(0.01)
    await app.hang_up()


async def app_leaves_waiting(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    await app.hang_up()
    await other.hung_up()


async def app_leaves_relaying(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(OK[:-2])
    await app.some(len(OK) - 2)
    await app.hang_up()
    await other.hung_up()


async def app_leaves_a_stream(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(CHUNKED + b"3\r\nabc\r\n")
    await app.reader.readuntil(b"abc")
    await app.hang_up()
    await other.hung_up()


async def upstream_leaves_waiting(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    await other.hang_up()
    assert (await app.answer()).startswith(b"HTTP/1.1 502 ")


async def upstream_leaves_in_its_head(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(OK[:20])
    await other.hang_up()
    assert (await app.answer()).startswith(b"HTTP/1.1 502 ")


async def upstream_leaves_relaying(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(OK[:-2])
    assert OK[:-2] == await app.some(len(OK) - 2)
    await other.hang_up()
    assert b"" == await app.rest()


async def upstream_leaves_a_stream(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(CHUNKED + b"3\r\nabc\r\n")
    await app.reader.readuntil(b"abc\r\n")
    await other.hang_up()
    assert b"" == await app.rest()


async def upstream_resets_a_stream(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(CHUNKED + b"3\r\nabc\r\n")
    await app.reader.readuntil(b"abc\r\n")
    other.writer.transport.abort()
    assert b"" == await app.rest()


async def upstream_is_malformed(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(CHUNKED + b"3\r\nabc\r\n")
    await app.reader.readuntil(b"abc\r\n")
    other.say(b"z\r\n")
    assert not (await app.rest()).endswith(b"0\r\n\r\n")
    await other.hung_up()


async def upstream_is_silent(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    assert (await app.answer()).startswith(b"HTTP/1.1 504 ")
    await other.hung_up()


async def upstream_is_silent_relaying(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(OK[:-2])
    assert OK[:-2] == await app.some(len(OK) - 2)
    assert b"" == await app.rest()
    await other.hung_up()


async def not_payable(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(b"HTTP/1.1 402 Payment Required\r\nContent-Length: 2\r\n\r\n{}")
    assert (await app.answer()).startswith(b"HTTP/1.1 402 ")
    await app.hang_up()


async def served(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(OK)
    assert OK == await app.answer()
    await app.hang_up()


async def served_by_chunks(world: Plain, app: End, upstream: RawUpstream) -> None:
    app.say(call(world))
    other = await upstream.asked()
    other.say(CHUNKED + b"3\r\nabc\r\n")
    other.say(b"0\r\n\r\n")
    await app.reader.readuntil(b"0\r\n\r\n")
    await app.hang_up()


Ending = Callable[[Plain, End, RawUpstream], Awaitable[None]]
ENDINGS: tuple[Ending, ...] = (
    app_leaves_collecting,
    app_leaves_waiting,
    app_leaves_relaying,
    app_leaves_a_stream,
    upstream_leaves_waiting,
    upstream_leaves_in_its_head,
    upstream_leaves_relaying,
    upstream_leaves_a_stream,
    upstream_resets_a_stream,
    upstream_is_malformed,
    upstream_is_silent,
    upstream_is_silent_relaying,
    not_payable,
    served,
    served_by_chunks,
)


async def until(holds: Callable[[], bool]) -> None:
    """Come back once it holds. TimeoutError where it never does."""
    async with asyncio.timeout(8):
        while not holds():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def deaf_port() -> AsyncIterator[int]:
    """A port to which a connection is neither made nor refused: its queue is full."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    address = listening.getsockname()
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(address)
    try:
        yield address[1]
    finally:
        for one in (*waiting, listening):
            one.close()
