"""HTTP as values, and a conversation as a generator.

An ``Exchange[T]`` yields requests, is sent the responses, and returns a ``T``. It holds no
session and does no IO, so a test drives it with ``next()`` and ``.send()``, and nothing written
as one can pay, block or leak: ``Upstream`` decides what may leave.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from dataclasses import field
from itertools import repeat
from operator import itemgetter
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

from sidecar.errors import RemoteProtocolError
from sidecar.values import dataclass

Header: TypeAlias = tuple[str, str]
Headers: TypeAlias = tuple[Header, ...]

# RFC 9110 7.6.1, and what older peers treat so.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what a credential belongs to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute http or https URL; ValueError when it has none."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"not an absolute http(s) URL: {url!r}")
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])

    @property
    def host_header(self) -> str:
        """The Host header for this origin: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}"


_DEFAULT_PORTS = {"http": 80, "https": 443}


class Stored(Protocol):
    """A body that is kept elsewhere, for memory is too dear; it is sent as often as wanted."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """All of it. OSError when it cannot be had any more."""
        ...


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request; the port adds Host and the framing to its headers.

    ``stored`` is its body in place of ``body``, where that is a large one.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    stored: Stored | None = None
    # How ``proxy.outgoing`` has written it but for what was added to it, where that is kept.
    begun: Any = field(default=None, compare=False, repr=False)

    def with_headers(self, *added: Header) -> HttpRequest:
        """The same request, with these headers in place of any that have their names."""
        kept = self.headers
        for name, _ in added:
            if name.lower() in lowered_names(kept):
                kept = _without(kept, name)
        return HttpRequest(self.method, self.url, kept + added, self.body, self.stored, self.begun)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response that was read whole."""

    status: int
    headers: Headers = ()
    body: bytes = b""


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Headers as a parser has them: any byte is a character of Latin-1."""
    return tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw])


def split_lines(lines: Sequence[str]) -> Headers:
    """Header lines that were found to be well-formed, as values."""
    parted = map(str.partition, lines, repeat(":"))
    return tuple([(name, value.removeprefix(" ")) for name, _, value in parted])


def lowered_names(headers: Sequence[Header]) -> Iterator[str]:
    """The names, in lower case. Nearly always it is asked whether one is there that is not."""
    return map(str.lower, map(itemgetter(0), headers))


def header_values(headers: Sequence[Header], name: str) -> tuple[str, ...]:
    """Every value that goes by this name, in order; the case of names does not matter."""
    lowered, size = name.lower(), len(name)
    found: list[str] = []
    for key, value in headers:
        # Most names are of another length, and to lower one takes six times as long as to see that.
        if len(key) == size and key.lower() == lowered:
            found.append(value)
    return tuple(found)


def _without(headers: Headers, name: str) -> Headers:
    lowered = name.lower()
    return tuple([header for header in headers if header[0].lower() != lowered])


def gather(headers: Headers, names: frozenset[str]) -> dict[str, list[str]]:
    """The values of these headers, in one pass; ``names`` are in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered in names:
            found.setdefault(lowered, []).append(value)
    return found


def named_in_connection(headers: Sequence[Header]) -> frozenset[str]:
    """The names, in lower case, that Connection lists: those headers do not outlive the hop."""
    values = header_values(headers, "connection")
    if not values:
        return frozenset()
    return frozenset(token.strip().lower() for value in values for token in value.split(","))


def end_to_end(headers: Headers, also_drop: frozenset[str] = frozenset()) -> Headers:
    """The headers that outlive a hop: without hop-by-hop ones and those that Connection names."""
    listed = named_in_connection(headers)
    return tuple(
        [
            header
            for header in headers
            if (name := header[0].lower()) not in HOP_BY_HOP
            and name not in also_drop
            and name not in listed
        ]
    )


T = TypeVar("T")
Exchange: TypeAlias = Generator[HttpRequest, HttpResponse, T]


class Reply(Protocol):
    """A response whose body is still on its way. Whoever holds it closes it."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def is_here(self) -> bool:
        """Whether all of it has come, so that nobody who reads it has to wait."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, undecoded. UpstreamError when it is cut short."""
        ...

    def close(self) -> None:
        """Stop reading. A body that was not read to its end costs the connection."""
        ...


@dataclass(frozen=True, slots=True)
class WholeReply:
    """A response that was read already, as a ``Reply``."""

    response: HttpResponse

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Headers:
        return self.response.headers

    @property
    def is_here(self) -> bool:
        return True

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.response.body:
            yield self.response.body

    def close(self) -> None:
        """Nothing is open."""


class Upstream(Protocol):
    """The port that sends: to its own origins only, never following a redirect."""

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        """Send, and return when the response's head is here, within ``wait_s`` seconds.

        ``body`` replaces ``request.body`` by a stream; its length is the request's
        Content-Length header if there is one, and it goes chunked if there is none.
        Raises UpstreamError, UpstreamTimeoutError, RemoteProtocolError; LocalProtocolError
        when the request is for a foreign origin.
        """
        ...


async def run_exchange(
    upstream: Upstream, exchange: Exchange[T], *, wait_s: float, body_bytes_max: int
) -> T:
    """Hold the conversation, each step bounded in time and size, and return what it returns."""
    try:
        request = next(exchange)
        while True:
            reply = await upstream.send(request, wait_s=wait_s)
            request = exchange.send(await read_whole(reply, body_bytes_max))
    except StopIteration as done:
        result: T = done.value
        return result


async def read_whole(reply: Reply, body_bytes_max: int) -> HttpResponse:
    """Read a bounded body, and close. RemoteProtocolError when it is larger."""
    if isinstance(reply, WholeReply):
        if len(reply.response.body) > body_bytes_max:
            raise RemoteProtocolError(f"a body of over {body_bytes_max} bytes")
        return reply.response
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in reply.chunks():
            size += len(chunk)
            if size > body_bytes_max:
                raise RemoteProtocolError(f"a body of over {body_bytes_max} bytes")
            parts.append(chunk)
    finally:
        reply.close()
    return HttpResponse(reply.status, reply.headers, b"".join(parts))
