"""App connections that take the lane, before and when the parser is needed."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web as aiohttp_web

from sidecar.proxy import web
from sidecar.proxy.ahead import PIECES_MAX
from sidecar.proxy.boarding import BoardingConnection, BoardingServer, Passing
from sidecar.proxy.calls import Asked
from sidecar.proxy.connection import Connection
from sidecar.proxy.server import ServerLimits

LIMITS = ServerLimits(8, 16_384, header_wait_s=5, keepalive_s=5)
LINE = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"


class Transport:
    """A transport that only remembers what was written, on a socket of this family."""

    def __init__(self, family: socket.AddressFamily, user: int = 0) -> None:
        self._end = SimpleNamespace(family=family, getsockopt=lambda *_: _credentials(user))
        self.written = b""
        self.closed = False
        self.reads = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._end if name == "socket" else default

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Ride:
    """A request on the lane that stays there."""

    def __init__(self, connection: BoardingConnection) -> None:
        self._connection = connection

    def more(self, data: bytes) -> bool:
        return False

    def app_gone(self) -> None:
        self._connection.leave()

    def app_slow(self) -> None:
        pass

    def app_ready(self) -> None:
        pass


class Lane:
    """Takes everything or nothing, and says what it was asked with."""

    def __init__(self, asked: Asked | None = None) -> None:
        self.takes = True
        self.known: list[Asked | None] = []
        self.asked = asked

    def take(self, connection: BoardingConnection, data: bytes) -> bool:
        self.known.append(connection.last)
        if self.takes:
            connection.last = self.asked
            connection.enter(cast(Passing, Ride(connection)))
        return self.takes


def made(server: BoardingServer, transport: Transport) -> BoardingConnection:
    """A connection that has just come in."""
    connection = server()
    assert isinstance(connection, BoardingConnection)
    connection.connection_made(cast(asyncio.Transport, transport))
    return connection


def serving(lane: Lane) -> BoardingServer:
    """A server that answers with nothing."""
    return BoardingServer(nothing, LIMITS, emit=lambda event: None, express=lane)


async def nothing(request: web.BaseRequest) -> web.StreamResponse:
    """An empty answer."""
    return aiohttp_web.Response()


async def test_parser_comes_late() -> None:
    """A connection has no parser while only the lane was asked, and has one for other bytes."""
    lane = Lane()
    transport = Transport(socket.AF_INET)
    connection = made(serving(lane), transport)
    connection.data_received(LINE)
    on_lane = connection._parser
    connection.leave()
    lane.takes = False
    connection.data_received(LINE)
    in_parser = connection._parser
    await asyncio.sleep(0.01)

    assert on_lane is None
    assert in_parser is not None
    assert transport.written.startswith(b"HTTP/1.1 200 ")


async def test_parser_keeps_what_was() -> None:
    """What has happened to a connection holds when the parser comes: who waits, waits on."""
    lane = Lane()
    transport = Transport(socket.AF_INET)
    connection = made(serving(lane), transport)
    connection.data_received(LINE)
    connection.leave()
    idle = connection._keepalive_handle
    ends_s = connection._next_keepalive_close_time
    connection.pause_writing()
    lane.takes = False
    connection.data_received(LINE)

    assert idle is not None
    assert (idle, ends_s) == (connection._keepalive_handle, connection._next_keepalive_close_time)
    assert connection.is_paused
    assert transport is cast(object, connection.transport)

    connection.resume_writing()

    assert not connection.is_paused


async def test_nothing_after_it_closes() -> None:
    """A connection that is to end with what is on the lane takes nothing else, parser or not."""
    lane = Lane()
    transport = Transport(socket.AF_INET)
    connection = made(serving(lane), transport)
    connection.data_received(LINE)
    connection.close()
    connection.data_received(LINE)
    connection.leave()
    connection.data_received(LINE)
    await asyncio.sleep(0.01)

    assert transport.closed
    assert (b"", 1) == (transport.written, len(lane.known))


async def test_many_pieces_ahead() -> None:
    """An app that sends on and on in small pieces is held up, too; then all are answered."""
    lane = Lane()
    transport = Transport(socket.AF_INET)
    connection = made(serving(lane), transport)
    connection.data_received(LINE)
    count, reading = 10, []
    for byte in LINE * count:
        connection.data_received(bytes((byte,)))
        reading.append(transport.reads)
    lane.takes = False
    connection.leave()
    await asyncio.sleep(0.01)

    assert [True] * PIECES_MAX + [False] * (count * len(LINE) - PIECES_MAX) == reading
    assert (True, count) == (transport.reads, transport.written.count(b"HTTP/1.1 200 "))


async def test_gone_leaves_nothing() -> None:
    """An app that hangs up with more sent ahead leaves neither a timer nor a task."""
    connection = made(serving(Lane()), Transport(socket.AF_INET))
    tasks = asyncio.all_tasks()
    connection.data_received(LINE)
    connection.data_received(LINE)
    connection.connection_lost(None)

    assert connection._keepalive_handle is None
    assert tasks == asyncio.all_tasks()


async def test_made_ahead() -> None:
    """The connection that is made when one ends is given out once, and knows nothing of that."""
    lane = Lane(cast(Asked, SimpleNamespace(call=SimpleNamespace(user=1000))))
    server = serving(lane)
    ended = made(server, Transport(socket.AF_INET))
    ended.data_received(LINE)
    ended.leave()
    ended.connection_lost(None)
    several = [server() for _ in range(3)]

    assert 4 == len({ended, *several})
    assert [server] * 3 == [each._manager for each in several if isinstance(each, Connection)]
    assert not [each for each in several if each.transport or each._keepalive_handle]
    assert [None] * 3 == [each.last for each in several if isinstance(each, BoardingConnection)]


@pytest.mark.parametrize(
    ("count", "closed"), [(LIMITS.connections_max, False), (LIMITS.connections_max + 1, True)]
)
async def test_as_many_as_allowed(count: int, closed: bool) -> None:
    """A connection is one too many by those that are open as it comes in, whenever it was made."""
    server = serving(Lane())
    made(server, Transport(socket.AF_INET)).connection_lost(None)
    transports = [Transport(socket.AF_INET) for _ in range(count)]
    for transport in transports:
        made(server, transport)

    assert [False] * (count - 1) + [closed] == [each.closed for each in transports]


@pytest.mark.parametrize(
    ("user", "known"), [(1000, True), (1001, False)], ids=["the same user", "another"]
)
async def test_asks_as_before(user: int, known: bool) -> None:
    """What was asked on the connection before is known to the next, of the same user only."""
    call: Any = SimpleNamespace(user=1000)
    asked = cast(Asked, SimpleNamespace(call=call))
    lane = Lane(asked)
    server = serving(lane)
    first = made(server, Transport(socket.AF_UNIX, 1000))
    first.data_received(LINE)
    first.connection_lost(None)
    made(server, Transport(socket.AF_UNIX, user)).data_received(LINE)

    assert [None, asked if known else None] == lane.known


def _credentials(user: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in (1, user, 1))
