"""Slow and idle callers beside busy ones, at a sidecar that is a process of its own.

200 slow callers of four kinds, idle connections of two kinds, and 200 callers that work. The slow
and the idle are cut at their limits, the others are all served, and what it took comes back: the
descriptors after each wave of them, and the memory levels off from wave to wave (an allocator
keeps what it once had, a leak takes as much again each time). Short form: two waves of 300 idle
connections. SIDECAR_SLOW_IDLE=5000 and SIDECAR_SLOW_WAVES=5 set other numbers; both this process
and the sidecar need as many descriptors (`ulimit -n`), and fewer connections are opened where
they are not to be had. Figures are printed: `pytest -s`.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from sidecar.payments.events import RequestServed
from sidecar.proxy.handler import RequestLimits
from sidecar.proxy.server import ServerLimits
from tests.hostile.callers import Callers, Sidecar
from tests.hostile.recorder import OK, Seen, recording
from tests.hostile.smuggling_cases import ADMIT, GET, POST, ask
from tests.world.plain_proxy import TOKEN as PLAIN_TOKEN
from tests.world.plain_proxy import plain_proxy
from tests.world.running import listening

IDLE = int(os.environ.get("SIDECAR_SLOW_IDLE", "300"))
WAVES = max(2, int(os.environ.get("SIDECAR_SLOW_WAVES", "2")))
SLOW_EACH = 50
BUSY = 200
BUSY_CALLS = 5
BESIDE = 1_500  # descriptors for the busy, the slow, and the rest of either process
# Nothing is cut later than the longest limit below; the rest is for slow machines.
CUT_WAIT_S = 180.0
# Long enough for all of them to be there while the busy work.
HELD_S = 4 + IDLE // 500
LIMITS = (
    f"{{connections_max: 16384, header_wait_s: {HELD_S}, body_idle_s: {HELD_S}, "
    f"keepalive_s: {HELD_S}, caller_requests_max: 16384}}"
)
# Of what the first wave takes; a wave that left a page for each connection behind would take more.
KEPT_SHARE_MAX = 0.05
KILOBYTES_KEPT_MAX = 2_048
DESCRIPTORS_KEPT_MAX = 16


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


async def wave(sidecar: Sidecar, idle: int) -> tuple[Callers, int, int]:
    """All of them once. Their answers, how many were held meanwhile, and how high memory was."""
    callers = Callers(sidecar.port)
    rest = sidecar.descriptors()
    cut = slow_and_idle(callers, idle)
    await asyncio.gather(*[callers.busy(BUSY_CALLS) for _ in range(BUSY)])
    still = sum(not task.done() for task in cut)
    high = sidecar.kilobytes()
    async with asyncio.timeout(CUT_WAIT_S):
        await asyncio.gather(*cut)
        while sidecar.descriptors() > rest + DESCRIPTORS_KEPT_MAX:
            await asyncio.sleep(0.1)
    return callers, still, high


async def test_slow_and_many(tmp_path: Path, descriptors: int) -> None:
    """The slow and idle are cut at their limits, the busy are served, and all is given back."""
    idle = min(IDLE, descriptors - BESIDE)
    answers = []
    async with recording() as upstream:
        sidecar = Sidecar(tmp_path, upstream, LIMITS)
        with sidecar.process:
            await listening(sidecar.port)
            # Once as it will be, so that what is compared has grown to its working size.
            warm = Callers(sidecar.port)
            await asyncio.gather(*[warm.busy(BUSY_CALLS) for _ in range(BUSY)])
            held = [sidecar.kilobytes()]
            for number in range(WAVES):
                callers, still, high = await wave(sidecar, idle)
                answers.append(dict(callers.answers))
                held.append(sidecar.kilobytes())
                print(f"\nwave {number + 1}: {idle} idle, {still} held while {BUSY} worked; "
                      f"{high} KiB meanwhile, {held[-1]} KiB and {sidecar.descriptors()} "
                      f"descriptors after it\n{answers[-1]} {callers.surprises}")  # fmt: skip

    grown = [after - before for before, after in pairwise(held)]
    print(f"KiB at the start {held[0]}, and grown by {grown}")
    expected = {
        ("head, dripping", b""): SLOW_EACH,
        ("head, stopped", b""): SLOW_EACH,
        ("body, dripping", b"408"): SLOW_EACH,
        ("body, stopped", b"408"): SLOW_EACH,
        ("idle", b""): idle - idle // 2,
        ("idle later", b"200"): idle // 2,
        ("idle later, cut", b""): idle // 2,
        ("busy", b"200"): BUSY * BUSY_CALLS,
    }
    assert [expected] * WAVES == answers
    assert {"/v1/a"} == {seen.target for seen in upstream.requests}
    assert {"GET"} == {seen.method for seen in upstream.requests}
    assert grown[-1] <= max(KEPT_SHARE_MAX * grown[0], KILOBYTES_KEPT_MAX)


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
