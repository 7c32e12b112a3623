"""What no handler sees is still seen: counted by reason, and told of without a line for each."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest
from aiohttp import web

from sidecar.logs.lines import Line, describe
from sidecar.metrics import Metrics, catalogue
from sidecar.payments.events import RequestServed, RequestsRefused
from sidecar.proxy.refusals import Reason
from sidecar.proxy.server import ServerLimits
from tests.hostile.recorder import recording
from tests.hostile.smuggling_cases import ADMIT, CHUNKED, GET, POST, ask
from tests.world.fakes import NOON
from tests.world.plain_proxy import TOKEN, Plain, plain_proxy

LIMITS = ServerLimits(
    connections_max=8, header_bytes_max=16_384, header_wait_s=0.3, keepalive_s=0.3
)
FLOOD = 300
WAIT_S = 20.0
REFUSED: dict[str, tuple[Reason, bytes, tuple[bytes, ...]]] = {
    "no request": ("malformed", b"400", (b"nonsense\r\n\r\n",)),
    "two lengths": (
        "malformed",
        b"400",
        (ask(POST, b"Content-Length: 3", b"Content-Length: 4", body=b"abc"),),
    ),
    "another coding": (
        "framing",
        b"501",
        (ask(POST, b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),),
    ),
    "chunked in 1.0": ("framing", b"400", (ask(b"POST /v1/a HTTP/1.0", CHUNKED),)),
    "HTTP/2.0": ("version", b"505", (ask(b"GET /v1/a HTTP/2.0"),)),
    "RTSP/1.0": ("version", b"505", (ask(b"GET /v1/a RTSP/1.0"),)),
    "chunks that end": (
        "body",
        b"400",
        (ask(POST, CHUNKED, body=b"20000\r\n" + b"x" * 0x20000 + b"\r\n"), b"zz\r\n"),
    ),
    "a large head": (
        "head_too_large",
        b"431",
        (GET + b"\r\n" + ADMIT, *[b"X-A: " + b"b" * 8_000 + b"\r\n"] * 4),
    ),
    "a head that stops": ("head_overdue", b"", (GET + b"\r\nHost: ",)),
    "nothing": ("head_overdue", b"", (b"",)),
}


async def say(world: Plain, *parts: bytes) -> bytes:
    """The status of the first answer; empty where the connection is closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    host, token = b"127.0.0.1:%d" % world.port, b"Bearer " + TOKEN.encode()
    try:
        for part in parts:
            writer.write(part.replace(b"{host}", host).replace(b"{token}", token))
            # So that each is read as a piece of its own.
            await asyncio.sleep(0.02)
        async with asyncio.timeout(WAIT_S):
            return (await reader.read(12))[9:12]
    except ConnectionError:
        return b""
    finally:
        writer.close()


def told(world: Plain) -> list[RequestsRefused]:
    """What was told of refusals."""
    return [event for event in world.events if isinstance(event, RequestsRefused)]


@pytest.mark.parametrize(("reason", "status", "parts"), REFUSED.values(), ids=REFUSED)
async def test_counted(reason: Reason, status: bytes, parts: tuple[bytes, ...]) -> None:
    """A request that is refused at the door is counted under its reason, and is answered."""
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        answer = await say(world, *parts)

    assert status == answer
    assert [RequestsRefused(reason, 1)] == told(world)
    assert [] == upstream.requests


async def test_connections() -> None:
    """Connections beyond the limit are counted too."""
    async with plain_proxy(web.Application(), server_limits=LIMITS) as world:
        opened = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(11)]
        for reader, _ in opened[8:]:
            assert b"" == await reader.read()
        for _, writer in opened:
            writer.close()

    assert RequestsRefused("connections", 3) in told(world)


async def test_flood() -> None:
    """A flood of them is counted to the last one, in a few events and not one for each."""
    async with plain_proxy(web.Application(), server_limits=LIMITS) as world:
        for _ in range(FLOOD):
            await say(world, b"nonsense\r\n\r\n")

    malformed = [event.count for event in told(world) if event.reason == "malformed"]
    assert FLOOD == sum(malformed)
    # One a second at most, and a second is enough for more than a few.
    assert len(malformed) <= FLOOD // 4


async def test_served_is_not_refused() -> None:
    """A request that is served is recorded as such, and no refusal is told."""
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        answer = await say(world, ask(GET, b"Connection: close"))

    assert b"200" == answer
    assert [200] == [event.status for event in world.events if isinstance(event, RequestServed)]
    assert [] == told(world)


def test_reasons() -> None:
    """The reasons that are counted are the catalogue's, so that none is shown as another."""
    assert set(get_args(Reason)) == set(catalogue.REFUSED_REASONS)


def test_metric() -> None:
    """Refusals are a counter by reason, which starts at zero, and a line of the log."""
    metrics = Metrics((), ())
    metrics.observe(RequestsRefused("malformed", 7))
    metrics.observe(RequestsRefused("malformed", 2))

    page = metrics.render("", NOON, (), None)[0].decode()

    assert 'sidecar_requests_refused_total{reason="malformed"} 9.0' in page
    assert 'sidecar_requests_refused_total{reason="version"} 0.0' in page
    assert Line("info", "requests_refused", {"reason": "body", "count": 3}) == describe(
        RequestsRefused("body", 3)
    )
