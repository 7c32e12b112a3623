"""The outbound side: bounded sends to our own origins, streamed back, no redirect followed.

aiohttp's ClientSession costs two to three times the rest of the path (performance.md), so only
its connector (pool, DNS, TLS) and its response parser are used, and the request is framed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import (
    BasicAuth,
    ClientError,
    ClientTimeout,
    ServerDisconnectedError,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from yarl import URL

from sidecar.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sidecar.http import HttpRequest, Origin, WholeReply, header_values
from sidecar.proxy.asking import ask
from sidecar.proxy.certificates import believed
from sidecar.proxy.dial import Dial
from sidecar.proxy.outgoing import render_head, split_url
from sidecar.proxy.replies import Replies
from sidecar.proxy.streamed import StreamedReply, told
from sidecar.proxy.upload import send_on
from sidecar.tasks import Supervisor

if TYPE_CHECKING:
    from sidecar.proxy.wires import Wires

HEAD_BYTES_MAX = 256 * 1024  # one header field of a response; the app gets smaller ones only
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})

# The http:// URL of the proxy that an origin is reached through; empty: none.
ProxyFor: TypeAlias = Callable[[Origin], str]


def directly(origin: Origin) -> str:
    """Through no proxy."""
    return ""


class HttpUpstream:
    """Sends to a closed set of origins through one pool; ``http.Upstream``."""

    def __init__(
        self,
        origins: frozenset[Origin],
        connector: TCPConnector,
        tasks: Supervisor,
        connect_wait_s: float,
        idle_s: float,
        proxy_for: ProxyFor = directly,
    ) -> None:
        self._connector = connector
        self._tasks = tasks
        self._idle_s = idle_s
        self._timeout = ClientTimeout(total=None, connect=connect_wait_s)
        # The connector wants a request to know whom to connect to; one for each origin does.
        self._targets: dict[Origin, ClientRequest] = {}
        self._by_prefix: dict[str, tuple[Origin, ClientRequest]] = {}
        self._wires: dict[ClientRequest, Wires] = {}
        self.replies = Replies()
        self._proxy_for = proxy_for
        self.allow(origins)

    def allow(self, origins: frozenset[Origin]) -> None:
        """Reach these from now on, too."""
        for origin in origins - self._targets.keys():
            target = self._targets[origin] = _target(origin, self._proxy_for(origin))
            self._by_prefix[str(origin)] = (origin, target)

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> StreamedReply | WholeReply:
        origin, target, path = self._find(request.url)
        head = render_head(request, origin, path, streamed=body is not None)
        wires = self._wires.get(target)
        if wires is None or body is not None or request.stored is not None:
            return await self._finish(request, head, None, wait_s, wait_s, body)
        came = await ask(wires, request.method, head + request.body, wait_s)
        if isinstance(came, WholeReply):
            return came
        begun, left_s = came
        return await self._finish(request, head, begun, wait_s, left_s, None)

    async def finish(
        self, request: HttpRequest, begun: Connection, *, wait_s: float, left_s: float
    ) -> StreamedReply:
        """The reply to what was written to this connection already, ``left_s`` before the end."""
        origin, _, path = self._find(request.url)
        head = render_head(request, origin, path, streamed=False)
        return await self._finish(request, head, begun, wait_s, left_s, None)

    def _find(self, url: str) -> tuple[Origin, ClientRequest, str]:
        """Where this URL leads, and the path there."""
        prefix, path = split_url(url)
        known = self._by_prefix.get(prefix)
        if known is not None:
            return *known, path
        origin = Origin.of(url)
        if origin not in self._targets:
            raise LocalProtocolError(f"{origin} is not an upstream of this route")
        return origin, self._targets[origin], path

    async def _finish(
        self,
        request: HttpRequest,
        head: bytes,
        begun: Connection | None,
        wait_s: float,
        left_s: float,
        body: AsyncIterator[bytes] | None,
    ) -> StreamedReply:
        origin, target, _ = self._find(request.url)
        if request.stored is not None:
            body = request.stored.chunks()
        try:
            async with asyncio.timeout(left_s) as limit:
                if body is not None:
                    body = _extending(body, limit, wait_s)
                reply = await self._converse(request, target, head, body, begun)
        except TimeoutError as fault:
            raise UpstreamTimeoutError(f"no answer from {origin} in {wait_s:g} s") from fault
        try:
            _check_redirect(reply, origin)
        except RemoteProtocolError:
            reply.close()
            raise
        return reply

    def borrow(self, origin: Origin, wires: Wires) -> None:
        """Use these, before a connection to the origin is made."""
        self._wires[self._targets[origin]] = wires

    def dial(self, origin: Origin) -> Dial:
        """How the fast lane is connected to one of the origins."""
        return Dial(self._connector, self._targets[origin], self._connect, self._timeout)

    async def _connect(self, target: ClientRequest) -> Connection:
        wires = self._wires.get(target)
        wire = None if wires is None else wires.take()
        if wire is not None:
            return wire.hand_over(b"")
        try:
            while True:
                connection = await self._connector.connect(target, [], self._timeout)
                protocol = connection.protocol
                if protocol is not None and not protocol.should_close:
                    return connection
                # It was sent something while it was idle, which would be read as our answer.
                connection.close()
        except (ClientError, OSError) as fault:
            raise UpstreamError(
                f"cannot connect to {target.url.origin()}: {str(fault) or 'timed out'}"
            ) from fault

    def expect(self, protocol: ResponseHandler, method: str) -> None:
        """Prepare for one answer to a request of this method."""
        protocol.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._idle_s,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
        )

    async def _converse(
        self,
        request: HttpRequest,
        target: ClientRequest,
        head: bytes,
        body: AsyncIterator[bytes] | None,
        begun: Connection | None,
    ) -> StreamedReply:
        """Connect, write, and read the head; once more where a kept connection had just died."""
        again = request.method in _REPEATABLE and body is None
        while True:
            connection, written = begun, begun is not None
            if connection is None:
                connection = await self._connect(target)
            begun, complete = None, False
            try:
                if not written:
                    reply = await self._one_round(request, connection, head, body)
                else:
                    reply = await _read_head(connection.protocol, connection, None)
                complete = True
                return reply
            except ServerDisconnectedError as fault:
                if not again:
                    raise UpstreamError(
                        f"{target.url.origin()} closed the connection without an answer"
                    ) from fault
                again = False
            except HttpProcessingError as fault:
                raise RemoteProtocolError(
                    f"{target.url.origin()} sent a malformed response: {told(fault)}"
                ) from fault
            except (ClientError, OSError) as fault:
                if isinstance(fault, TimeoutError):
                    raise
                raise UpstreamError(f"{target.url.origin()}: {told(fault)}") from fault
            finally:
                if not complete:
                    connection.close()

    async def _one_round(
        self,
        request: HttpRequest,
        connection: Connection,
        head: bytes,
        body: AsyncIterator[bytes] | None,
    ) -> StreamedReply:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise ServerDisconnectedError
        self.expect(protocol, request.method)
        upload: asyncio.Task[None] | None = None
        if body is None:
            transport.write(head + request.body)
        else:
            transport.write(head)
            declared = header_values(request.headers, "content-length")
            chunked = request.stored is None and not declared
            upload = self._tasks.spawn("upload", send_on(connection, body, chunked))
        return await _read_head(protocol, connection, upload)


def _target(origin: Origin, proxy: str) -> ClientRequest:
    """What the connector is asked to connect to."""
    url = URL(str(origin))
    trust = believed() if origin.scheme == "https" else True
    if not proxy:
        return ClientRequest("GET", url, ssl=trust)
    through = URL(proxy)
    login = None if through.user is None else BasicAuth(through.user, through.password or "")
    # An error names the proxy as it is told here, so its password is told apart.
    return ClientRequest("GET", url, ssl=trust, proxy=through.with_user(None), proxy_auth=login)


async def _read_head(
    protocol: ResponseHandler | None, connection: Connection, upload: asyncio.Task[None] | None
) -> StreamedReply:
    """The reply once its head is here; what was said before it (1xx) is dropped."""
    if protocol is None:
        raise ServerDisconnectedError
    settled = False
    try:
        message, payload = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, payload = await protocol.read()
        settled = True
    finally:
        if upload is not None and not settled:
            upload.cancel()
    return StreamedReply(message, payload, connection, upload)


async def _extending(
    body: AsyncIterator[bytes], limit: asyncio.Timeout, wait_s: float
) -> AsyncIterator[bytes]:
    """The body; the wait for an answer starts again with each piece of it that goes out."""
    loop = asyncio.get_running_loop()
    async for chunk in body:
        # An answer may come before the body's end; then nobody waits for it any more.
        with suppress(RuntimeError):
            limit.reschedule(loop.time() + wait_s)
        yield chunk


def _check_redirect(reply: StreamedReply, origin: Origin) -> None:
    """A redirect within the origin is the app's to see; another would take its credentials away."""
    if not 300 <= reply.status < 400:
        return
    for location in header_values(reply.headers, "location"):
        if location.startswith("/") and not location.startswith(("//", "/\\")):
            continue
        try:
            same = Origin.of(location) == origin
        except ValueError:
            same = not location.startswith(("/", "\\")) and ":" not in location
        if not same:
            raise RemoteProtocolError(f"{origin} redirects to another origin")
