"""Bodies too large to be collected first: sent on as they come, and kept all the same.

Both ends speak in bytes, so each test says what is where at every moment. What is paid for is in
``test_large_uploads_paid``.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import pytest
from aiohttp import web

from sidecar.http import Origin
from sidecar.payments.events import RequestServed, TaskFailed
from sidecar.proxy.handler import RequestLimits
from tests.world.member import Member
from tests.world.plain_proxy import TOKEN, Plain, plain_proxy
from tests.world.raw_upstream import End, RawUpstream, raw_app, raw_upstream

MIB = 2**20
SIZE = 3 * MIB
LIMITS = RequestLimits(replay_bytes_max=4 * MIB, body_idle_s=1.0, caller_requests_max=4)
# Room for one such body, and a little.
MEMORY = SIZE + MIB // 2
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BODY = bytes(range(251)) * (SIZE // 251 + 1)


@dataclass(frozen=True, slots=True)
class Ends:
    """The proxy, an app's connection to it, and what is behind it."""

    world: Plain
    app: End
    upstream: RawUpstream

    def head(self, *lines: str) -> bytes:
        fixed = (
            "POST /v1/up HTTP/1.1",
            f"Host: 127.0.0.1:{self.world.port}",
            f"Authorization: Bearer {TOKEN}",
        )
        return ("\r\n".join((*fixed, *lines)) + "\r\n\r\n").encode()

    def declared(self, size: int = SIZE) -> bytes:
        """The head of an upload of this size."""
        return self.head(f"Content-Length: {size}")

    def statuses(self) -> list[int]:
        """How each request ended, as it was recorded."""
        return [event.status for event in self.world.events if isinstance(event, RequestServed)]

    def faults(self) -> list[TaskFailed]:
        """What failed that nobody waited for."""
        return [event for event in self.world.events if isinstance(event, TaskFailed)]


@asynccontextmanager
async def ends(
    limits: RequestLimits = LIMITS, memory: int = MEMORY, response_wait_s: float = 2.0
) -> AsyncIterator[Ends]:
    async with (
        raw_upstream() as upstream,
        plain_proxy(
            web.Application(),
            limits=limits,
            memory=memory,
            upstream_port=upstream.port,
            response_wait_s=response_wait_s,
        ) as world,
        raw_app(world.port) as app,
    ):
        yield Ends(world, app, upstream)


async def head_of(end: End) -> bytes:
    """The head of the next message."""
    async with asyncio.timeout(8):
        return await end.reader.readuntil(b"\r\n\r\n")


async def unchunked(end: End) -> bytes:
    """The body of a message in chunks."""
    body = b""
    async with asyncio.timeout(8):
        while size := int(await end.reader.readline(), 16):
            body += await end.reader.readexactly(size)
            assert b"\r\n" == await end.reader.readexactly(2)
        assert b"\r\n" == await end.reader.readexactly(2)
    return body


