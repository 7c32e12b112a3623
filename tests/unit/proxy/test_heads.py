"""Which heads the fast lane reads, and which it leaves to the parser."""

from __future__ import annotations

import pytest

from sidecar.http import Header
from sidecar.proxy.framing import bytes_of_request
from sidecar.proxy.heads import (
    AnswerHead,
    Framed,
    Lines,
    RequestHead,
    cut_length,
    read_answer,
    read_request,
)
from sidecar.proxy.memo import Memo

LINE = b"POST /v1/x?y=1 HTTP/1.1\r\n"


def rendered(header: Header) -> bytes:
    """A field as its line, and nothing for those that do not cross."""
    return b"" if header[0] == "X-Stays" else f"{header[0]}={header[1]};".encode()


def request(head: bytes, measured: bool) -> tuple[RequestHead, bytes] | None:
    """What decides in this head, and what of it crosses."""
    first, *lines = head.split(b"\r\n")
    both = Lines(rendered, frozenset({"host"})).sort(lines)
    read = None if both is None else read_request(first, both[0], measured)
    return None if both is None or read is None else (read, b"".join(both[1]))


def answer(head: bytes, measured: bool) -> AnswerHead | None:
    """What decides in this answer's head."""
    first, *lines = head.split(b"\r\n")
    both = Lines(rendered, frozenset()).sort(lines)
    return None if both is None else read_answer(first, both[0], measured)


def test_ordinary_request() -> None:
    """A plain head is read for what decides, and the rest crosses line by line."""
    head = LINE + b"Host: h\r\nX-Stays: 1\r\nX-Empty:\r\nContent-Length: "

    deciding = RequestHead("POST", "/v1/x?y=1", (("Host", "h"), ("Content-Length", "")))
    assert (deciding, b"Host=h;X-Empty=;Content-Length=;") == request(head, measured=True)


def test_each_line_once() -> None:
    """A line is rendered when it first comes, and found after that."""
    asked: list[Header] = []

    def counted(header: Header) -> bytes:
        asked.append(header)
        return b"x"

    lines = Lines(counted, frozenset())
    for trace in (b"1", b"2", b"3"):
        lines.sort([b"Host: h", b"User-Agent: a", b"traceparent: " + trace])

    traces = [("traceparent", trace) for trace in "123"]
    assert [("Host", "h"), ("User-Agent", "a"), *traces] == asked


@pytest.mark.parametrize(
    "head",
    [
        b"BREW / HTTP/1.1\r\nHost: h",
        b"HEAD / HTTP/1.1\r\nHost: h",
        b"GET / HTTP/1.0\r\nHost: h",
        b"GET * HTTP/1.1\r\nHost: h",
        b"GET http://h/ HTTP/1.1\r\nHost: h",
        LINE + b"Host: h\r\nHost: h",
        LINE + b"Host: h\r\n folded",
        LINE + b"Host : h",
        LINE + b"Host: h\r\nX: a\0b",
        LINE + b"Host: h\r\nX: a\nb",
        LINE + b"Host: h\r\nX: \xe9",
        LINE + b"Host: h\r\nContent-Length: 5",
        LINE + b"Host: h\r\nTransfer-Encoding: chunked",
        LINE + b"Host: h\r\nExpect: 100-continue",
        LINE + b"Host: h\r\nUpgrade: h2c",
        LINE + b"Host: h\r\nConnection: close",
        LINE + b"Host: h\r\nConnection: keep-alive, X",
        LINE + b"\r\n".join([b"X: y"] * 101),
    ],
)
def test_left_to_the_parser(head: bytes) -> None:
    """Whatever could be read in two ways, or decides on more than itself, is not read here."""
    assert request(head, measured=False) is None


def test_second_length() -> None:
    """A second Content-Length is not hidden by the first one's having been cut out."""
    head = LINE + b"Host: h\r\nContent-Length: \r\ncontent-length: 3"

    assert request(head, measured=True) is None


@pytest.mark.parametrize("digits", [b"", b"+5", b"5 ", b"0x5", b"5,5", b"9" * 16, "٣".encode()])
def test_odd_digits(digits: bytes) -> None:
    """Only plain digits are cut out of a head."""
    head = LINE + b"Content-Length: " + digits

    assert cut_length(head) is None


@pytest.mark.parametrize("behind", [b"", b"\r\nHost: h"])
def test_framed(behind: bytes) -> None:
    """A head that came is known again whatever its length is, and no other one is taken for it."""
    cut = cut_length(LINE + b"Content-Length: 5" + behind)

    assert cut is not None
    framed = Framed(cut[0], cut[1])

    assert b"1046" == framed.digits(LINE + b"Content-Length: 1046" + behind)
    for other in (
        LINE + b"Content-Length: " + behind,
        LINE + b"Content-Length: +5" + behind,
        LINE + b"Content-Length: " + b"9" * 16 + behind,
        LINE + b"Content-Length: 5\r\nX: y" + behind,
        LINE + b"X: y\r\nContent-Length: 5" + behind,
        LINE + b"Content-Length: 5\r\nHost: x",
        LINE + b"Content-Length: 5" + behind + b"\r\nContent-Length: 6",
    ):
        assert b"" == framed.digits(other)


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked\r\nConnection: X-Hop",
        b"Transfer-Encoding: chunked\r\nConnection: close\r\nClose: 1",
    ],
)
def test_answers_left_to_the_parser(fields: bytes) -> None:
    """An answer whose end is not plain is not read here."""
    assert answer(b"HTTP/1.1 200 OK\r\n" + fields, measured=False) is None


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", 42),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", -1),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody", -1),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", -1),
        (b"POST / HTTP/1.1\r\n", -1),
    ],
)
def test_bytes_of_request(given: bytes, size: int) -> None:
    """A request's size is its head's and what that declares; unknown where it is not plain."""
    assert size == bytes_of_request(given)


def test_forgets_what_is_not_asked_for() -> None:
    """What is remembered is bounded: what is asked for stays, and the rest goes."""
    memo: Memo[str, int] = Memo(2)
    for number, key in enumerate("abcdef"):
        memo.keep(key, number)
        memo.get("a")

    assert [0, None, None, None] == [memo.get(key) for key in "abcd"]
