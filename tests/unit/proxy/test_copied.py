"""A large body, sent on while it is copied."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.proxy.body import COLLECTED_BYTES_MAX, ReplayMemory, read_body
from sidecar.proxy.copied import Copied, Lost
from tests.unit.proxy.test_body import stream

MIB = 2**20
CAP = 4 * MIB


async def copied(memory: ReplayMemory, *chunks: bytes, length: int | None = None) -> Copied:
    body = await read_body(stream(*chunks), length, memory, CAP, 1)
    assert isinstance(body, Copied)
    return body


async def sent_again(body: Copied) -> bytes:
    assert body.stored is not None
    return b"".join([chunk async for chunk in body.stored.chunks()])


async def test_only_large_ones() -> None:
    """What is at most a mebibyte is collected first; what is declared to be more is not."""
    memory = ReplayMemory(8 * MIB)
    whole = bytes(COLLECTED_BYTES_MAX)

    for length in (len(whole), None):
        assert not isinstance(await read_body(stream(whole), length, memory, CAP, 1), Copied)
    (await copied(memory, whole, b"x", length=len(whole) + 1)).close()
    (await copied(memory, whole, b"x")).close()


@pytest.mark.parametrize("declared", [True, False])
async def test_sent_and_sent_again(declared: bool) -> None:
    """It is sent on from its first byte, and after its last one it can be sent again."""
    memory = ReplayMemory(CAP)
    parts = (b"a" * MIB, b"b" * MIB, b"c")
    length = 2 * MIB + 1 if declared else None
    body = await copied(memory, *parts, length=length)
    before = body.stored
    sent = b"".join([chunk async for chunk in body.chunks()])
    again = await sent_again(body)

    assert b"".join(parts) == sent == again
    assert before is None
    assert not memory.take(CAP - 2 * MIB)
    body.close()
    assert memory.take(CAP)


async def test_kept_beyond_the_request() -> None:
    """Who sends it again may go on after its request is over, as a payment does."""
    memory = ReplayMemory(CAP)
    body = await copied(memory, b"a" * 3 * MIB, length=3 * MIB)
    await body.complete()
    stored = body.stored
    assert stored is not None
    chunks = stored.chunks()
    first = await anext(chunks)
    body.close()
    rest = b"".join([chunk async for chunk in chunks])

    assert b"a" * 3 * MIB == first + rest
    assert body.stored is None
    assert memory.take(CAP)


async def test_completed_after_its_sender_was_stopped() -> None:
    """Where the sender stops in the middle, nothing is lost of what it had and what comes after."""
    memory = ReplayMemory(CAP)
    source = stream(b"a" * MIB, b"b", ends=False)
    body = await read_body(source, 2 * MIB, memory, CAP, 5)
    assert isinstance(body, Copied)

    async def send() -> None:
        async for _ in body.chunks():
            pass

    sending = asyncio.ensure_future(send())
    await asyncio.sleep(0.05)

    def finish() -> None:
        source.feed_data(b"c" * (MIB - 1))
        source.feed_eof()

    asyncio.get_running_loop().call_later(0.05, finish)
    sending.cancel()
    # At once: the sender has not even noticed yet.
    assert await body.complete() is None
    assert b"a" * MIB + b"b" + b"c" * (MIB - 1) == await sent_again(body)
    body.close()


async def test_beyond_the_cap() -> None:
    """One that passes the cap goes on to its end, and its copy and its room are given up."""
    memory = ReplayMemory(8 * MIB)
    source = stream(bytes(2 * MIB), ends=False)
    body = await read_body(source, None, memory, CAP, 1)
    assert isinstance(body, Copied)
    source.feed_data(bytes(2 * MIB) + b"xy")
    source.feed_eof()
    sent = [len(chunk) async for chunk in body.chunks()]

    assert CAP + 2 == sum(sent)
    assert Lost.TOO_LARGE is await body.complete()
    assert body.stored is None
    assert memory.take(8 * MIB)


async def test_no_room_for_more() -> None:
    """One for whose chunks there is no more room goes on as well, and gives back what it had."""
    memory = ReplayMemory(2 * MIB)
    source = stream(bytes(MIB + 1), ends=False)
    body = await read_body(source, None, memory, CAP, 1)
    assert isinstance(body, Copied)
    source.feed_data(bytes(MIB))
    source.feed_eof()
    sent = [len(chunk) async for chunk in body.chunks()]

    assert 2 * MIB + 1 == sum(sent)
    assert Lost.NO_ROOM is await body.complete()
    assert memory.take(2 * MIB)


async def test_no_longer_needed() -> None:
    """Once relayed it is not kept any more, and goes on; its room is given back once."""
    memory = ReplayMemory(CAP)
    body = await copied(memory, bytes(MIB), bytes(MIB), length=2 * MIB)
    chunks = body.chunks()
    await anext(chunks)
    body.forget()
    rest = [len(chunk) async for chunk in chunks]
    body.close()

    assert MIB == sum(rest)
    assert memory.take(CAP)
    assert not memory.take(1)


async def test_silence() -> None:
    """An app that goes silent is not waited for, and whoever looks is told so."""
    memory = ReplayMemory(CAP)
    body = await read_body(stream(b"abc", ends=False), 2 * MIB, memory, CAP, 0.01)
    assert isinstance(body, Copied)
    with pytest.raises(TimeoutError):
        await body.complete()
    with pytest.raises(TimeoutError):
        await body.drain()

    assert body.is_silent
    assert memory.take(CAP)


async def test_drained() -> None:
    """Drained, it is read to its end, or until it passes the cap."""
    memory = ReplayMemory(CAP)
    whole = await copied(memory, bytes(MIB), bytes(MIB), length=2 * MIB)
    await whole.drain()
    source = stream(bytes(2 * MIB), ends=False)
    large = await read_body(source, None, memory, CAP, 1)
    assert isinstance(large, Copied)
    source.feed_data(bytes(3 * MIB))
    draining = asyncio.ensure_future(large.drain())
    await asyncio.sleep(0.05)
    source.feed_data(b"x")

    assert draining.done()
    assert b"x" == source.read_nowait()
