"""How a request goes out: nothing in it may break a line."""

from __future__ import annotations

import pytest

from sidecar.errors import LocalProtocolError
from sidecar.http import HttpRequest, Origin
from sidecar.proxy.outgoing import render_fields, render_head

URL = "https://vendor.example/v1/x?y=1"


def head(request: HttpRequest, streamed: bool = False) -> bytes:
    """The head as it goes out."""
    return render_head(request, Origin.of(URL), "/v1/x?y=1", streamed)


def test_framing_is_ours() -> None:
    """Host and framing are never the app's; a method with a body says its length even of none."""
    theirs = (("Host", "h"), ("Content-Length", "9"), ("Connection", "x"), ("X-A", "a"))

    start = b"POST /v1/x?y=1 HTTP/1.1\r\nHost: vendor.example\r\nX-A: a\r\n"
    assert start + b"Content-Length: 0\r\n\r\n" == head(HttpRequest("POST", URL, theirs))
    assert b"Content-Length" not in head(HttpRequest("GET", URL))
    assert b"Content-Length: 2\r\n" in head(HttpRequest("GET", URL, (), b"ab"))


def test_streamed() -> None:
    """A body on its way is framed by the length that was declared, or by chunks."""
    measured = HttpRequest("POST", URL, (("Content-Length", "7"),))

    assert head(measured, streamed=True).endswith(b"\r\nContent-Length: 7\r\n\r\n")
    assert head(HttpRequest("POST", URL), streamed=True).endswith(
        b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    )


@pytest.mark.parametrize("value", ["a\rb", "a\nX-B: b", "a\r\nX-B: b", "a\r\n", "a\0b", "€"])
def test_broken_lines(value: str) -> None:
    """A value that would break its line is a fault of ours, not a second field."""
    with pytest.raises(LocalProtocolError):
        render_fields((("X-A", value),))
