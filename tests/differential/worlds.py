"""An upstream that says what a case wants, and the proxy in front of it, in one process."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from aiohttp import web

from sidecar.payments.events import RequestServed
from sidecar.proxy.handler import RequestLimits
from sidecar.proxy.server import ServerLimits
from tests.differential.cases import PORT, Case, Script
from tests.differential.reading import messages, unchunk
from tests.world.plain_proxy import Plain, plain_proxy

# Longer than anything that ends by itself takes.
GIVES_UP_S = 4.0
_ANY_PORT = re.compile(rb"127\.0\.0\.1:[0-9]+")
LIMITS = RequestLimits(replay_bytes_max=100_000, body_idle_s=0.3, caller_requests_max=4)
SERVER_LIMITS = ServerLimits(
    connections_max=64, header_bytes_max=16_384, header_wait_s=0.2, keepalive_s=5.0
)
RESPONSE_WAIT_S = 0.5


class Upstream(asyncio.Protocol):
    """One connection of the scripted upstream."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = b""
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[: end + 2]
            if b"\r\nTransfer-Encoding: chunked\r\n" in head:
                body, at, whole = unchunk(self._seen, end + 4)
                if not whole:
                    return
            else:
                length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
                at = end + 4 + int(length or b"0")
                body = self._seen[end + 4 : at]
                if len(self._seen) < at:
                    return
            self._seen = self._seen[at:]
            self._world.requests.append((head, body))
            if self._world.scripts:
                self._world.start(self._answer(self._world.scripts.popleft()))

    async def _answer(self, script: Script) -> None:
        for piece in script.pieces:
            self._transport.write(piece)
            # So that the next piece is a segment of its own, and is read as one.
            for _ in range(6):
                await asyncio.sleep(0)
        if script.end == "close":
            self._transport.close()
        elif script.end == "reset":
            self._transport.abort()


@dataclass
class World:
    """One proxy and its upstream; the case that is run now."""

    plain: Plain
    upstream_port: int
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    scripts: deque[Script] = field(default_factory=deque)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run(self, case: Case) -> Outcome:
        """The case through this proxy."""
        self.requests.clear()
        self.scripts = deque(case.scripts)
        self.plain.events.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.plain.port)
        got = bytearray()
        ended = "kept"
        bodiless = tuple(method == "HEAD" for method in case.methods)
        port = b"%d" % self.plain.port
        with suppress(ConnectionError):
            for pieces, wanted in case.parts:
                for piece in pieces:
                    writer.write(piece.replace(PORT, port))
                    for _ in range(6):
                        await asyncio.sleep(0)
                ended = await self._read(reader, got, wanted, bodiless)
                if ended != "kept":
                    break
                # An upstream that closes now has closed before the next request is sent.
                await asyncio.sleep(0.002)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        while self.plain.open_connections():
            await asyncio.sleep(0)
        for _ in range(6):
            await asyncio.sleep(0)
        for task in self.tasks.copy():
            task.cancel()
        return self._outcome(bytes(got), ended, bodiless)

    async def _read(
        self, reader: asyncio.StreamReader, got: bytearray, wanted: int, bodiless: tuple[bool, ...]
    ) -> str:
        """Read until so many answers are whole, or the connection ends."""
        try:
            async with asyncio.timeout(GIVES_UP_S):
                while True:
                    found, _ = messages(bytes(got), bodiless)
                    if sum(whole for _, _, whole in found) >= wanted:
                        return "kept"
                    data = await reader.read(2**20)
                    if not data:
                        return "closed"
                    got += data
        except TimeoutError:
            return "silent"
        except ConnectionError:
            return "closed"

    def _outcome(self, got: bytes, ended: str, bodiless: tuple[bool, ...]) -> Outcome:
        found, left = messages(_ANY_PORT.sub(rb"127.0.0.1:*", got), bodiless)
        return Outcome(
            tuple((_ANY_PORT.sub(rb"127.0.0.1:*", head), body) for head, body in self.requests),
            tuple(found),
            left,
            ended,
            tuple(_plain(event) for event in self.plain.events if isinstance(event, RequestServed)),
        )


def _plain(event: RequestServed) -> RequestServed:
    """The event without what differs from one run to the next."""
    detail = re.sub(r"127.0.0.1:[0-9]+", "127.0.0.1:*", event.detail)
    # What the parser says of how it was cut, and the lane in its own words.
    detail = detail.partition("cut short")[0]
    return replace(event, request_id="", duration_s=0.0, upstream_s=0.0, detail=detail)


@dataclass(frozen=True)
class Outcome:
    """What a case came to."""

    requests: tuple[tuple[bytes, bytes], ...]
    answers: tuple[tuple[bytes, bytes, bool], ...]
    left: bytes
    ended: str
    served: tuple[RequestServed, ...]

    def is_like(self, other: Outcome) -> bool:
        """Whether it is the same; of what was cut, how much had got through is chance."""
        if len(self.answers) != len(other.answers):
            return False
        for (head, body, whole), (its_head, its_body, its_whole) in zip(
            self.answers, other.answers, strict=True
        ):
            least = min(len(body), len(its_body)) if not whole else None
            if (head, body[:least], whole) != (its_head, its_body[:least], its_whole):
                return False
        return replace(self, answers=()) == replace(other, answers=())


@asynccontextmanager
async def world(*, fast_lane: bool) -> AsyncIterator[World]:
    """The proxy, with the lane or without."""
    loop = asyncio.get_running_loop()
    made: list[World] = []
    server = await loop.create_server(lambda: Upstream(made[0]), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    async with plain_proxy(
        web.Application(),
        limits=LIMITS,
        server_limits=SERVER_LIMITS,
        response_wait_s=RESPONSE_WAIT_S,
        upstream_port=port,
        fast_lane=fast_lane,
    ) as plain:
        made.append(World(plain, port))
        yield made[0]
    server.close()
