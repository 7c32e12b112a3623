"""The heads that the fast lane can read: less than the parser takes, and never anything else.

What a field means for its message, and how it crosses, is settled line by line, and remembered:
so a head that differs from the last one in a trace id costs one line. Only what the few deciding
lines say together is read from them as a whole. Whatever is not matched here is for the parser,
which knows more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sidecar.http import Header, Headers
from sidecar.proxy.memo import Memo

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
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ ]?((?:[!-~](?:[ !-~]*[!-~])?)?)")
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


class Framed:
    """A head that came, but for the digits of its length: one that comes again costs a look."""

    __slots__ = ("_before", "_behind")

    def __init__(self, head: bytes, length_at: int) -> None:
        assert length_at >= 0
        self._before, self._behind = head[:length_at], head[length_at:]

    def digits(self, head: bytes) -> bytes:
        """The digits of this one, which are all that differs; none where it is another head."""
        before, behind = self._before, self._behind
        # What is cut out holds digits alone, so that the same line is found in both.
        if not head.startswith(before) or (behind and not head.endswith(behind)):
            return b""
        digits = head[len(before) : len(head) - len(behind)]
        return digits if digits.isdigit() and len(digits) <= DIGITS_MAX else b""
