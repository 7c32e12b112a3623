"""The outbound side: bounded sends to our own origins, streamed back, no redirect followed.

aiohttp's ClientSession costs two to three times the rest of the path (performance.md), so only
its connector (pool, DNS, TLS) and its response parser are used, and the request is framed here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import ClientError, ClientTimeout, ServerDisconnectedError, TCPConnector
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from sidecar.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sidecar.http import Headers, HttpRequest, Origin, header_values
from sidecar.tasks import Supervisor

HEAD_BYTES_MAX = 256 * 1024  # one header field of a response; the app gets smaller ones only
FAULT_CHARS_MAX = 200
# How it sets its quotation off; in a fault within a fault that is escaped.
_QUOTE = re.compile(r"\n\n|\\n\\n|b['\"]")
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NOT_OURS_TO_SEND = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class StreamedReply:
    """A response whose body is still arriving; ``http.Reply``."""

    __slots__ = ("_connection", "_payload", "_upload", "headers", "status")

    def __init__(
        self,
        message: RawResponseMessage,
        payload: StreamReader,
        connection: Connection,
        upload: asyncio.Task[None] | None,
    ) -> None:
        self.status = message.code
        self.headers: Headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.raw_headers
        )
        self._payload = payload
        self._connection = connection
        self._upload = upload

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._payload.readany():
                yield chunk
        except TimeoutError as fault:
            raise UpstreamTimeoutError("the upstream went silent in its response") from fault
        except (ClientError, OSError, HttpProcessingError) as fault:
            raise UpstreamError(f"the upstream's response was cut short: {_told(fault)}") from fault
        self.close()

    def close(self) -> None:
        uploading = self._upload is not None and not self._upload.done()
        # A body that was not read, or sent, to its end would be taken for the next message.
        if self._payload.is_eof() and not uploading:
            self._connection.release()
            return
        if self._upload is not None:
            self._upload.cancel()
        self._connection.close()


class HttpUpstream:
    """Sends to a closed set of origins through one pool; ``http.Upstream``."""

    def __init__(
        self,
        origins: frozenset[Origin],
        connector: TCPConnector,
        tasks: Supervisor,
        connect_wait_s: float,
        idle_s: float,
    ) -> None:
        self._connector = connector
        self._tasks = tasks
        self._idle_s = idle_s
        self._timeout = ClientTimeout(total=None, connect=connect_wait_s)
        # The connector wants a request to know whom to connect to; one for each origin does.
        self._targets = {origin: ClientRequest("GET", URL(str(origin))) for origin in origins}
        self._by_prefix = {str(origin): (origin, self._targets[origin]) for origin in origins}

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> StreamedReply:
        prefix, path = _split(request.url)
        known = self._by_prefix.get(prefix)
        if known is None:
            origin = Origin.of(request.url)
            if origin not in self._targets:
                raise LocalProtocolError(f"{origin} is not an upstream of this route")
            known = (origin, self._targets[origin])
        origin, target = known
        head = _render_head(request, origin, path, streamed=body is not None)
        try:
            async with asyncio.timeout(wait_s) as limit:
                if body is not None:
                    body = _extending(body, limit, wait_s)
                reply = await self._converse(request, target, head, body)
        except TimeoutError as fault:
            raise UpstreamTimeoutError(f"no answer from {origin} in {wait_s:g} s") from fault
        try:
            _check_redirect(reply, origin)
        except RemoteProtocolError:
            reply.close()
            raise
        return reply

    async def _converse(
        self,
        request: HttpRequest,
        target: ClientRequest,
        head: bytes,
        body: AsyncIterator[bytes] | None,
    ) -> StreamedReply:
        """Connect, write, and read the head; once more where a kept connection had just died."""
        again = request.method in _REPEATABLE and body is None
        while True:
            try:
                connection = await self._connector.connect(target, [], self._timeout)
            except (ClientError, OSError) as fault:
                raise UpstreamError(
                    f"cannot connect to {target.url.origin()}: {str(fault) or 'timed out'}"
                ) from fault
            complete = False
            try:
                reply = await self._one_round(request, connection, head, body)
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
                    f"{target.url.origin()} sent a malformed response: {_told(fault)}"
                ) from fault
            except (ClientError, OSError) as fault:
                if isinstance(fault, TimeoutError):
                    raise
                raise UpstreamError(f"{target.url.origin()}: {_told(fault)}") from fault
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
        protocol.set_response_params(
            skip_payload=request.method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._idle_s,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
        )
        upload: asyncio.Task[None] | None = None
        if body is None:
            transport.write(head + request.body)
        else:
            transport.write(head)
            chunked = not header_values(request.headers, "content-length")
            upload = self._tasks.spawn("upload", self._upload(connection, body, chunked))
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

    async def _upload(
        self, connection: Connection, body: AsyncIterator[bytes], chunked: bool
    ) -> None:
        """Send a body as the app sends it, no faster than the upstream takes it."""
        try:
            async for chunk in body:
                protocol, transport = connection.protocol, connection.transport
                if protocol is None or transport is None:
                    return
                if chunked:
                    transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                else:
                    transport.write(chunk)
                await protocol._drain_helper()
            if chunked and connection.transport is not None:
                connection.transport.write(b"0\r\n\r\n")
        except (ClientError, OSError, TimeoutError):
            # The app went away, or the upstream did: half a body must never look whole.
            connection.close()


def _told(fault: Exception) -> str:
    """What went wrong, without the bytes that aiohttp's parser quotes: they may repeat ours."""
    text = fault.message if isinstance(fault, HttpProcessingError) else str(fault)
    reason = _QUOTE.split(text, maxsplit=1)[0]
    return " ".join(reason.split())[:FAULT_CHARS_MAX].rstrip(":")


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


def _split(url: str) -> tuple[str, str]:
    """Origin prefix and request target of an absolute URL."""
    end = url.find("/", len("https://"))
    return (url, "/") if end < 0 else (url[:end], url[end:])


def _render_head(request: HttpRequest, origin: Origin, path: str, streamed: bool) -> bytes:
    """The request's head with our framing. LocalProtocolError if a field would break it."""
    lines = [f"{request.method} {path} HTTP/1.1", f"Host: {origin.host_header}"]
    lines += [
        f"{name}: {value}"
        for name, value in request.headers
        if name.lower() not in _NOT_OURS_TO_SEND
    ]
    if streamed:
        lengths = header_values(request.headers, "content-length")
        lines.append(f"Content-Length: {lengths[0]}" if lengths else "Transfer-Encoding: chunked")
    elif request.body or request.method in _WITH_BODY:
        lines.append(f"Content-Length: {len(request.body)}")
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise LocalProtocolError("a header value with a line break")
    try:
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as fault:
        raise LocalProtocolError("a header value outside latin-1") from fault


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
