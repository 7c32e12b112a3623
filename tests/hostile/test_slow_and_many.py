"""Slow and idle callers beside busy ones, at a sidecar that is a process of its own.

200 slow callers of four kinds, idle connections of two kinds, and 200 callers that work. The slow
and the idle are cut at their limits, the others are all served, and what it took comes back.
Short form: 300 idle connections. SIDECAR_SLOW_IDLE=5000 sets another number of them; both this
process and the sidecar need as many descriptors (`ulimit -n`), and fewer are opened where they
are not to be had. Figures are printed: `pytest -s`.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from sidecar.payments.events import RequestServed
from sidecar.proxy.handler import RequestLimits
from sidecar.proxy.server import ServerLimits
from tests.hostile.recorder import OK, Recorder, Seen, recording
from tests.hostile.smuggling_cases import ADMIT, GET, POST, ask
from tests.world.plain_proxy import TOKEN as PLAIN_TOKEN
from tests.world.plain_proxy import plain_proxy
from tests.world.processes import Process, free_port
from tests.world.running import TOKEN, config_text, listening

IDLE = int(os.environ.get("SIDECAR_SLOW_IDLE", "300"))
SLOW_EACH = 50
BUSY = 200
BUSY_CALLS = 5
DRIP_S = 0.4
OPENING_AT_ONCE = 200
BESIDE = 1_500  # descriptors for the busy, the slow, and the rest of either process
# Nothing is cut later than the longest limit below; the rest is for slow machines.
CUT_WAIT_S = 60.0
# Long enough for all of them to be there while the busy work.
HELD_S = 4 + IDLE // 500
LIMITS = (
    f"{{connections_max: 16384, header_wait_s: {HELD_S}, body_idle_s: {HELD_S}, "
    f"keepalive_s: {HELD_S}, caller_requests_max: 16384}}"
)
KILOBYTES_KEPT_MAX = 64 * 1024
DESCRIPTORS_KEPT_MAX = 16


class Callers:
    """Connections to the sidecar, by what they are; and what they were answered."""

    def __init__(self, port: int, token: str = TOKEN) -> None:
        self._port = port
        self._token = token.encode()
        self._opening = asyncio.Semaphore(OPENING_AT_ONCE)
        self._serving = asyncio.Semaphore(OPENING_AT_ONCE)
        self.answers: Counter[tuple[str, bytes]] = Counter()

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
        answer = b""
        with suppress(ConnectionError):
            writer.write(self.fill(begun))
            rest = asyncio.ensure_future(reader.read())
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
            answer = await reader.readuntil(b"\r\n\r\n{}")
            self.answers["busy", answer[9:12]] += 1
        writer.close()

    async def stalled(self) -> None:
        """Be served once, and then keep the connection without a word."""
        async with self._serving:
            reader, writer = await self._open()
            writer.write(self.fill(ask(GET)))
            await reader.readuntil(b"\r\n\r\n{}")
        self.answers["idle later", await reader.read()] += 1
        writer.close()


class Sidecar:
    """The process under test, as the kernel sees it."""

    def __init__(self, folder: Path, upstream: Recorder) -> None:
        self.port = free_port()
        config = folder / "sidecar.yaml"
        config.write_text(
            config_text(
                folder,
                upstream.origin,
                port=self.port,
                admin_port=free_port(),
                response_wait_s=60,
                limits=LIMITS,
            )
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


@pytest.fixture
def descriptors() -> Iterator[int]:
    """How many this process may open, raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard if hard != resource.RLIM_INFINITY else 2**20
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def slow_and_idle(callers: Callers, idle: int) -> list[asyncio.Task[None]]:
    """All who are to be cut."""
    long_body = ask(POST, b"Content-Length: 100000")
    kinds = {
        "head, dripping": (GET + b"\r\n" + ADMIT + b"X-A: ", b"a"),
        "head, stopped": (GET + b"\r\nHost: ", b""),
        "body, dripping": (long_body + b"a", b"a"),
        "body, stopped": (long_body + b"a", b""),
    }
    works = [
        callers.slow(kind, begun, drip)
        for kind, (begun, drip) in kinds.items()
        for _ in range(SLOW_EACH)
    ]
    works += [callers.slow("idle", b"") for _ in range(idle - idle // 2)]
    works += [callers.stalled() for _ in range(idle // 2)]
    return [asyncio.ensure_future(work) for work in works]


async def test_slow_and_many(tmp_path: Path, descriptors: int) -> None:
    """The slow and idle are cut at their limits, the busy are served, and all is given back."""
    idle = min(IDLE, descriptors - BESIDE)
    async with recording() as upstream:
        sidecar = Sidecar(tmp_path, upstream)
        with sidecar.process:
            await listening(sidecar.port)
            # Once as it will be, so that what is compared has grown to its working size.
            warm = Callers(sidecar.port)
            await asyncio.gather(*[warm.busy(BUSY_CALLS) for _ in range(BUSY)])
            before = sidecar.descriptors(), sidecar.kilobytes()
            callers = Callers(sidecar.port)
            cut = slow_and_idle(callers, idle)
            await asyncio.gather(*[callers.busy(BUSY_CALLS) for _ in range(BUSY)])
            still = sum(not task.done() for task in cut)
            high = sidecar.descriptors(), sidecar.kilobytes()
            async with asyncio.timeout(CUT_WAIT_S):
                await asyncio.gather(*cut)
            async with asyncio.timeout(CUT_WAIT_S):
                while sidecar.descriptors() > before[0] + DESCRIPTORS_KEPT_MAX:
                    await asyncio.sleep(0.1)
            after = sidecar.descriptors(), sidecar.kilobytes()
    print(f"\n{idle} idle, {still} held while {BUSY} worked; (descriptors, KiB): {before=} "
          f"{high=} {after=}\n{dict(callers.answers)}")  # fmt: skip

    assert BUSY * BUSY_CALLS == callers.answers["busy", b"200"]
    assert {
        ("head, dripping", b""): SLOW_EACH,
        ("head, stopped", b""): SLOW_EACH,
        ("body, dripping", b"408"): SLOW_EACH,
        ("body, stopped", b"408"): SLOW_EACH,
        ("idle", b""): idle - idle // 2,
        ("idle later", b""): idle // 2,
        ("busy", b"200"): BUSY * BUSY_CALLS,
    } == dict(callers.answers)
    assert {"/v1/a"} == {seen.target for seen in upstream.requests}
    assert {"GET"} == {seen.method for seen in upstream.requests}
    assert after[1] - before[1] < KILOBYTES_KEPT_MAX


async def test_answers_left_unread() -> None:
    """An app that leaves a large answer unread is cut off in the end, and its upstream with it."""
    size = 64 * 2**20
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size

    def respond(seen: Seen) -> bytes:
        return head + b"x" * size if seen.target == "/v1/a" else OK

    limits = ServerLimits(8, 16_384, header_wait_s=1, keepalive_s=1, stall_wait_s=0.3)
    async with (
        recording(respond) as upstream,
        plain_proxy(web.Application(), server_limits=limits, upstream_port=upstream.port) as world,
    ):
        callers = Callers(world.port, PLAIN_TOKEN)
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(callers.fill(ask(GET)))
        async with asyncio.timeout(CUT_WAIT_S / 4):
            while not (served := [e for e in world.events if isinstance(e, RequestServed)]):
                await asyncio.sleep(0.05)
        writer.close()

    assert [499] == [event.status for event in served]


async def test_a_byte_now_and_then() -> None:
    """A body that drips is cut off, though it is never silent for long; a steady one is read."""
    limits = RequestLimits(replay_bytes_max=100_000, body_idle_s=0.5, caller_requests_max=4)
    steady = ask(POST, b"Content-Length: 6000", b"Connection: close")
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), limits=limits, upstream_port=upstream.port) as world,
    ):
        callers = Callers(world.port, PLAIN_TOKEN)
        async with asyncio.timeout(CUT_WAIT_S):
            await callers.slow("drips", ask(POST, b"Content-Length: 100"), b"a", pause_s=0.1)
            await callers.slow("steady", steady, b"a" * 1_500, pause_s=0.2)

    assert {("drips", b"408"): 1, ("steady", b"200"): 1} == dict(callers.answers)
    assert [6000] == [len(seen.body) for seen in upstream.requests]