def in_chunks(body: bytes, size: int) -> bytes:
    """The body in chunks of this size."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts]) + b"0\r\n\r\n"


async def room_is_free(run: Ends) -> bool:
    """Whether another body of the size for which there is room is taken."""
    async with raw_app(run.world.port) as app:
        app.say(run.declared() + BODY[:SIZE])
        end = await run.upstream.connection()
        await end.request()
        end.say(OK)
        return (await app.answer()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [50_000, 2 * MIB])
async def test_sent_on_before_it_is_whole(begun: int) -> None:
    """The upstream gets the first bytes of an upload before the app has sent the last."""
    async with ends() as run:
        run.app.say(run.declared() + BODY[:begun])
        end = await run.upstream.connection()
        head = await head_of(end)
        first = await end.some(begun)
        run.app.say(BODY[begun:SIZE])
        rest = await end.some(SIZE - begun)
        end.say(OK)
        answer = await run.app.answer()

    assert BODY[:SIZE] == first + rest
    assert f"content-length: {SIZE}".encode() in head.lower()
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("size", [100, 1_000, 300_000])
async def test_chunks_stay_chunks(size: int) -> None:
    """A chunked upload goes on in chunks, whole, and the next request is one of its own."""
    length = SIZE if size > 100 else MIB + MIB // 8
    async with ends() as run:
        run.app.say(run.head("Transfer-Encoding: chunked") + in_chunks(BODY[:length], size))
        end = await run.upstream.connection()
        head = (await head_of(end)).lower()
        body = await unchunked(end)
        end.say(OK)
        first = await run.app.answer()
        run.app.say(run.declared(4) + b"next")
        end = end if len(run.upstream.ends) == 1 else run.upstream.ends[-1]
        second = await end.request()
        end.say(OK)
        await run.app.answer()

    assert BODY[:length] == body
    assert b"\r\ntransfer-encoding: chunked\r\n" in head
    assert b"content-length" not in head
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"POST /v1/up HTTP/1.1\r\n")
    assert second.endswith(b"\r\n\r\nnext")


async def test_truncated_chunks() -> None:
    """A chunked upload that breaks off never looks whole to the upstream."""
    async with ends() as run:
        run.app.say(run.head("Transfer-Encoding: chunked") + in_chunks(BODY[:SIZE], 9_000)[:-5])
        end = await run.upstream.connection()
        await run.app.hang_up()
        received = await end.rest()

        assert not received.endswith(b"0\r\n\r\n")
        assert await room_is_free(run)
    assert [] == run.faults()


async def test_malformed_chunks() -> None:
    """A chunk that is none ends the upload at both ends, and is refused."""
    bad = in_chunks(BODY[: 2 * MIB], 9_000)[:-5] + b"zzz\r\n"
    async with ends() as run:
        run.app.say(run.head("Transfer-Encoding: chunked") + bad)
        end = await run.upstream.connection()
        answer = await run.app.rest()
        received = await end.rest()

    assert b"HTTP/1.1 400" == answer[:12]
    assert not received.endswith(b"0\r\n\r\n")
    assert [] == run.faults()


async def test_expect_continue() -> None:
    """An app that waits to be told to go on is told, and sends."""
    async with ends() as run:
        run.app.say(run.head(f"Content-Length: {SIZE}", "Expect: 100-continue"))
        told = await run.app.some(len(b"HTTP/1.1 100 Continue\r\n\r\n"))
        run.app.say(BODY[:SIZE])
        end = await run.upstream.connection()
        request = await end.request()
        end.say(OK)
        answer = await run.app.answer()

    assert b"HTTP/1.1 100 Continue\r\n\r\n" == told
    assert request.endswith(b"\r\n\r\n" + BODY[:SIZE])
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("status", [b"200 OK", b"413 Too Large", b"500 Bad", b"402 No Credit"])
@pytest.mark.parametrize("then", ["reads on", "is deaf", "hangs up"])
async def test_answer_before_the_end(status: bytes, then: str) -> None:
    """An early answer reaches the app at once, and the app may send the rest and ask again."""
    early = b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\nearly" % status
    async with ends() as run:
        run.app.say(run.declared() + BODY[: 2 * MIB])
        end = await run.upstream.connection()
        await end.some(MIB)
        end.say(early)
        if then == "hangs up":
            await end.hang_up()
        answer = await run.app.answer()
        if then == "reads on":
            await end.rest()
        run.app.say(BODY[2 * MIB : SIZE])
        run.app.say(run.declared() + BODY[:SIZE])
        again = await run.upstream.connection()
        request = await again.request()
        again.say(OK)
        second = await run.app.answer()

    assert status[:3] == answer[9:12]
    assert answer.endswith(b"early")
    assert request.endswith(b"\r\n\r\n" + BODY[:SIZE])
    assert second.startswith(b"HTTP/1.1 200")
    assert [int(status[:3]), 200] == run.statuses()
    assert [] == run.faults()


async def test_relayed_is_not_kept() -> None:
    """Once its answer is on the way the upload is not kept any more, however long that lasts."""
    async with ends() as run:
        run.app.say(run.declared() + BODY[: 2 * MIB])
        end = await run.upstream.connection()
        end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nea")
        begun = await head_of(run.app)

        assert await room_is_free(run)
        run.app.say(BODY[2 * MIB : SIZE])
        request = await end.request()
        end.say(b"rly")
        assert b"early" == await run.app.some(5)
    assert begun.startswith(b"HTTP/1.1 200")
    assert request.endswith(b"\r\n\r\n" + BODY[:SIZE])


async def test_app_that_sends_all_before_it_reads() -> None:
    """A slow app that reads only at its end still finds the early answer, not a reset."""
    async with ends(replace(LIMITS, body_idle_s=8)) as run:
        run.app.say(run.declared() + BODY[: 2 * MIB])
        end = await run.upstream.connection()
        end.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        for at in range(2 * MIB, SIZE, MIB // 4):
            # Three seconds in all: more than the server lingers for a body that nobody reads.
            await asyncio.sleep(0.75)
            run.app.say(BODY[at : at + MIB // 4])
            await run.app.writer.drain()
        answer = await run.app.answer()

    assert b"HTTP/1.1 413 " == answer[:13]


async def test_upstream_lost() -> None:
    """An upstream that goes away in the middle is a 502, which an app in mid-upload gets."""
    async with ends() as run:
        run.app.say(run.declared() + BODY[: 2 * MIB])
        end = await run.upstream.connection()
        await end.some(MIB)
        await end.hang_up()
        answer = await run.app.answer()
        run.app.say(BODY[2 * MIB : SIZE])

        assert b"HTTP/1.1 502 " == answer[:13]
        assert await room_is_free(run)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_app_hangs_up(chunked: bool) -> None:
    """An app that leaves in the middle closes its upstream's connection and frees what it took."""
    async with ends() as run:
        head = run.head("Transfer-Encoding: chunked") if chunked else run.declared()
        run.app.say(head + (b"%x\r\n" % SIZE if chunked else b"") + BODY[: 2 * MIB])
        end = await run.upstream.connection()
        await head_of(end)
        # Lingering for no time makes the kernel send a reset.
        end_of_app = run.app.writer.get_extra_info("socket")
        end_of_app.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await run.app.hang_up()
        received = await end.rest()

        assert len(received) < SIZE
        assert await room_is_free(run)
    assert [499, 200] == run.statuses()
    assert [] == run.faults()


