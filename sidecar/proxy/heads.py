"""The heads that the fast lane can read: less than the parser takes, and never anything else.

What a field means for its message, and how it crosses, is settled line by line, and remembered:
so a head that differs from the last one in a trace id costs one line. Only what the few deciding
lines say together is read from them as a whole. Whatever is not matched here is for the parser,
which knows more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sidecar.http import Header, Headers
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.memo import Memo
from sidecar.values import dataclass

# What the parser refuses to see twice, or lets decide on the framing or on what comes after.
_ONCE = frozenset(
    {
        "content-length",
        "content-location",
        "content-range",
        "content-type",
        "etag",
        "host",
        "max-forwards",
        "server",
        "transfer-encoding",
        "user-agent",
        "connection",
    }
)
_NEVER = frozenset(
    {
        "close",  # what Connection: close would name
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "sec-websocket-key1",
        "te",
        "trailer",
        "upgrade",
    }
)
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
FIELDS_MAX = 100
LINES_MAX = 2048
# Longer ones would make what is remembered large, and few come again.
LINE_BYTES_MAX = 512
# More than any body has bytes.
DIGITS_MAX = 15
LENGTHS_MAX = 4096
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ ]?((?:[!-~](?:[ !-~]*[!-~])?)?)")
_VALUE = re.compile(rb"[!-~](?:[ !-~]*[!-~])?")
_REQUEST_LINE = re.compile(rb"(GET|POST|PUT|PATCH|DELETE|OPTIONS) (/[!-~]*) HTTP/1\.1")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [ -~]*)?")


class Lines:
    """The header lines of one kind of message, as they cross, and which of them decide.

    ``render`` says how a field crosses: as its line, or not at all, as nothing.
    """

    def __init__(self, render: Callable[[Header], bytes], deciding: frozenset[str]) -> None:
        self._render = render
        self._deciding = deciding | _FRAMING
        self._known: Memo[bytes, _Line] = Memo(LINES_MAX)

    def sort(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes]] | None:
        """Those that decide, and all as they cross; None where the parser had better look."""
        if len(lines) > FIELDS_MAX:
            return None
        deciding: list[bytes] = []
        crossing: list[bytes] = []
        seen: set[str] = set()
        for line in lines:
            known = self._known.get(line) or self._read(line)
            if known is None:
                return None
            rendered, decides, once = known
            if once:
                if once in seen:
                    return None
                seen.add(once)
            if decides:
                deciding.append(line)
            crossing.append(rendered)
        return deciding, crossing

    def crosses_freely(self, line: bytes) -> bool:
        """Whether it crosses as it is, decides nothing, and may come as often as it likes."""
        known = self._known.get(line) or self._read(line)
        return known == (line + b"\r\n", False, "")

    def _read(self, line: bytes) -> _Line | None:
        header = _read_field(line)
        name = "" if header is None else header[0].lower()
        if header is None or name in _NEVER:
            return None
        known = (self._render(header), name in self._deciding, name if name in _ONCE else "")
        if len(line) <= LINE_BYTES_MAX:
            self._known.keep(line, known)
        return known


# How it crosses, whether it decides, and its name if it may come but once.
_Line: TypeAlias = tuple[bytes, bool, str]


def is_field(line: bytes) -> bool:
    """Whether this is a header line as it is read here."""
    return _FIELD.fullmatch(line) is not None


def _read_field(line: bytes) -> Header | None:
    match = _FIELD.fullmatch(line)
    return None if match is None else (match[1].decode("ascii"), match[2].decode("ascii"))


@dataclass(frozen=True, slots=True)
class _Deciding:
    """What the lines that decide say."""

    headers: Headers
    measured: bool  # by one Content-Length, the digits of which were cut out
    coding: str
    connection: str


def _read_deciding(lines: list[bytes]) -> _Deciding | None:
    headers = tuple([header for line in lines if (header := _read_field(line)) is not None])
    said = {name.lower(): value for name, value in headers}
    if said.get("content-length"):
        return None
    return _Deciding(
        headers,
        "content-length" in said,
        said.get("transfer-encoding", "").lower(),
        said.get("connection", "").lower(),
    )


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What decides in an ordinary request's head, but for the digits of its length."""

    method: str
    target: str
    headers: Headers


def read_request(first: bytes, deciding: list[bytes], measured: bool) -> RequestHead | None:
    """Read what sorting has left; ``measured``: the digits of its one length were cut out."""
    match = _REQUEST_LINE.fullmatch(first)
    said = None if match is None else _read_deciding(deciding)
    if match is None or said is None:
        return None
    if said.measured != measured or said.coding or said.connection not in {"", "keep-alive"}:
        return None
    return RequestHead(match[1].decode(), match[2].decode(), said.headers)


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """What decides in an ordinary answer's head, but for the digits of its length."""

    status: int
    chunked: bool
    keeps: bool  # the connection serves another request after it


