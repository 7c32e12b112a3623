"""A listening port, or a Unix socket: from its first connection to its last."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial

from sidecar.proxy import web

BACKLOG = 1024
# What a request that is cut may still take to say so.
CUT_WAIT_S = 1.0
# aiohttp takes no time at all for no limit.
AT_ONCE_S = 0.001
# Apps that are gone without a word are noticed: a connection has this from where it came in.
_KEEP_ALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Listener:
    """A listening port, or a Unix socket.

    ``port`` is the one that the system gave where 0 was asked for; 0 where there is none.
    """

    def __init__(self, server: web.Server, sockets: asyncio.Server, port: int) -> None:
        self._server = server
        self._sockets = sockets
        self.port = port

    @classmethod
    async def open(cls, server: web.Server, host: str, port: int) -> Listener:
        """Listen. OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()  # noqa: TID251  # which listens
        sockets = await loop.create_server(server, host, port, backlog=BACKLOG)
        for each in sockets.sockets:
            each.setsockopt(*_KEEP_ALIVE)
        return cls(server, sockets, sockets.sockets[0].getsockname()[1])

    @classmethod
    async def open_on(cls, server: web.Server, bound: socket.socket) -> Listener:
        """Listen on a socket that has its place already."""
        loop = asyncio.get_running_loop()  # noqa: TID251  # which listens
        if bound.family == socket.AF_UNIX:
            sockets = await loop.create_unix_server(server, sock=bound, backlog=BACKLOG)
            return cls(server, sockets, 0)
        bound.setsockopt(*_KEEP_ALIVE)
        sockets = await loop.create_server(server, sock=bound, backlog=BACKLOG)
        return cls(server, sockets, bound.getsockname()[1])

    async def drain(self) -> None:
        """Take no more connections, close the idle ones, and come back once the others ended."""
        self._sockets.close()
        while True:
            self._server.pre_shutdown()
            handlers = self._handlers()
            for connection, handler in handlers.items():
                # aiohttp stops to listen to an idle one, and leaves it open.
                handler.add_done_callback(partial(_let_go, connection))
            if not handlers:
                return
            await asyncio.wait(handlers.values())

    async def close(self, wait_s: float) -> None:
        """Drain for this long, then cut what is left. Nothing that is cut looks whole."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.drain()
        handlers = self._handlers().values()
        for handler in handlers:
            handler.cancel()
        if handlers:
            await asyncio.wait(handlers, timeout=CUT_WAIT_S)
        await self._server.shutdown(AT_ONCE_S)

    def _handlers(self) -> dict[web.RequestHandler, asyncio.Task[None]]:
        """The task of each connection that has not ended."""
        tasks = {each: each._task_handler for each in self._server.connections}
        return {each: task for each, task in tasks.items() if task and not task.done()}


def _let_go(connection: web.RequestHandler, handler: asyncio.Task[None]) -> None:
    connection.force_close()
