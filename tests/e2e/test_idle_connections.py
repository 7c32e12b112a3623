"""Connections that nobody asks on: they end in time, and cost no more than they must."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
from aiohttp import web

from sidecar.proxy.listener import Listener
from sidecar.proxy.server import ProxyServer
from tests.e2e.lane_ends import OK, call, until
from tests.world.plain_proxy import SERVER_LIMITS
from tests.world.raw_scene import between, scene
from tests.world.raw_upstream import raw_app

# Whatever ends a connection here is not its first head.
BRIEF = replace(SERVER_LIMITS, header_wait_s=600.0, keepalive_s=0.3)
HANDLER = "RequestHandler.start"


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "around"])
async def test_ends(lane: bool) -> None:
    """After its last answer a connection is kept for as long as it is told, and then closed."""
    async with scene(server_limits=BRIEF, fast_lane=lane) as (world, upstream, app):
        answers = []
        other = None
        for _ in range(2):
            app.say(call(world))
            other = other or await upstream.connection()
            await other.request()
            other.say(OK)
            answers.append(await app.answer())
        rest = await app.rest()

    assert [OK, OK] == answers
    assert b"" == rest


async def test_no_task() -> None:
    """A connection has no task of aiohttp's before there is something for the parser."""
    async with (
        between() as (world, upstream),
        raw_app(world.port) as silent,
        raw_app(world.port) as app,
    ):
        app.say(call(world))
        other = await upstream.asked()
        on_lane = handlers()
        other.say(OK)
        await app.answer()
        app.say(call(world).replace(b" HTTP/1.1", b" HTTP/1.0", 1))
        await other.request()
        in_parser = handlers()
        silent.writer.close()

    assert 0 == on_lane
    assert 1 == in_parser


@pytest.mark.parametrize("bound", [False, True], ids=["opened here", "handed in"])
async def test_noticed_when_gone(bound: bool) -> None:
    """The system asks after an app that says nothing for hours: its machine may be gone."""
    server = ProxyServer(nothing, SERVER_LIMITS, emit=lambda event: None)
    if bound:
        listener = await Listener.open_on(server, socket.create_server(("127.0.0.1", 0)))
    else:
        listener = await Listener.open(server, "127.0.0.1", 0)
    async with raw_app(listener.port):
        await until(lambda: bool(server.connections))
        (transport,) = server._connections.values()
        own = transport.get_extra_info("socket")
        asks = own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    await listener.close(1)

    assert 1 == asks


async def nothing(request: web.BaseRequest) -> web.Response:
    """The answer to requests that do not come."""
    return web.Response()


def handlers() -> int:
    """How many tasks of aiohttp's server there are."""
    return sum(HANDLER in repr(task.get_coro()) for task in asyncio.all_tasks())
