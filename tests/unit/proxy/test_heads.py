"""Which heads the fast lane reads, and which it leaves to the parser."""

from __future__ import annotations

import pytest

from sidecar.http import Header
from sidecar.proxy.framing import bytes_of_request
from sidecar.proxy.heads import (
    _LENGTHS,
    LENGTHS_MAX,
    AnswerHead,
    Framed,
    Lines,
    RequestHead,
    cut_length,
    read_answer,
    read_request,
    without_body,
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
    framed = Framed.of(cut[0], cut[1])

    end = behind + b"\r\n\r\n"
    assert ((), b"1046", 1046, b"{}") == framed.read(LINE + b"Content-Length: 1046" + end + b"{}")
    assert ((), b"0", 0, b"") == framed.read(LINE + b"Content-Length: 0" + end)
    for other in (
        LINE + b"Content-Length: " + end,
        LINE + b"Content-Length: +5" + end,
        LINE + b"Content-Length: 05" + end,
        LINE + b"Content-Length: " + b"9" * 16 + end,
        LINE + b"Content-Length: 5\r\nX: y" + end,
        LINE + b"X: y\r\nContent-Length: 5" + end,
        LINE + b"Content-Length: 5\r\nHost: x\r\n\r\n",
        LINE + b"Content-Length: 5" + behind + b"\r\nContent-Length: 6\r\n\r\n",
        LINE + b"Content-Length: 5" + behind + b"\r\n",
        LINE + b"Content-Length: 5",
        LINE,
        b"",
    ):
        assert framed.read(other) is None


def test_lengths_are_bounded() -> None:
    """However many lengths apps name, each is read as it stands, and few are remembered."""
    framed = Framed.of(LINE + b"Content-Length: ", len(LINE + b"Content-Length: "))
    for number in range(LENGTHS_MAX + 2):
        read = framed.read(LINE + b"Content-Length: %d\r\n\r\n" % number)

        assert ((), b"%d" % number, number, b"") == read
    assert len(_LENGTHS) <= LENGTHS_MAX


def test_framed_without_length() -> None:
    """A head that has no length is known again, and what is behind it is nobody's."""
    framed = Framed.of(b"GET / HTTP/1.1\r\nHost: h", -1)

    assert ([], b"", 0, b"GET") == framed.read(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET")
    assert framed.read(b"GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n") is None


# Around a trace, the length, and another trace.
PIECES = [
    LINE + b"traceparent: ",
    b"\r\nHost: h\r\nContent-Length: ",
    b"\r\nx-request-id: ",
    b"\r\nAuthorization: Bearer one\r\n\r\n",
]


@pytest.mark.parametrize("value", [b"1", b"-", b"00-4b-01", b"a b", b"a:b,c;d=" + b'"e"'])
def test_gaps(value: bytes) -> None:
    """Values that vary are read where they vary, and so is the length."""
    data = value.join([PIECES[0], PIECES[1] + b"17" + PIECES[2], PIECES[3]])

    assert ([value, value], b"17", 17, b"") == Framed(PIECES, 1).read(data)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b" 1",
        b"1 ",
        b"1\t2",
        b"1\r",
        b"1\n",
        b"1\r2",
        b"1\n2",
        b"1\0",
        b"\x7f",
        b"caf\xe9",
        b"1\r\n folded",
        b"1\r\n\tfolded",
        b"1\r\nX: y",
        b"1\nX: y",
        b"1\r\nContent-Length: 5",
        b"1\r\ncontent-length: 5",
        b"1\r\nTransfer-Encoding: chunked",
        b"1\r\nAuthorization: Bearer two",
        b"1\r\n\r\nGET / HTTP/1.1\r\nHost: h",
        b"1" + PIECES[1] + b"17",
        b"1" + PIECES[1] + b"17" + PIECES[2] + b"2" + PIECES[3],
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_hostile_gap(value: bytes, first: bool) -> None:
    """Nothing but a value of its own line fills a gap."""
    one, other = (value, b"2") if first else (b"2", value)
    data = b"".join([PIECES[0], one, PIECES[1], b"17", PIECES[2], other, PIECES[3]])
    read = Framed(PIECES, 1).read(data)

    # A head that ends within the gap is a whole one, and the rest of it is what comes behind.
    assert read is None or (value.endswith(PIECES[3]) and b"2" == read[0][1])


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (PIECES[0], b""),
        (PIECES[3], b""),
        (LINE, LINE[1:]),
        (b"traceparent: 1", b"tracestate: 1"),
        (b"traceparent: 1", b"Traceparent: 1"),
        (b"traceparent: 1", b"traceparent:1"),
        (b"traceparent: 1\r\n", b""),
        (b"x-request-id: 2\r\n", b""),
        (b"Bearer one", b"Bearer two"),
        (b"Length: 17", b"Length: "),
        (b"Length: 17", b"Length: 17 "),
        (b"Length: 17", b"Length: 0x17"),
        (b"Length: 17", b"Length: " + b"1" * 16),
    ],
)
def test_other_head(was: bytes, now: bytes) -> None:
    """A head that differs anywhere else is another one."""
    data = b"".join([PIECES[0], b"1", PIECES[1], b"17", PIECES[2], b"2", PIECES[3]])

    framed = Framed(PIECES, 1)
    assert framed.read(data) is not None
    assert framed.read(data.replace(was, now)) is None


def test_without_body() -> None:
    """A head goes to the parser as one that has no body."""
    head = LINE + b"Content-Length: 17\r\nHost: h"

    assert LINE + b"Content-Length: 0\r\nHost: h\r\n\r\n" == without_body(head)
    assert LINE + b"Host: h\r\n\r\n" == without_body(LINE + b"Host: h")


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
