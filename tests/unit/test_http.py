"""HTTP as values: headers, origins, and conversations held through a port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.http import (
    Exchange,
    Headers,
    HttpRequest,
    HttpResponse,
    Origin,
    Reply,
    end_to_end,
    gather,
    header_values,
    read_headers,
    read_whole,
    run_exchange,
)


class FakeReply:
    """A reply that has these chunks, and knows whether it was closed."""

    is_here = False

    def __init__(self, *chunks: bytes, status: int = 200, headers: Headers = ()) -> None:
        self.status = status
        self.headers = headers
        self.closed = False
        self._chunks = chunks

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    def close(self) -> None:
        self.closed = True


class FakeUpstream:
    """Answers in order, and keeps what it was asked."""

    def __init__(self, *replies: FakeReply) -> None:
        self.asked: list[tuple[HttpRequest, float]] = []
        self._replies = list(replies)

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        assert body is None
        self.asked.append((request, wait_s))
        return self._replies.pop(0)


HELLO = HttpRequest("GET", "http://x/hello")
BYE = HttpRequest("GET", "http://x/bye")


def conversation() -> Generator[HttpRequest, HttpResponse, list[HttpResponse]]:
    """Two questions; what it returns is both answers."""
    first = yield HELLO
    second = yield BYE
    return [first, second]


async def test_exchange() -> None:
    """Each request is sent within its time, and the conversation gets whole responses."""
    upstream = FakeUpstream(FakeReply(b"he", b"llo", headers=(("A", "b"),)), FakeReply(status=404))

    result = await run_exchange(upstream, conversation(), wait_s=3, body_bytes_max=5)

    assert [HttpResponse(200, (("A", "b"),), b"hello"), HttpResponse(404)] == result
    assert [(HELLO, 3), (BYE, 3)] == upstream.asked


async def test_silent_exchange() -> None:
    """A conversation that asks nothing sends nothing."""

    def silent() -> Exchange[str]:
        yield from ()
        return "done"

    upstream = FakeUpstream()

    assert "done" == await run_exchange(upstream, silent(), wait_s=3, body_bytes_max=5)
    assert [] == upstream.asked


async def test_large_body() -> None:
    """A body over the bound is the other side's fault, and its connection is let go."""
    reply = FakeReply(b"hel", b"lo!", b"never read")

    with pytest.raises(RemoteProtocolError, match="over 5 bytes"):
        await run_exchange(FakeUpstream(reply), conversation(), wait_s=3, body_bytes_max=5)
    assert reply.closed


async def test_read_whole() -> None:
    """A reply that was read whole is closed."""
    reply = FakeReply(b"x" * 5)

    assert HttpResponse(200, (), b"xxxxx") == await read_whole(reply, 5)
    assert reply.closed


@pytest.mark.parametrize(
    ("url", "origin", "text"),
    [
        ("https://api.example/v1", Origin("https", "api.example", 443), "https://api.example"),
        ("http://API.Example:80", Origin("http", "api.example", 80), "http://api.example"),
        (
            "http://127.0.0.1:8402/a?b",
            Origin("http", "127.0.0.1", 8402),
            "http://127.0.0.1:8402",
        ),
        ("https://[::1]:8443/", Origin("https", "::1", 8443), "https://[::1]:8443"),
        ("https://[::1]/", Origin("https", "::1", 443), "https://[::1]"),
        ("https://api.example:80/", Origin("https", "api.example", 80), "https://api.example:80"),
    ],
)
def test_origin(url: str, origin: Origin, text: str) -> None:
    """An origin is scheme, host and port, written with the port only where it is unusual."""
    assert origin == Origin.of(url)
    assert text == str(origin)


@pytest.mark.parametrize(
    "url", ["", "api.example", "/v1", "ftp://api.example", "https://", "http://x:99999"]
)
def test_no_origin(url: str) -> None:
    """What is not an absolute http or https URL has no origin."""
    with pytest.raises(ValueError, match=r"URL|Port"):
        Origin.of(url)


def test_header_values() -> None:
    """A header is found in any case, as often as it is there."""
    headers = (("A", "1"), ("b", "2"), ("a", "3"))

    assert ("1", "3") == header_values(headers, "a") == header_values(headers, "A")
    assert () == header_values(headers, "c")


def test_read_headers() -> None:
    """Headers are read as Latin-1, byte by byte."""
    raw = ((b"A", b"\xe9"), (b"b", b""))

    assert (("A", "\u00e9"), ("b", "")) == read_headers(raw)


def test_gather() -> None:
    """Some headers at once: in any case, all values in their order, and no others."""
    headers = (("A", "1"), ("b", "2"), ("a", "3"), ("C", "4"))

    assert {"a": ["1", "3"], "c": ["4"]} == gather(headers, frozenset({"a", "c", "d"}))


def test_with_headers() -> None:
    """An added header takes the place of those with its name, in any case."""
    request = HttpRequest("POST", "http://x", (("a", "1"), ("B", "2")), b"body")

    result = request.with_headers(("A", "3"), ("A", "4"))

    expected = HttpRequest("POST", "http://x", (("B", "2"), ("A", "3"), ("A", "4")), b"body")
    assert expected == result


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ],
)
def test_hop_by_hop(name: str) -> None:
    """Headers that are for one hop end there."""
    assert (("Accept", "*/*"),) == end_to_end(((name, "x"), ("Accept", "*/*")))


def test_connection() -> None:
    """Headers that Connection names, in any of its values, end with the hop."""
    headers = (
        ("Connection", "close, X-One"),
        ("connection", " x-two"),
        ("X-ONE", "1"),
        ("X-Two", "2"),
        ("X-Three", "3"),
    )

    assert (("X-Three", "3"),) == end_to_end(headers)


def test_also_drop() -> None:
    """A caller may name more headers that end here."""
    assert () == end_to_end((("Cookie", "a=b"),), also_drop=frozenset({"cookie"}))
