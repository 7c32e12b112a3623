"""How the fast lane is connected to an origin, and how such a connection becomes aiohttp's.

To one address, without TLS or a proxy, the loop connects. aiohttp's connector takes 12 KB for each
attempt while it lasts, and 3 KB afterwards for a protocol and a parser that the lane does not use.
It makes all others, resolves all names, and what it kept is used first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

from aiohttp import ClientConnectorDNSError, ClientConnectorError, ClientTimeout, TCPConnector
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection

from sidecar.errors import UpstreamError


class Dial:
    """The ways to one origin. An attempt has ``wait_s``; whoever waits for it sees to that."""

    def __init__(
        self,
        connector: TCPConnector,
        target: ClientRequest,
        connect: Callable[[ClientRequest], Awaitable[Connection]],
        timeout: ClientTimeout,
    ) -> None:
        self.wait_s = timeout.connect or inf
        self._connector = connector
        self._target = target
        self._connect = connect
        self._is_plain = not target.is_ssl() and target.proxy is None
        self._loop = asyncio.get_running_loop()  # noqa: TID251  # it connects

    async def open(self, protocol: asyncio.Protocol) -> None:
        """Connect this protocol. UpstreamError where there is no connection to be had."""
        kept = self._target.connection_key in self._connector._conns
        address = await self._only_address() if self._is_plain and not kept else None
        if address is None:
            self._take(await self._connect(self._target), protocol)
            return
        try:
            await self._loop.create_connection(lambda: protocol, *address)
        except OSError as fault:
            raise self._refused(ClientConnectorError, fault) from fault

    def lend(self, transport: asyncio.Transport) -> Connection:
        """The transport as a connection of the connector's, whose protocol does not hear yet."""
        connector = self._connector
        handler = connector._factory()
        handler.transport = transport
        connector._acquired.add(handler)
        return Connection(connector, self._target.connection_key, handler, self._loop)

    def _take(self, connection: Connection, protocol: asyncio.Protocol) -> None:
        """Take its transport from the connector's connection."""
        handler, transport = connection.protocol, connection.transport
        if handler is None or transport is None:
            raise self.unasked()
        self._connector._release_acquired(self._target.connection_key, handler)
        connection._protocol = None
        transport.set_protocol(protocol)
        protocol.connection_made(transport)

    def unasked(self) -> UpstreamError:
        """The fault of an upstream that is connected, and does not wait for a request."""
        return UpstreamError(f"{self._target.url.origin()} closed the connection without an answer")

    async def _only_address(self) -> tuple[str, int] | None:
        """Where the origin is; None where it is in several places, of which one may be down."""
        url = self._target.url
        assert url.raw_host is not None
        assert url.port is not None
        try:
            hosts = await self._connector._resolve_host(url.raw_host, url.port)
        except OSError as fault:
            raise self._refused(ClientConnectorDNSError, fault) from fault
        return (hosts[0]["host"], hosts[0]["port"]) if len(hosts) == 1 else None

    def _refused(self, kind: type[ClientConnectorError], fault: OSError) -> UpstreamError:
        """In the connector's words."""
        told = kind(self._target.connection_key, fault)
        return UpstreamError(f"cannot connect to {self._target.url.origin()}: {told}")
