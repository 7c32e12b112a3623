"""Callers of a sidecar by the thousand: slow ones, idle ones, and ones that work."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.hostile.recorder import Recorder
from tests.hostile.smuggling_cases import GET, ask
from tests.world.processes import Process, free_port
from tests.world.running import TOKEN, config_text

DRIP_S = 0.4
OPENING_AT_ONCE = 200
_LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)


class Callers:
    """Connections to the sidecar, by what they are; and what they were answered."""

    def __init__(self, port: int, token: str = TOKEN) -> None:
        self._port = port
        self._token = token.encode()
        self._opening = asyncio.Semaphore(OPENING_AT_ONCE)
        self._serving = asyncio.Semaphore(OPENING_AT_ONCE)
        self.answers: Counter[tuple[str, bytes]] = Counter()
        self.surprises: set[bytes] = set()  # the bodies of answers that were no 200

    def fill(self, data: bytes) -> bytes:
        """The request as this sidecar wants it."""
        host = b"127.0.0.1:%d" % self._port
        return data.replace(b"{host}", host).replace(b"{token}", b"Bearer " + self._token)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._opening:
            return await asyncio.open_connection("127.0.0.1", self._port)

    async def slow(
        self, kind: str, begun: bytes, drip: bytes = b"", pause_s: float = DRIP_S
    ) -> None:
        """Begin a request, then send ``drip`` now and then, until the sidecar hangs up."""
        reader, writer = await self._open()
        writer.write(self.fill(begun))
        rest = asyncio.ensure_future(_until_cut(reader))
        while drip and not rest.done():
            await asyncio.wait([rest], timeout=pause_s)
            writer.write(drip)
        answer = await rest
        writer.close()
        self.answers[kind, answer[9:12]] += 1

    async def busy(self, calls: int) -> None:
        """Call again and again on one connection, as an app does."""
        reader, writer = await self._open()
        for _ in range(calls):
            writer.write(self.fill(ask(GET)))
            await self._count("busy", reader)
        writer.close()

    async def stalled(self) -> None:
        """Be served once, and then keep the connection without a word."""
        async with self._serving:
            reader, writer = await self._open()
            writer.write(self.fill(ask(GET)))
            await self._count("idle later", reader)
        self.answers["idle later, cut", await _until_cut(reader)] += 1
        writer.close()

    async def _count(self, kind: str, reader: asyncio.StreamReader) -> None:
        """Read the next answer whole, and count it by its status."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length is not None else 0)
        self.answers[kind, head[9:12]] += 1
        if head[9:12] != b"200":
            self.surprises.add(body)


async def _until_cut(reader: asyncio.StreamReader) -> bytes:
    """All that comes. A reset is an end too: a drip may have been under way to a closed door."""
    data = b""
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            data += piece
    return data


class Sidecar:
    """The process under test, as the kernel sees it."""

    def __init__(self, folder: Path, upstream: Recorder, limits: str) -> None:
        self.port = free_port()
        config = folder / "sidecar.yaml"
        config.write_text(
            config_text(
                folder,
                upstream.origin,
                port=self.port,
                admin_port=free_port(),
                response_wait_s=60,
                limits=limits,
            )
            # Its upstream is this process, which is as slow as the callers make it.
            + "    connect_wait_s: 60\n"
        )
        self.process = Process(
            [sys.executable, "-m", "sidecar", "run", "--config", config], folder / "sidecar.log"
        )
        self._folder = Path("/proc") / str(self.process._popen.pid)

    def descriptors(self) -> int:
        """How many it has open."""
        return len(list((self._folder / "fd").iterdir()))

    def kilobytes(self) -> int:
        """Its resident memory."""
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
