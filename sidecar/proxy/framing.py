"""Which requests are HTTP that can be relayed: the parser takes more than RFC 9112 does.

And what is said to those that are not, where no handler can answer them.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from aiohttp import HttpVersion10, HttpVersion11, hdrs
from aiohttp.http_parser import (
    HttpRequestParser,
    HttpRequestParserPy,
    HttpResponseParser,
    HttpResponseParserPy,
)

from sidecar.errors import ConfigError
from sidecar.proxy import web
from sidecar.proxy.answers import Answer

_RELAYED_VERSIONS = frozenset({HttpVersion10, HttpVersion11})
_BEGUN = re.compile(rb"[A-Z_]{1,20}(?: [^\n]*)?")
HEAD_END = b"\r\n\r\n"
_FRAMED_BY = re.compile(
    rb"\n(content-length|transfer-encoding)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE
)
_RTSP = re.compile(rb"^[A-Z_]+ +\S+ +RTSP/", re.MULTILINE)
_RTSP_BEHIND = re.compile(rb"[A-Z_]+ +\S+ +RTSP/")


def check_parsers() -> None:
    """ConfigError where aiohttp reads HTTP in pure Python, and so differently."""
    if HttpRequestParser is HttpRequestParserPy or HttpResponseParser is HttpResponseParserPy:
        raise ConfigError(
            "sidecar: aiohttp runs without its C parser, and the pure-Python one lets requests "
            "through that the C one refuses; install aiohttp from its wheel, and unset "
            "AIOHTTP_NO_EXTENSIONS"
        )


class RequestLines:
    """The request lines of one connection, in as many pieces as they come.

    aiohttp's parser reads RTSP/1.0 as it reads HTTP/1.0, and hands on the number only.
    """

    __slots__ = ("_begun", "_bytes_max")

    def __init__(self, bytes_max: int) -> None:
        self._begun = b""
        self._bytes_max = bytes_max

    def are_http(self, data: bytes, in_body: bool) -> bool:
        """Whether no request line in this next piece is RTSP's. ``in_body``: it starts in one."""
        if in_body:
            self._begun = b""
            return True
        text = self._begun + data
        start = text.rfind(b"\n") + 1
        line = text[start : start + self._bytes_max]
        self._begun = line if _BEGUN.fullmatch(line) else b""
        if b" RTSP/" not in text:
            return True
        # What was kept may be the end of a body, and the line begins somewhere behind it.
        behind = len(text) > len(data) and _RTSP_BEHIND.search(text.partition(b"\n")[0])
        return _RTSP.search(text) is None and not behind


def check_framing(request: web.BaseRequest) -> int | None:
    """The status for a head that the parser takes and RFC 9112 does not; None when it is sound."""
    if request.version not in _RELAYED_VERSIONS:
        return 505
    codings = request.headers.getall(hdrs.TRANSFER_ENCODING, ())
    if not codings:
        return None
    # RFC 9112 6.1: one in HTTP/1.0 is a framing fault; of another coding nothing is known here.
    if request.version == HttpVersion10:
        return 400
    return None if [coding.lower() for coding in codings] == ["chunked"] else 501


def malformed(status: int, message: str) -> Answer:
    """What comes is no request that can be relayed."""
    return Answer(status, "sidecar_malformed", message, retry=False, rule="malformed", closes=True)


def whole(answer: Answer) -> bytes:
    """The answer as bytes, for where there is no request that it could be the response to."""
    body = answer.body("")
    fields = (*answer.headers(), ("Content-Length", str(len(body))), ("Connection", "close"))
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def bytes_of_request(given: bytes) -> int:
    """How long the request is that begins these bytes, in which its head is; -1: unknown.

    Never less than it is. Where as many bytes were given, and one request was read from them,
    they are that request: blank lines before it, which the parser skips, would leave it short.
    """
    end = given.find(HEAD_END)
    framing = _FRAMED_BY.findall(given, 0, end + 2) if end >= 0 else [(b"", b""), (b"", b"")]
    if not framing:
        return end + len(HEAD_END)
    name, value = framing[0]
    if len(framing) > 1 or len(name) != len(b"content-length") or not value.strip().isdigit():
        return -1
    return end + len(HEAD_END) + int(value)