def read_answer(first: bytes, deciding: list[bytes], measured: bool) -> AnswerHead | None:
    """As above. None for one that only its connection's end delimits."""
    match = _STATUS_LINE.fullmatch(first)
    said = None if match is None else _read_deciding(deciding)
    if match is None or said is None:
        return None
    chunked = said.coding == "chunked"
    if said.measured != measured or chunked == measured:
        return None
    if said.coding not in {"", "chunked"} or said.connection not in {"", "keep-alive", "close"}:
        return None
    return AnswerHead(int(match[1]), chunked, said.connection != "close")


def cut_length(head: bytes) -> tuple[bytes, int, bytes] | None:
    """The head without the digits of its length, where they were, and they; None if they are none.

    Where no Content-Length is found in its usual spelling: the head, -1 and nothing.
    """
    at = head.find(b"\r\nContent-Length: ")
    if at < 0:
        at = head.find(b"\r\ncontent-length: ")
    if at < 0:
        return head, -1, b""
    at += len(b"\r\nContent-Length: ")
    stop = head.find(b"\r\n", at)
    digits = head[at:] if stop < 0 else head[at:stop]
    if not digits.isdigit() or len(digits) > DIGITS_MAX:
        return None
    return (head[:at] if stop < 0 else head[:at] + head[stop:]), at, digits


def without_body(head: bytes) -> bytes:
    """A head that was read here, and its end, as it would be if no body came after it."""
    cut = cut_length(head)
    assert cut is not None
    text, at, _ = cut
    return (head if at < 0 else text[:at] + b"0" + text[at:]) + HEAD_END


# The values that vary, the digits of the length, and the length, 0 without any; and what is behind
# the head.
Read: TypeAlias = tuple[Sequence[bytes], bytes, int, bytes]
# By their digits, those that came of late: to find out takes as long as half of the look.
_LENGTHS: dict[bytes, int] = {}


class Framed:
    """A head that came, around what differs when it comes again: so it costs a look.

    That is the digits of its length, and the values of lines that vary: only of such as decide
    nothing and cross as they are, which who makes one has asked ``Lines`` about.
    """

    __slots__ = ("_first", "_gaps", "_last", "_only_length")

    def __init__(self, pieces: list[bytes], length_at: int) -> None:
        """``pieces``: what is around the gaps. The length's is the one at ``length_at``, if any."""
        assert pieces[0]
        assert length_at < len(pieces) - 1
        self._first = pieces[0]
        self._last = pieces[-1]
        self._gaps = tuple([(at == length_at, piece) for at, piece in enumerate(pieces[1:])])
        self._only_length = len(pieces) == 2 and length_at == 0

    @classmethod
    def of(cls, head: bytes, length_at: int) -> Framed:
        """Around the digits alone, which were cut out of it there; -1: it has no length."""
        if length_at < 0:
            return cls([head + HEAD_END], -1)
        return cls([head[:length_at], head[length_at:] + HEAD_END], 0)

    def read(self, data: bytes) -> Read | None:
        """What is in its gaps, and behind it. None where these bytes begin with another head."""
        rest = data.removeprefix(self._first)
        # Nothing was cut off where they begin otherwise.
        if rest == data:
            return None
        if not self._only_length:
            return self._read_gaps(rest) if self._gaps else ([], b"", 0, rest)
        digits, piece, rest = rest.partition(self._last)
        try:
            length = _LENGTHS[digits]
        except KeyError:
            length = _length(digits)
        return ((), digits, length, rest) if piece and length >= 0 else None

    def _read_gaps(self, rest: bytes) -> Read | None:
        digits, length = b"", 0
        values: list[bytes] = []
        for is_length, expected in self._gaps:
            # A piece begins with the end of its line, which no value holds: so this is where.
            value, piece, rest = rest.partition(expected)
            if not piece:
                return None
            if is_length:
                try:
                    length = _LENGTHS[value]
                except KeyError:
                    length = _length(value)
                digits = value
                if length < 0:
                    return None
            elif _is_value(value):
                values.append(value)
            else:
                return None
        return values, digits, length, rest


def _length(digits: bytes) -> int:
    """The length that they say; -1 where they are none."""
    # None but 0 begins with it, so that they can go out as they came.
    if digits.isdigit() and len(digits) <= DIGITS_MAX and (digits >= b"1" or digits == b"0"):
        if len(_LENGTHS) >= LENGTHS_MAX:
            _LENGTHS.clear()
        length = _LENGTHS[digits] = int(digits)
        return length
    return -1


def _is_value(value: bytes) -> bool:
    # Most are names of traces and of requests: this takes a fifth of what the pattern does.
    return value.replace(b"-", b"").isalnum() or _VALUE.fullmatch(value) is not None
