"""How a request goes out: nothing in it may break a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.errors import LocalProtocolError
from sidecar.http import HttpRequest, Origin
from sidecar.proxy.outgoing import BegunHead, render_fields, render_head, split_url

URL = "https://vendor.example/v1/x?y=1"


def head(request: HttpRequest, streamed: bool = False) -> bytes:
    """The head as it goes out."""
    return render_head(request, Origin.of(request.url), split_url(request.url)[1], streamed)


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


OURS = (("X-A", "a"), ("Authorization", "Bearer ours"))
PAYMENT = ("X-PAYMENT", "e30=")


def test_begun() -> None:
    """A head that was begun ends with what was added, and is the one that is made anew."""
    request = HttpRequest("POST", URL, OURS, b"{}")
    begun = BegunHead.of("POST", URL, OURS)
    assert begun is not None
    known = replace(request, begun=begun)

    assert head(request) == head(known)
    assert head(replace(request, body=b"")) == head(replace(known, body=b""))
    assert head(request.with_headers(PAYMENT)) == head(known.with_headers(PAYMENT))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"url": "https://vendor.example/v1/z"},
        {"headers": OURS[:1]},
        {"headers": (("X-A", "b"), *OURS[1:])},
        {"headers": OURS[::-1]},
        {"headers": ()},
    ],
    ids=["method", "url", "fewer", "value", "order", "none"],
)
def test_begun_otherwise(change: dict[str, Any]) -> None:
    """Whatever was changed since it was begun goes out as it is now."""
    request = HttpRequest("POST", URL, OURS, b"{}", None, BegunHead.of("POST", URL, OURS))
    changed = replace(request, **change)

    assert head(replace(changed, begun=None)) == head(changed)


def test_in_place_of_ours() -> None:
    """What is added in place of a header leaves nothing of that in a head that was begun."""
    request = HttpRequest("POST", URL, OURS, b"{}", None, BegunHead.of("POST", URL, OURS))
    text = head(request.with_headers(("authorization", "Bearer new")))

    assert (False, True) == (b"ours" in text, b"\r\nauthorization: Bearer new\r\n" in text)


@pytest.mark.parametrize("value", ["a\rb", "a\nX-B: b", "€"])
def test_not_begun(value: str) -> None:
    """No head is begun with a value that would break its line, and none goes out with it."""
    broken = (("X-A", value),)
    begun = BegunHead.of("POST", URL, OURS)

    assert BegunHead.of("POST", URL, broken) is None
    with pytest.raises(LocalProtocolError):
        head(HttpRequest("POST", URL, (*OURS, *broken), b"", None, begun))
