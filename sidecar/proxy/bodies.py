"""The body of an answer on the fast lane: where it ends, and what of it goes to the app.

One with a length is counted. A chunked one is passed on as it came where it came in whole chunks;
what does not, is given to the parser, from the last whole chunk on and to the end.
"""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpResponseParser

_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})\r\n")
_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# So much that the parser never holds anything back: all of it is read after each piece.
_HELD_MAX = 2**30
# Longer ones are not looked at as one chunk, for which they are copied.
ONE_CHUNK_BYTES_MAX = 4096
SIZES_MAX = 4096
# How long a chunk with its end is, by its digits; of those that came of late, and never the last.
_LENGTHS: dict[bytes, int] = {}


class BadChunksError(Exception):
    """The body is not framed as HTTP wants it."""


class Body(Protocol):
    """Reads one body. ``ended`` once all of it has come, ``excess`` if more came after it."""

    ended: bool
    excess: bool

    def pass_on(self, data: bytes) -> bytes:
        """What the app gets of these bytes. Raises BadChunksError."""
        ...


class Counted:
    """A body of a known length."""

    __slots__ = ("_left", "ended", "excess")

    def __init__(self, length: int) -> None:
        self.ended = length == 0
        self.excess = False
        self._left = length

    def pass_on(self, data: bytes) -> bytes:
        left = self._left = self._left - len(data)
        if left > 0:
            return data
        self.ended = True
        if left < 0:
            self.excess = True
            return data[:left]
        return data


class Chunked:
    """A body in chunks."""

    __slots__ = ("_parser", "_payload", "ended", "excess")

    def __init__(self) -> None:
        self.ended = False
        self.excess = False
        self._parser: HttpResponseParser | None = None
        self._payload: StreamReader | None = None

    def pass_on(self, data: bytes) -> bytes:
        if self._parser is not None:
            return self._parse(data)
        size = len(data)
        if size <= ONE_CHUNK_BYTES_MAX:
            # As most events come: two thirds of what the pattern takes, and less where it is cold.
            digits, _, chunk = data.partition(b"\r\n")
            if len(chunk) == _LENGTHS.get(digits) and chunk[-2:] == b"\r\n":
                return data
        at = 0
        while at < size:
            match = _SIZE.match(data, at)
            if match is None:
                break
            start = match.end()
            end = start + int(match[1], 16)
            if data[end : end + 2] != b"\r\n":
                break
            at = end + 2
            if end == start:
                self.ended = True
                self.excess = at < size
                return data[:at]
            if len(_LENGTHS) >= SIZES_MAX:
                _LENGTHS.clear()
            _LENGTHS[match[1]] = at - start
        if at == size:
            return data
        return data[:at] + self._begin_parsing(data[at:])

    def _begin_parsing(self, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()  # noqa: TID251  # aiohttp's parser wants it
        parser = HttpResponseParser(
            BaseProtocol(loop),
            loop,
            _HELD_MAX,
            payload_exception=ClientPayloadError,
            read_until_eof=True,
            auto_decompress=False,
        )
        messages, _, _ = parser.feed_data(_HEAD)
        self._parser, self._payload = parser, messages[0][1]
        return self._parse(data)

    def _parse(self, data: bytes) -> bytes:
        parser, payload = self._parser, self._payload
        assert parser is not None
        assert payload is not None
        try:
            messages, _, _ = parser.feed_data(data)
            self.excess = bool(messages)
        except (HttpProcessingError, ClientPayloadError) as fault:
            if not payload.is_eof():
                raise BadChunksError from fault
            self.excess = True
        broken = payload.exception()
        if broken is not None:
            raise BadChunksError from broken
        text = payload.read_nowait()
        framed = b"%x\r\n%b\r\n" % (len(text), text) if text else b""
        if payload.is_eof():
            self.ended = True
            framed += b"0\r\n\r\n"
        return framed
