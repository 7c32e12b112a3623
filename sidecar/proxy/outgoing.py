"""The head of a request as it goes out: the framing is ours, and nothing else may break a line."""

from __future__ import annotations

from sidecar.errors import LocalProtocolError
from sidecar.http import HttpRequest, Origin, header_values

# These say how long their body is, even when it is empty.
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NOT_OURS_TO_SEND = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def split_url(url: str) -> tuple[str, str]:
    """Origin prefix and request target of an absolute URL."""
    end = url.find("/", len("https://"))
    return (url, "/") if end < 0 else (url[:end], url[end:])


def render_opening(request: HttpRequest) -> bytes:
    """The request's head but for its framing and its end. LocalProtocolError as below."""
    _, path = split_url(request.url)
    return _render(_opening(request, Origin.of(request.url), path))


def render_head(request: HttpRequest, origin: Origin, path: str, streamed: bool) -> bytes:
    """The request's head with our framing. LocalProtocolError if a field would break it."""
    lines = _opening(request, origin, path)
    if streamed:
        lengths = header_values(request.headers, "content-length")
        lines.append(f"Content-Length: {lengths[0]}" if lengths else "Transfer-Encoding: chunked")
    elif request.body or request.method in WITH_BODY:
        lines.append(f"Content-Length: {len(request.body)}")
    return _render(lines) + b"\r\n"


def _opening(request: HttpRequest, origin: Origin, path: str) -> list[str]:
    lines = [f"{request.method} {path} HTTP/1.1", f"Host: {origin.host_header}"]
    lines += [
        f"{name}: {value}"
        for name, value in request.headers
        if name.lower() not in _NOT_OURS_TO_SEND
    ]
    return lines


def _render(lines: list[str]) -> bytes:
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise LocalProtocolError("a header value with a line break")
    try:
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")
    except UnicodeEncodeError as fault:
        raise LocalProtocolError("a header value outside latin-1") from fault
