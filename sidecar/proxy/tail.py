"""The end of a response as it passes, for a provider that reads costs from bodies.

It keeps a bounded copy of what goes by, and neither delays nor changes it. Of an event stream it
keeps the last TAIL_BYTES_MAX, where vendors put the cost; of a JSON document all or nothing, as
half of one says nothing; of encoded and other bodies nothing.
Source: providers.md 1 (d) and (e).
"""

from __future__ import annotations

from sidecar.http import Headers, HttpResponse, gather

TAIL_BYTES_MAX = 64 * 1024
# Reading a longer one would hold up everybody else.
DOCUMENT_BYTES_MAX = 256 * 1024
_NAMES = frozenset({"content-type", "content-encoding"})


class Tail:
    """What is kept of one response. Made only where ``Traits.reads_bodies`` says so."""

    __slots__ = ("_bytes_max", "_headers", "_kept", "_slides", "_status")

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        self._kept = bytearray()
        kind = _kind(headers)
        self._slides = kind == "text/event-stream"
        self._bytes_max = 0  # 0: nothing is kept
        if self._slides:
            self._bytes_max = TAIL_BYTES_MAX
        elif kind == "application/json":
            self._bytes_max = DOCUMENT_BYTES_MAX

    def feed(self, chunk: bytes) -> None:
        """Take note of the next piece of the body."""
        bytes_max = self._bytes_max
        if not bytes_max:
            return
        kept = self._kept
        if len(kept) + len(chunk) <= bytes_max:
            kept += chunk
        elif self._slides:
            kept += chunk
            # A bytearray is cut at its left end without moving the rest.
            del kept[:-bytes_max]
        else:
            self._bytes_max = 0
            kept.clear()

    def response(self) -> HttpResponse:
        """The response as ``Provider.observe`` wants it. To be asked once the body has ended."""
        return HttpResponse(self._status, self._headers, bytes(self._kept))


def _kind(headers: Headers) -> str:
    """The media type of a body that can be read as it is; "" where it cannot be."""
    found = gather(headers, _NAMES)
    types = found.get("content-type", [])
    encodings = found.get("content-encoding", [])
    if len(types) != 1 or any(coding.strip().lower() != "identity" for coding in encodings):
        return ""
    return types[0].partition(";")[0].strip().lower()
