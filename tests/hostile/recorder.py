"""An upstream on a bare socket: it keeps the bytes as they came, and trusts no HTTP library.

It reads a request as RFC 9112 does, strictly: what it cannot read so stays in ``unread``. So a
request that was smuggled shows as one request too many, or as bytes that belong to none.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_LINE = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t -~\x80-\xff]*)")
_CHUNK = re.compile(rb"([0-9a-f]{1,8})\r\n")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it was received. ``body`` is without its chunks' framing."""

    method: str
    target: str
    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def values(self, name: str) -> list[str]:
        """Every value of this field; underscores count as dashes, as CGI servers read them."""
        return [value for key, value in self.fields if key.lower().replace("_", "-") == name]


@dataclass(slots=True)
class Recorder:
    """What came. ``received`` is every byte, whatever could be read of it."""

    port: int = 0
    connections: int = 0
    requests: list[Seen] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    unread: bytearray = field(default_factory=bytearray)

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


Respond = Callable[[Seen], bytes]


@asynccontextmanager
async def recording(respond: Respond = lambda seen: OK) -> AsyncIterator[Recorder]:
    """A recorder that listens, and answers each request that it can read with these bytes."""
    recorder = Recorder()
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recorder.connections += 1
        open_writers.add(writer)
        kept = b""
        try:
            while data := await reader.read(65_536):
                recorder.received += data
                kept += data
                while (found := take_request(kept)) is not None:
                    seen, kept = found
                    recorder.requests.append(seen)
                    writer.write(respond(seen))
        except ConnectionError:
            pass
        finally:
            recorder.unread += kept
            writer.close()
            open_writers.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4_096)
    recorder.port = server.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        server.close()
        for writer in open_writers:
            writer.close()
        await server.wait_closed()
        while open_writers:
            await asyncio.sleep(0)


def take_request(data: bytes) -> tuple[Seen, bytes] | None:
    """The first whole request in these bytes, and what follows it; None when there is none."""
    head, end, rest = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    line = _LINE.fullmatch(lines[0])
    matches = [_FIELD.fullmatch(text) for text in lines[1:]]
    if not end or line is None or None in matches:
        return None
    fields = tuple(
        (match[1].decode(), match[2].decode("latin-1").strip(" \t")) for match in matches if match
    )
    found = _take_body(fields, rest)
    if found is None:
        return None
    return Seen(line[1].decode(), line[2].decode(), found[0], fields), found[1]


def _take_body(fields: tuple[tuple[str, str], ...], rest: bytes) -> tuple[bytes, bytes] | None:
    lengths = [value for name, value in fields if name.lower() == "content-length"]
    codings = [value for name, value in fields if name.lower() == "transfer-encoding"]
    if len(lengths) + len(codings) > 1 or codings not in ([], ["chunked"]):
        return None
    if codings:
        return _take_chunks(rest)
    size = int(lengths[0]) if lengths else 0
    return (rest[:size], rest[size:]) if len(rest) >= size else None


def _take_chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while (match := _CHUNK.match(rest)) is not None:
        size = int(match[1], 16)
        start, end = match.end(), match.end() + size
        if rest[end : end + 2] != b"\r\n":
            return None
        body += rest[start:end]
        rest = rest[end + 2 :]
        if size == 0:
            return body, rest
    return None
