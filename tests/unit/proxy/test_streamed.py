"""An upstream's answer as it arrives: whole at once where all of it is here."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiohttp import ClientPayloadError, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD

from sidecar.errors import UpstreamError
from sidecar.proxy.streamed import StreamedReply


class Message:
    """The head of an answer."""

    code = 402
    raw_headers = ((b"PAYMENT-REQUIRED", b"e30="),)


class FakeConnection:
    """A connection that knows how it was let go of."""

    protocol = None

    def __init__(self) -> None:
        self.ends: list[str] = []

    def release(self) -> None:
        self.ends.append("released")

    def close(self) -> None:
        self.ends.append("closed")


def arriving() -> tuple[StreamReader, FakeConnection, StreamedReply]:
    """An answer of which the head is here."""
    loop = asyncio.get_running_loop()
    payload = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    connection = FakeConnection()
    message = cast(RawResponseMessage, Message())
    return (
        payload,
        connection,
        StreamedReply(message, payload, cast(Connection, connection), None),
    )


async def test_no_body() -> None:
    """An answer that can have no body is whole, and nothing."""
    connection = FakeConnection()
    message, held = cast(RawResponseMessage, Message()), cast(Connection, connection)
    reply = StreamedReply(message, EMPTY_PAYLOAD, held, None)

    assert reply.is_here
    assert [] == [chunk async for chunk in reply.chunks()]
    assert ["released"] == connection.ends


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"one", b"two"]])
async def test_here(pieces: list[bytes]) -> None:
    """What is here whole is given at once, and once; its connection serves others."""
    payload, connection, reply = arriving()
    for piece in pieces:
        payload.feed_data(piece)
    payload.feed_eof()

    assert reply.is_here
    assert b"".join(pieces) == b"".join([chunk async for chunk in reply.chunks()])
    assert ["released"] == connection.ends
    assert [] == [chunk async for chunk in reply.chunks()]


async def test_on_its_way() -> None:
    """What is not here yet is waited for, piece by piece."""
    payload, connection, reply = arriving()
    payload.feed_data(b"one")
    seen = []

    assert not reply.is_here
    async for chunk in reply.chunks():
        seen.append(chunk)
        if len(seen) == 1:
            payload.feed_data(b"two")
            payload.feed_eof()
    assert [b"one", b"two"] == seen
    assert ["released"] == connection.ends


async def test_broken_off() -> None:
    """What broke off is never taken for whole, even where the parser has ended it since."""
    payload, _, reply = arriving()
    payload.feed_data(b"one")
    payload.set_exception(ClientPayloadError("cut"))
    payload.feed_eof()

    assert not reply.is_here
    with pytest.raises(UpstreamError, match="cut short"):
        _ = [chunk async for chunk in reply.chunks()]
