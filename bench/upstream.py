"""The mock upstream of the benchmark: answers every request with one kilobyte, at once."""

from __future__ import annotations

import asyncio
import json
import sys

BODY = json.dumps({"object": "chat.completion", "choices": [{"text": "x" * 950}]}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


class Upstream(asyncio.Protocol):
    """Finds the end of each request by its Content-Length, and no more."""

    def __init__(self) -> None:
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (head_end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[:head_end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._seen) < head_end + 4 + length:
                return
            self._seen = self._seen[head_end + 4 + length :]
            self._transport.write(ANSWER)


async def main() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
