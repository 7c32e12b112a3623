"""How the lane's wires are connected: by whom, with which faults, how long it waits, the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection

from sidecar.errors import UpstreamError, UpstreamTimeoutError
from sidecar.http import Origin
from sidecar.proxy.upstream import HttpUpstream
from sidecar.proxy.wires import Wire, Wires
from sidecar.tasks import Supervisor
from tests.e2e.lane_ends import OK, deaf_port
from tests.world.raw_upstream import raw_upstream
from tests.world.shifted_loop import later, run_shifted

GET = b"GET / HTTP/1.1\r\nHost: up\r\n\r\n"
DOWN = "127.0.0.2"  # nobody listens there


class Places(AbstractResolver):
    """Every name is at these addresses."""

    def __init__(self, *places: str) -> None:
        self._places = places

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not self._places:
            raise OSError(None, "no such name")
        return [
            ResolveResult(hostname=host, host=place, port=port, family=family, proto=0, flags=0)
            for place in self._places
        ]

    async def close(self) -> None:
        """Nothing is open."""


class CountedConnector(TCPConnector):
    """Knows how often it was asked to connect."""

    asked = 0

    async def connect(self, *of: Any, **others: Any) -> Connection:
        self.asked += 1
        return await super().connect(*of, **others)


@dataclass(eq=False)
class Heard:
    """Whoever asks: what it was told, and when."""

    told: list[str] = field(default_factory=list)

    def answered(self, data: bytes) -> None:
        self.told.append(data.decode())

    def lost(self, fault: Exception | None) -> None:
        self.told.append("lost")

    def overdue(self) -> None:
        self.told.append("overdue")


@asynccontextmanager
async def wires_to(
    port: int, *places: str, name: str = "up.test", connect_wait_s: float = 2.0
) -> AsyncIterator[tuple[Wires, CountedConnector]]:
    """Wires to a name that is at these addresses, and the connector under them."""
    origin = Origin.of(f"http://{name}:{port}")
    connector = CountedConnector(limit=0, resolver=Places(*places))
    upstream = HttpUpstream(
        frozenset({origin}), connector, Supervisor(lambda *_: None), connect_wait_s, 5.0
    )
    wires = Wires(upstream, origin)
    try:
        yield wires, connector
    finally:
        wires.close()
        await connector.close()


async def ask(wire: Wire, heard: Heard, wait_s: float = 5.0) -> None:
    """One request, whose answer somebody else waits for."""
    wire.asking = heard
    wire.transport.write(GET)
    wire.expect(wait_s)


@pytest.mark.parametrize(
    ("places", "asked"),
    [(("127.0.0.1",), 0), ((DOWN, "127.0.0.1"), 1)],
    ids=["one address", "two, of which the first is down"],
)
async def test_connected(places: tuple[str, ...], asked: int) -> None:
    """One address is connected to by the loop; of several, by the connector, one that answers.

    Either way the connector keeps nothing of it, until it is handed over.
    """
    async with raw_upstream() as seller, wires_to(seller.port, *places) as (wires, connector):
        wire = await wires.connect(2.0)
        other, heard = await seller.connection(), Heard()
        await ask(wire, heard)
        await other.request()
        other.say(OK)
        while not heard.told:
            await asyncio.sleep(0.001)
        kept = len(connector._acquired)
        wire.hand_over(b"").release()
        again = await wires.connect(2.0)
        times, reused = connector.asked, len(seller.ends)
        again.close()

    assert [OK.decode()] == heard.told
    assert (asked, 0) == (times - 1, kept)
    assert 1 == reused


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (("127.0.0.1",), "cannot connect to http://up.test:9: Cannot connect to host up.test:9 "),
        ((DOWN, "127.0.0.1"), "cannot connect to http://up.test:9: "),
        ((), "cannot connect to http://up.test:9: Cannot connect to host up.test:9 "),
    ],
    ids=["one address", "two", "none"],
)
async def test_refused(places: tuple[str, ...], said: str) -> None:
    """Where nobody listens, or the name is unknown, the fault names the upstream."""
    async with wires_to(9, *places) as (wires, _):
        with pytest.raises(UpstreamError) as fault:
            await wires.connect(2.0)

    assert str(fault.value).startswith(said)


@pytest.mark.parametrize(
    ("connect_wait_s", "wait_s", "said"),
    [
        (0.1, 9.0, "cannot connect to http://127.0.0.1:{port}: timed out"),
        (9.0, 0.1, "no answer from http://127.0.0.1:{port} in 0.1 s"),
    ],
    ids=["connect_wait_s", "response_wait_s"],
)
async def test_limits(connect_wait_s: float, wait_s: float, said: str) -> None:
    """An attempt ends with the shorter one of the two limits, and says which."""
    async with (
        deaf_port() as port,
        wires_to(port, name="127.0.0.1", connect_wait_s=connect_wait_s) as (wires, _),
    ):
        async with asyncio.timeout(5.0):
            with pytest.raises(UpstreamError) as fault:
                await wires.connect(wait_s)
        timed_out = isinstance(fault.value, UpstreamTimeoutError)

    assert said.format(port=port) == str(fault.value)
    assert (wait_s < connect_wait_s) == timed_out


@pytest.mark.parametrize(
    ("origin", "by_proxy", "first"),
    [("https://up.test:{port}", False, b"\x16\x03"), ("http://up.test:9", True, b"GET ")],
    ids=["TLS", "a proxy"],
)
async def test_out_of_the_ordinary(origin: str, by_proxy: bool, first: bytes) -> None:
    """Nothing is said in the clear to an origin over TLS, and a proxy is not passed by."""
    async with raw_upstream() as seller:
        to = Origin.of(origin.format(port=seller.port))
        through = f"http://127.0.0.1:{seller.port}" if by_proxy else ""
        connector = TCPConnector(limit=0, resolver=Places("127.0.0.1"))
        tasks = Supervisor(lambda *_: None)
        upstream = HttpUpstream(frozenset({to}), connector, tasks, 2.0, 5.0, lambda _: through)
        wires = Wires(upstream, to)
        with suppress(UpstreamTimeoutError):
            await ask(await wires.connect(0.5), Heard())
        said = await (await seller.connection()).some(len(first))
        wires.close()
        await connector.close()

    assert first == said


async def test_given_up() -> None:
    """An attempt that nobody waits for any more leaves no connection."""
    async with raw_upstream() as seller, wires_to(seller.port, "127.0.0.1") as (wires, _):
        for turns in range(12):
            attempt = asyncio.ensure_future(wires.connect(2.0))
            for _ in range(turns):
                await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.wait([attempt])
            if not attempt.cancelled():
                attempt.result().close()
        await asyncio.sleep(0.05)
        rest = [await end.rest() for end in seller.ends]

    assert all(data == b"" for data in rest)


async def test_lost_at_once() -> None:
    """A connection that has ended before it could be used is a fault, and none of the wires."""

    class Closing(HttpUpstream):
        async def _connect(self, target: ClientRequest) -> Connection:
            connection = await super()._connect(target)
            assert connection.transport is not None
            connection.transport.abort()
            return connection

    async with raw_upstream() as seller:
        origin = Origin.of(f"http://up.test:{seller.port}")
        connector = TCPConnector(limit=0, resolver=Places("127.0.0.1", DOWN))
        upstream = Closing(frozenset({origin}), connector, Supervisor(lambda *_: None), 2.0, 5.0)
        wires = Wires(upstream, origin)
        with pytest.raises(UpstreamError, match="closed the connection without an answer"):
            await wires.connect(2.0)
        wires.close()
        await connector.close()


async def test_end() -> None:
    """At the end all wires are closed, and who waits for an answer is told."""
    async with raw_upstream() as seller, wires_to(seller.port, "127.0.0.1") as (wires, _):
        busy, idle = await wires.connect(2.0), await wires.connect(2.0)
        heard = Heard()
        await ask(busy, heard)
        wires.put(idle)
        wires.close()
        ends = [await seller.connection() for _ in range(2)]
        for end in ends:
            await end.hung_up()

    assert ["lost"] == heard.told


def test_one_timer() -> None:
    """Each wire's wait ends when it should, whichever began first, and none that was put off."""

    async def walk() -> None:
        async with raw_upstream() as seller, wires_to(seller.port, "127.0.0.1") as (wires, _):
            heard = [Heard() for _ in range(4)]
            for each, wait_s in zip(heard, (30.0, 10.0, 20.0, 10.0), strict=True):
                await ask(await wires.connect(2.0), each, wait_s)
            put_off = heard.pop()
            [wire] = [wire for wire in wires._all if wire.asking is put_off]
            wire.expect(float("inf"))
            told = []
            for _ in range(3):
                later(10.01)
                await asyncio.sleep(0.01)
                told.append([len(each.told) > 0 for each in heard])
                for wire in wires._all:
                    if wire.asking in [each for each in heard if each.told]:
                        wire.asking = None

            assert [[False, True, False], [False, True, True], [True, True, True]] == told
            assert [] == put_off.told

    run_shifted(walk())