@pytest.mark.parametrize("cap", [4 * MIB, 64 * 1024], ids=["copied", "not kept"])
async def test_silent_app(cap: int) -> None:
    """An app that stops in mid-upload gets a 408, and the upstream's connection is closed."""
    async with ends(replace(LIMITS, replay_bytes_max=cap), response_wait_s=30) as run:
        run.app.say(run.declared() + BODY[: 2 * MIB])
        end = await run.upstream.connection()
        answer = await run.app.rest()
        received = await end.rest()

    assert b"HTTP/1.1 408 " == answer[:13]
    assert len(received) < SIZE


async def test_slow_upstream() -> None:
    """No more is read from the app than the upstream takes, and what it takes is all of it."""
    size = 32 * MIB
    limits = replace(LIMITS, replay_bytes_max=size)
    async with ends(limits, memory=size, response_wait_s=5) as run:
        end_of_app = run.app.writer.get_extra_info("socket")
        end_of_app.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
        run.app.say(run.declared(size))
        end = await run.upstream.connection()
        await head_of(end)
        # asyncio's reader stops the socket by itself once enough lies in it unread.
        pieces = 0
        with suppress(TimeoutError):
            while pieces < size // MIB:
                run.app.say(bytes(MIB))
                async with asyncio.timeout(0.7):
                    await run.app.writer.drain()
                pieces += 1
        stuck = pieces
        run.app.say(bytes(size - (pieces + 1) * MIB))
        body = await end.some(size)
        end.say(OK)
        answer = await run.app.answer()

    assert stuck < size // MIB - 4
    assert bytes(size) == body
    assert answer.startswith(b"HTTP/1.1 200")


async def test_upstream_that_takes_nothing() -> None:
    """An upstream that neither reads nor answers is waited for as long as its route says."""
    size = 24 * MIB
    async with ends(
        replace(LIMITS, replay_bytes_max=size, body_idle_s=8), memory=size, response_wait_s=0.5
    ) as run:
        run.app.say(run.declared(size) + bytes(size))
        async with asyncio.timeout(8):
            status = await run.app.reader.readline()

    assert b"HTTP/1.1 504 " == status[:13]


async def test_no_room_is_told_before_anything_is_sent() -> None:
    """A declared body for which there is no room is refused, and the upstream hears nothing."""
    async with ends(memory=2 * MIB) as run:
        run.app.say(run.declared())
        async with asyncio.timeout(8):
            status = await run.app.reader.readline()

    assert b"HTTP/1.1 503 " == status[:13]
    assert [] == run.upstream.ends


async def test_chunks_without_room_go_on() -> None:
    """A chunked upload that outgrows the room for it, or the cap, is sent on all the same."""
    async with ends(memory=2 * MIB) as run:
        for size in (SIZE, 5 * MIB):
            body = bytes(size)
            run.app.say(run.head("Transfer-Encoding: chunked") + in_chunks(body, 50_000))
            end = run.upstream.ends[0] if run.upstream.ends else await run.upstream.connection()
            await head_of(end)
            received = await unchunked(end)
            end.say(OK)
            answer = await run.app.answer()

            assert body == received
            assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("when", ["at the end", "before the end"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_signed_in_again(chunked: bool, when: str) -> None:
    """A sign-in that went stale is renewed, and all of the upload is sent again, with a length."""
    async with raw_upstream() as upstream:
        origin = Origin("http", "127.0.0.1", upstream.port)
        member = Member(str(origin), origins=frozenset({origin}))
        async with (
            plain_proxy(
                web.Application(), limits=LIMITS, upstream_port=upstream.port, provider=member,
                memory=MEMORY,
            ) as world,
            raw_app(world.port) as app,
        ):  # fmt: skip
            run = Ends(world, app, upstream)
            sent = in_chunks(BODY[:SIZE], 70_000) if chunked else BODY[:SIZE]
            head = run.head("Transfer-Encoding: chunked") if chunked else run.declared()
            app.say(head + sent[: 2 * MIB])
            stale = await upstream.connection()
            first = await head_of(stale)
            if when == "at the end":
                app.say(sent[2 * MIB :])
                await (unchunked(stale) if chunked else stale.some(SIZE))
            stale.say(b"HTTP/1.1 401 Stale\r\nContent-Length: 5\r\n\r\nstale")
            if when == "before the end":
                app.say(sent[2 * MIB :])
                fresh = await upstream.connection()
            else:
                fresh = stale
            second = await fresh.request()
            fresh.say(OK)
            answer = await app.answer()

    assert b"Bearer token-1" in first
    assert b"Bearer token-2" in second
    assert re.search(rb"\r\ncontent-length: %d\r\n" % SIZE, second, re.IGNORECASE)
    assert b"transfer-encoding" not in second.partition(b"\r\n\r\n")[0].lower()
    assert second.endswith(b"\r\n\r\n" + BODY[:SIZE])
    assert answer.startswith(b"HTTP/1.1 200")
