"""Which answers are read at once, as they came, and which are left to the parser."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from sidecar.http import HttpResponse
from sidecar.proxy.replies import HEAD_BYTES_MAX, Replies

PAY = b"HTTP/1.1 402 Payment Required\r\nPAYMENT-REQUIRED: e30=\r\nContent-Length: 2\r\n\r\n"


def test_whole() -> None:
    """An ordinary answer that is all here is its status, its headers as they came, its body."""
    data = (
        b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nX-Empty:\r\nX:1\r\nContent-Length: 3\r\n\r\nabc"
    )
    headers = (("content-type", "a/b"), ("X-Empty", ""), ("X", "1"), ("Content-Length", "3"))

    assert (HttpResponse(200, headers, b"abc"), True) == Replies().read(data)


def test_close() -> None:
    """After an answer that says so, its connection serves nobody else."""
    read = Replies().read(b"HTTP/1.1 500 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    headers = (("Connection", "close"), ("Content-Length", "0"))

    assert (HttpResponse(500, headers, b""), False) == read


def test_alike_in_what_decides() -> None:
    """An answer like an earlier one in all but its status, or its Connection, is told apart."""
    replies = Replies()
    read = []
    for status in (200, 500):
        for connection in ("keep-alive", "close"):
            head = f"HTTP/1.1 {status} \r\nConnection: {connection}\r\nContent-Length: 0\r\n\r\n"
            for _ in range(2):
                answer = replies.read(head.encode())
                assert answer is not None
                read.append((answer[0].status, answer[1]))

    expected = [(status, keeps) for status in (200, 500) for keeps in (True, True, False, False)]
    assert expected == read


def test_receipts() -> None:
    """An answer like an earlier one in all that decides has its own headers and its own body."""
    replies = Replies()
    for receipt, body in (("e30=", b"a"), ("e31=", b"bcd")):
        head = f"HTTP/1.1 200 OK\r\nPAYMENT-RESPONSE: {receipt}\r\nContent-Length: {len(body)}"
        headers = (("PAYMENT-RESPONSE", receipt), ("Content-Length", str(len(body))))

        expected = HttpResponse(200, headers, body)
        assert (expected, True) == replies.read(head.encode() + b"\r\n\r\n" + body)


RECEIPTS = ("A: e30=", "A: e31=", "A: x y", "A:e30=", "A: e30= ", "A: ", "A: \xff", "a: e30=")
TRACES = ("B: 1", "B: 22", "A: e32=")
KINDS = ("200 OK", "200 Fine", "402 Pay", "302 Found", "204 No")


def test_told_apart() -> None:
    """What was read of others' answers changes nothing: each is read as if it were the first."""
    replies = Replies()
    for kind, receipt, trace, body in product(KINDS, RECEIPTS, TRACES, ("", "12", "a" * 12)):
        length = f"Content-Length: {len(body)}"
        for lines in permutations((receipt, trace, length)):
            head = "\r\n".join((f"HTTP/1.1 {kind}", "C: 1", *lines, "Connection: close"))
            data = f"{head}\r\n\r\n{body}".encode("latin-1")

            assert Replies().read(data) == replies.read(data)


def test_varying_values() -> None:
    """Receipts and dates that are new in each answer, in any order, are read as they came."""
    replies = Replies()
    for number in range(8):
        for names in (("PAYMENT-RESPONSE", "Date"), ("Date", "PAYMENT-RESPONSE")):
            body = b"x" * number
            headers = (
                (names[0], f"{names[0]} {number}"),
                ("Content-Length", str(number)),
                ("X", "1"),
                (names[1], f"{names[1]} {number}"),
            )
            head = "".join(f"{name}: {value}\r\n" for name, value in headers)

            expected = HttpResponse(200, headers, body)
            assert (expected, True) == replies.read(
                f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body
            )


def test_varying_in_another_order() -> None:
    """Values that vary are each read in its own line, in whatever order these lines come."""
    replies = Replies()
    for names in permutations(("PAYMENT-RESPONSE", "Date", "X-Trace")):
        for number in range(4):
            headers = (*((name, f"{name} {number}") for name in names), ("Content-Length", "0"))
            head = "".join(f"{name}: {value}\r\n" for name, value in headers)

            expected = HttpResponse(200, headers)
            assert (expected, True) == replies.read(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())


def test_like_the_last() -> None:
    """An answer like the last one is all here, and has an ordinary head, or is the parser's."""
    replies = Replies()
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nPAYMENT-RESPONSE: "
    for receipt in (b"e30=", b"e31=", b"e32="):
        assert replies.read(start + receipt + b"\r\n\r\nab") is not None

    long = b"e" * HEAD_BYTES_MAX
    for rest in (b"e33=\r\n\r\na", b"e33=\r\n\r\nabc", b"e33=", long + b"\r\n\r\nab"):
        assert replies.read(start + rest) is None
    for value in (b"e33=\r\nA: b", b"e33=\r\nContent-Length: 3", b"e\x7f"):
        data = start + value + b"\r\n\r\nab"
        assert Replies().read(data) == replies.read(data)


def test_offer_again() -> None:
    """An offer that came before is read again as it came then, with the body that is here now."""
    replies = Replies()
    headers = (("PAYMENT-REQUIRED", "e30="), ("Content-Length", "2"))

    assert (HttpResponse(402, headers, b"{}"), True) == replies.read(PAY + b"{}")
    assert (HttpResponse(402, headers, b"[]"), True) == replies.read(PAY + b"[]")
    assert replies.read(PAY + b"{") is None
    assert replies.read(PAY + b"{} ") is None


def test_same_offer() -> None:
    """The same bytes again are the same answer; of a large one nothing is kept."""
    replies = Replies()
    replies.read(PAY + b"{}")
    first = replies.read(PAY + b"{}")
    large = PAY.replace(b": 2", b": 9000") + b" " * 9000

    assert first is replies.read(PAY + b"{}")
    assert replies.read(large) == replies.read(large)
    assert replies.read(large) is not replies.read(large)


def test_offer_without_end() -> None:
    """A known offer of no body is not all here before its head has ended."""
    replies = Replies()
    head = b"HTTP/1.1 402 Payment Required\r\nContent-Length: 0"

    assert replies.read(head + b"\r\n\r\n") is not None
    assert replies.read(head) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PAY,
        PAY + b"{}x",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : 1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES_MAX + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_left_to_the_parser(data: bytes) -> None:
    """What is more or less than one ordinary answer is not read here."""
    assert Replies().read(data) is None
