"""The heads that the fast lane can read: less than the parser takes, and never anything else.

A line that was read once is remembered, so a head that differs from the last one in a trace id
costs one line to read. Whatever is not matched here is for the parser, which knows more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from sidecar.http import Header, Headers

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
FIELDS_MAX = 100
REMEMBERED_MAX = 4096
# Longer ones would make what is remembered large, and few come again.
REMEMBERED_BYTES_MAX = 512
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ ]?((?:[!-~](?:[ !-~]*[!-~])?)?)")
_REQUEST_LINE = re.compile(rb"(GET|POST|PUT|PATCH|DELETE|OPTIONS) (/[!-~]*) HTTP/1\.1")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [ -~]*)?")

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """The last so many answers to a question that is often asked again."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int) -> None:
        self._known: dict[K, V] = {}
        self._most = most

    def get(self, key: K) -> V | None:
        """What was kept under this key."""
        return self._known.get(key)

    def keep(self, key: K, value: V) -> None:
        """Keep it, and forget the oldest where there are too many."""
        if len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[key] = value


@dataclass(frozen=True, slots=True)
class Fields:
    """The header fields of a head, and what of them decides on the framing."""

    headers: Headers
    lengths: int  # how many Content-Length there are: none or one
    length: str
    coding: str
    connection: str


_Line = tuple[str, Header]  # the name in lower case
_lines: Memo[bytes, _Line] = Memo(REMEMBERED_MAX)


def read_fields(lines: list[bytes]) -> Fields | None:
    """The fields of these lines; None where the parser had better look."""
    if len(lines) > FIELDS_MAX:
        return None
    headers: list[Header] = []
    seen: dict[str, str] = {}
    for line in lines:
        known = _lines.get(line) or _read_line(line)
        if known is None:
            return None
        lowered, header = known
        if lowered in _ONCE:
            if lowered in seen:
                return None
            seen[lowered] = header[1]
        headers.append(header)
    return Fields(
        tuple(headers),
        int("content-length" in seen),
        seen.get("content-length", ""),
        seen.get("transfer-encoding", "").lower(),
        seen.get("connection", "").lower(),
    )


def _read_line(line: bytes) -> _Line | None:
    match = _FIELD.fullmatch(line)
    if match is None:
        return None
    name, value = match[1].decode("ascii"), match[2].decode("ascii")
    lowered = name.lower()
    if lowered in _NEVER:
        return None
    known = (lowered, (name, value))
    if len(line) <= REMEMBERED_BYTES_MAX:
        _lines.keep(line, known)
    return known


@dataclass(frozen=True, slots=True)
class RequestHead:
    """An ordinary request's head, but for the digits of its length."""

    method: str
    target: str
    headers: Headers


def read_request(head: bytes, measured: bool) -> RequestHead | None:
    """Read it; ``measured``: the digits of its one Content-Length were cut out."""
    first, *lines = head.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    fields = None if match is None else read_fields(lines)
    if match is None or fields is None:
        return None
    if fields.lengths != int(measured) or fields.length or fields.coding:
        return None
    if fields.connection not in {"", "keep-alive"}:
        return None
    return RequestHead(match[1].decode(), match[2].decode(), fields.headers)


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """An ordinary answer's head, but for the digits of its length."""

    status: int
    headers: Headers
    chunked: bool
    keeps: bool  # the connection serves another request after it


def read_answer(head: bytes, measured: bool) -> AnswerHead | None:
    """Read it; ``measured`` as above. None for one that only its connection's end delimits."""
    first, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    fields = None if match is None else read_fields(lines)
    if match is None or fields is None:
        return None
    chunked = fields.coding == "chunked"
    if fields.lengths != int(measured) or fields.length or chunked == measured:
        return None
    if fields.coding not in {"", "chunked"} or fields.connection not in {"", "keep-alive", "close"}:
        return None
    return AnswerHead(int(match[1]), fields.headers, chunked, fields.connection != "close")


def cut_length(data: bytes, end: int) -> tuple[bytes, int, bytes] | None:
    """The head without the digits of its length, where they were, and they; None if they are none.

    Where no Content-Length is found in its usual spelling: the head, -1 and nothing.
    """
    at = data.find(b"\r\nContent-Length: ", 0, end)
    if at < 0:
        at = data.find(b"\r\ncontent-length: ", 0, end)
    if at < 0:
        return data[:end], -1, b""
    at += len(b"\r\nContent-Length: ")
    # The head's own end follows its last line.
    stop = data.index(b"\r\n", at)
    digits = data[at:stop]
    if not digits.isdigit() or len(digits) > 15:
        return None
    return data[:at] + data[stop:end], at, digits
