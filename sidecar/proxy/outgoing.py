"""The head of a request as it goes out: the framing is ours, and nothing else may break a line."""

from __future__ import annotations

from dataclasses import field

from sidecar.errors import LocalProtocolError
from sidecar.http import Headers, HttpRequest, Origin, header_values, lowered_names
from sidecar.values import dataclass

# These say how long their body is, even when it is empty.
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NOT_OURS_TO_SEND = frozenset({"host", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True)
class BegunHead:
    """How the head of every request begins that has these headers first."""

    method: str
    url: str
    headers: Headers = field(repr=False)  # the credential's, too
    text: bytes = field(repr=False)

    @classmethod
    def of(cls, method: str, url: str, headers: Headers) -> BegunHead | None:
        """None where one of its words would break a line."""
        try:
            text = render_start(method, url) + render_fields(headers)
        except LocalProtocolError:
            return None
        return cls(method, url, headers, text)

    def begins(self, request: HttpRequest) -> bool:
        """Whether the request's head begins so, whoever made it of another one."""
        return (
            self.method == request.method
            and self.url == request.url
            and self.headers == request.headers[: len(self.headers)]
        )


def split_url(url: str) -> tuple[str, str]:
    """Origin prefix and request target of an absolute URL."""
    end = url.find("/", len("https://"))
    return (url, "/") if end < 0 else (url[:end], url[end:])


def render_start(method: str, url: str) -> bytes:
    """The request line and the Host of a request for this URL. LocalProtocolError as below."""
    _, path = split_url(url)
    return _render(_start(method, Origin.of(url), path))


def render_fields(headers: Headers) -> bytes:
    """These fields as lines, without those that are not the caller's to choose."""
    return _render(_fields(headers))


def render_head(request: HttpRequest, origin: Origin, path: str, streamed: bool) -> bytes:
    """The request's head with our framing. LocalProtocolError if a field would break it."""
    begun = request.begun
    if isinstance(begun, BegunHead) and begun.begins(request):
        written, lines = begun.text, _fields(request.headers[len(begun.headers) :])
    else:
        written, lines = b"", _start(request.method, origin, path) + _fields(request.headers)
    if request.stored is not None:
        lines.append(f"Content-Length: {request.stored.size}")
    elif streamed:
        lengths = header_values(request.headers, "content-length")
        lines.append(f"Content-Length: {lengths[0]}" if lengths else "Transfer-Encoding: chunked")
    elif request.body or request.method in WITH_BODY:
        lines.append(f"Content-Length: {len(request.body)}")
    return written + _render(lines) + b"\r\n"


def _start(method: str, origin: Origin, path: str) -> list[str]:
    return [f"{method} {path} HTTP/1.1", f"Host: {origin.host_header}"]


def _fields(headers: Headers) -> list[str]:
    if not _NOT_OURS_TO_SEND.isdisjoint(lowered_names(headers)):
        headers = tuple(field for field in headers if field[0].lower() not in _NOT_OURS_TO_SEND)
    return list(map(": ".join, headers))


def _render(lines: list[str]) -> bytes:
    # Together: each by itself would take three looks.
    words = "".join(lines)
    if "\r" in words or "\n" in words or "\0" in words:
        raise LocalProtocolError("a header value with a line break")
    try:
        return "\r\n".join([*lines, ""]).encode("latin-1")
    except UnicodeEncodeError as fault:
        raise LocalProtocolError("a header value outside latin-1") from fault
