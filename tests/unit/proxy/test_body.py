"""The app's request body, kept or streamed."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol

from sidecar.proxy.body import Kept, NoRoom, ReplayMemory, Streamed, read_body


def stream(*chunks: bytes, ends: bool = True) -> StreamReader:
    protocol = Mock(spec=BaseProtocol, _reading_paused=False)
    source = StreamReader(protocol, 2**16, loop=asyncio.get_running_loop())
    for chunk in chunks:
        source.feed_data(chunk)
    if ends:
        source.feed_eof()
    return source


async def test_kept() -> None:
    """A body under the cap is kept whole, and counts until it is given back."""
    memory = ReplayMemory(10)

    assert Kept(b"abcdef", 6) == await read_body(stream(b"abc", b"def"), 6, memory, 8, 1)
    assert not memory.take(5)
    memory.give_back(6)
    assert memory.take(10)


async def test_chunked() -> None:
    """A chunked body is kept as well, and counts what it turned out to be."""
    memory = ReplayMemory(10)

    assert Kept(b"abcdef", 6) == await read_body(stream(b"abcdef"), None, memory, 8, 1)
    assert not memory.take(5)


async def test_declared_too_large() -> None:
    """A body that declares to be over the cap is not read at all."""
    memory = ReplayMemory(100)
    body = await read_body(stream(b"abc"), 9, memory, 8, 1)

    assert isinstance(body, Streamed)
    assert [b"abc"] == [chunk async for chunk in body.chunks()]
    assert memory.take(100)


async def test_grows_too_large() -> None:
    """A chunked body that passes the cap streams on, from its first byte, and is given back."""
    memory = ReplayMemory(100)
    body = await read_body(stream(b"abcdefghij", b"klm"), None, memory, 8, 1)

    assert isinstance(body, Streamed)
    assert b"abcdefghijklm" == b"".join([chunk async for chunk in body.chunks()])
    assert memory.take(100)


async def test_no_room() -> None:
    """When the memory is used up there is no room, declared or not."""
    memory = ReplayMemory(4)

    assert isinstance(await read_body(stream(b"abcdef"), 6, memory, 8, 1), NoRoom)
    assert isinstance(await read_body(stream(b"abcdef"), None, memory, 8, 1), NoRoom)
    assert memory.take(4)


async def test_silence() -> None:
    """An app that stops sending is not waited for, and its memory is given back."""
    memory = ReplayMemory(10)
    with pytest.raises(TimeoutError):
        await read_body(stream(b"abc", ends=False), 6, memory, 8, 0.01)

    assert memory.take(10)
