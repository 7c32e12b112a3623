"""Balances: observed or read, shared by those who ask, and never asked for too often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import cast

import pytest

from sidecar.errors import RemoteProtocolError, UpstreamError, WalletError
from sidecar.http import Headers, HttpRequest, HttpResponse, Reply
from sidecar.payments.balances import ACCOUNTS_MAX, Balances, Known, Source
from sidecar.payments.events import BalanceObserved, Event
from sidecar.providers.base import Balance, Credential, Provider, Traits
from tests.world.fakes import NOON, FakeClock

KEY = Credential((("Authorization", "Bearer jwt"),))
SPACING_S = 2.0


def usd(value: str) -> Balance:
    return Balance(Decimal(value), "usd", can_consume=True)


@dataclass(frozen=True)
class Vendor:
    """A provider whose balance is what its answer's body says."""

    traits: Traits = field(default_factory=lambda: Traits(balance_spacing_s=SPACING_S))

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        url = f"https://vendor.example/balance/{account}"
        response = yield HttpRequest("GET", url, credential.headers)
        if not response.body:
            raise RemoteProtocolError("the vendor named no balance")
        return (usd(response.body.decode()),)


@dataclass(frozen=True)
class Shop(Vendor):
    """A vendor of several accounts."""

    accounts: tuple[str, ...] = ("a", "b")


@dataclass
class Said:
    """A reply with this body."""

    body: bytes
    status: int = 200
    headers: Headers = ()
    is_here: bool = True

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    def close(self) -> None: ...


class Line:
    """An upstream that counts; it answers 1, 2, 3... once the gate is open."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.gate = asyncio.Event()
        self.gate.set()
        self.sent: list[HttpRequest] = []
        self.sent_at_s: list[float] = []
        self.in_flight = 0
        self.faults: list[Exception | bytes | None] = []

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        assert self.in_flight == 0
        self.sent.append(request)
        self.sent_at_s.append(self._clock.monotonic_s())
        number = len(self.sent)
        self.in_flight += 1
        try:
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        return Said(str(number).encode() if fault is None else fault)


class World:
    """One book of balances, and what was heard of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.line = Line(self.clock)
        self.events: list[Event] = []
        self.heard: list[tuple[str, str, tuple[Balance, ...]]] = []
        self.signed = 0
        self.balances = Balances(self.clock, self.events.append, self.hear)
        self.source = self.selling(Vendor())

    def hear(self, route: str, account: str, balances: tuple[Balance, ...]) -> None:
        self.heard.append((route, account, balances))

    def selling(self, vendor: Vendor, route: str = "venice") -> Source:
        return Source(route, cast("Provider", vendor), self.line, self.credential)

    async def credential(self) -> Credential:
        self.signed += 1
        return KEY

    def read(self, account: str = "") -> asyncio.Task[tuple[Balance, ...] | None]:
        return asyncio.create_task(self.balances.read(self.source, account))


@pytest.fixture
async def world() -> World:
    return World()


async def settle() -> None:
    """Let everything that can go on, go on."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_observed(world: World) -> None:
    """What is observed is remembered with its time, told of, and handed to who watches."""
    both = (usd("1.5"), Balance(Decimal(3), "diem", can_consume=False))
    world.balances.observe("venice", "", both)
    later = NOON + timedelta(seconds=5)
    world.clock.advance(5)
    world.balances.observe("layer", "weather", (usd("2"),))

    assert (both, NOON) == world.balances.latest("venice", "")
    assert ((usd("2"),), later) == world.balances.latest("layer", "weather")
    assert [
        BalanceObserved("venice", "", both[0], NOON),
        BalanceObserved("venice", "", both[1], NOON),
        BalanceObserved("layer", "weather", usd("2"), later),
    ] == world.events
    assert [("venice", "", both), ("layer", "weather", (usd("2"),))] == world.heard
    assert (
        Known("venice", "", both, NOON),
        Known("layer", "weather", (usd("2"),), later),
    ) == world.balances.known()


async def test_nothing_said(world: World) -> None:
    """An answer without balances changes nothing and is not told of."""
    world.balances.observe("venice", "", (usd("1"),))
    world.balances.observe("venice", "", ())

    assert ((usd("1"),), NOON) == world.balances.latest("venice", "")
    assert 1 == len(world.heard)


async def test_unknown(world: World) -> None:
    """Nothing is known of an account before its first balance, nor by a failed reading."""
    world.balances.observe("venice", "other", (usd("1"),))
    world.line.faults = [UpstreamError("gone")]
    await world.read()

    assert [None, None, None] == [
        world.balances.latest(route, account)
        for route, account in (("venice", ""), ("venice", "x"), ("nodit", ""))
    ]
    assert ["other"] == [each.account for each in world.balances.known()]


async def test_read(world: World) -> None:
    """A reading asks the vendor with the route's credential, and is observed like any other."""
    answer = await world.read("weather")

    assert (usd("1"),) == answer
    assert ((usd("1"),), NOON) == world.balances.latest("venice", "weather")
    assert [("venice", "weather", (usd("1"),))] == world.heard
    assert [
        HttpRequest("GET", "https://vendor.example/balance/weather", KEY.headers)
    ] == world.line.sent


async def test_shared(world: World) -> None:
    """Those who ask while a reading waits for its turn share it: a hundred make one request."""
    world.balances.observe("venice", "", (usd("9"),))
    await world.read()
    answers = await asyncio.gather(*(world.read() for _ in range(100)))

    assert [(usd("2"),)] * 100 == answers
    assert [0.0, SPACING_S] == world.line.sent_at_s


async def test_asked_before(world: World) -> None:
    """A reading that was under way answers nobody who asks after it was sent."""
    world.line.gate.clear()
    first = world.read()
    await settle()
    second, third = world.read(), world.read()
    await settle()
    world.line.gate.set()
    answers = [await first, await second, await third]

    assert [(usd("1"),), (usd("2"),), (usd("2"),)] == answers
    assert [0.0, SPACING_S] == world.line.sent_at_s


async def test_spacing(world: World) -> None:
    """Only a reading that comes too early waits; one that failed counts as any other."""
    world.line.faults = [UpstreamError("gone")]
    await world.read()
    world.clock.advance(0.5)
    await world.read()
    world.clock.advance(10)
    await world.read()

    assert [0.0, SPACING_S, SPACING_S + 10] == world.line.sent_at_s


async def test_accounts_are_apart(world: World) -> None:
    """The readings of different accounts and routes neither wait for nor answer one another."""
    answers = [
        await world.read("a"),
        await world.read("b"),
        await world.balances.read(world.selling(Vendor(), "nodit"), "a"),
    ]

    assert [(usd("1"),), (usd("2"),), (usd("3"),)] == answers
    assert [0.0, 0.0, 0.0] == world.line.sent_at_s


async def test_cancelled(world: World) -> None:
    """When the one who asked first hangs up, those who wait are answered all the same."""
    world.line.gate.clear()
    first = world.read()
    await settle()
    others = [world.read(), world.read()]
    await settle()
    first.cancel()
    await settle()
    world.line.gate.set()

    assert [(usd("2"),)] * 2 == [await each for each in others]
    assert [0.0, SPACING_S] == world.line.sent_at_s


class Waiting(FakeClock):
    """A clock whose sleepers sleep until the test wakes them."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = asyncio.Event()

    async def sleep(self, duration_s: float) -> None:
        await self.woken.wait()
        self.advance(duration_s)


async def test_cancelled_in_turn(world: World) -> None:
    """One who hangs up while waiting for the vendor's spacing leaves the reading to the next."""
    clock = Waiting()
    balances = Balances(clock, world.events.append, world.hear)
    await balances.read(world.source, "")
    first, second = (asyncio.create_task(balances.read(world.source, "")) for _ in range(2))
    await settle()
    first.cancel()
    clock.woken.set()

    assert (usd("2"),) == await second
    assert 2 == len(world.line.sent)


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (UpstreamError("cannot connect"), "cannot connect"),
        (b"", "the vendor named no balance"),
    ],
)
async def test_unreadable(world: World, fault: Exception | bytes, failure: str) -> None:
    """A vendor that cannot be read changes nothing; why is remembered until it can be."""
    await world.read()
    before = len(world.events)
    world.line.faults = [fault]

    assert None is await world.read()
    assert failure == world.balances.failure("venice", "")
    assert ((usd("1"),), NOON) == world.balances.latest("venice", "")
    assert before == len(world.events)
    await world.read()
    assert None is world.balances.failure("venice", "")
    assert None is world.balances.failure("venice", "never read")


async def test_shared_failure(world: World) -> None:
    """A failure is shared as an answer is."""
    await world.read()
    world.line.faults = [UpstreamError("gone")]

    assert [None] * 10 == await asyncio.gather(*(world.read() for _ in range(10)))
    assert 2 == len(world.line.sent)


async def test_no_sign_in(world: World) -> None:
    """A wallet that cannot sign in is a failed reading."""

    async def broken() -> Credential:
        raise WalletError("the key is gone")

    source = Source("venice", cast("Provider", Vendor()), world.line, broken)

    assert None is await world.balances.read(source, "")
    assert "the key is gone" == world.balances.failure("venice", "")


async def test_too_slow(world: World) -> None:
    """A vendor that never ends its answer is given up in time."""
    hasty = Balances(world.clock, world.events.append, world.hear, reading_wait_s=0.01)
    world.line.gate.clear()

    assert None is await hasty.read(world.source, "")
    assert "the balance could not be read in 0.01 s" == hasty.failure("venice", "")


async def test_overtaken(world: World) -> None:
    """What was observed while a reading was under way stands: the reading may be the older."""
    world.line.gate.clear()
    reading = world.read()
    await settle()
    world.balances.observe("venice", "", (usd("22.5"),))
    world.line.gate.set()

    assert (usd("1"),) == await reading
    assert ((usd("22.5"),), NOON) == world.balances.latest("venice", "")
    assert [("venice", "", (usd("22.5"),))] == world.heard


async def test_heir(world: World) -> None:
    """What is known of a route that stays is known to both; of another its heir knows nothing."""
    heard: list[str] = []
    world.balances.observe("venice", "", (usd("3"),))
    world.balances.observe("gone", "", (usd("4"),))
    heir = world.balances.heir(lambda route, account, seen: heard.append(route), ["venice", "new"])
    heir.observe("venice", "", (usd("5"),))
    world.balances.observe("new", "", (usd("6"),))

    assert ((usd("5"),), NOON) == world.balances.latest("venice", "")
    assert ((usd("6"),), NOON) == heir.latest("new", "")
    assert None is heir.latest("gone", "")
    assert (["venice"], 3) == (heard, len(world.heard))


async def test_no_balance_to_read(world: World) -> None:
    """A vendor without balances is never asked."""
    source = world.selling(Vendor(Traits()))
    await world.balances.run([source], 60)

    assert None is await world.balances.read(source, "")
    assert 0 == len(world.line.sent)


async def polled(
    world: World, sources: list[Source], interval_s: float, requests: int
) -> list[str]:
    """The URLs that are asked for by polling, up to this many."""
    task = asyncio.create_task(world.balances.run(sources, interval_s))
    while len(world.line.sent) < requests and not task.done():
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    return [request.url.rpartition("/")[2] for request in world.line.sent[:requests]]


async def test_polling(world: World) -> None:
    """Every known account is read on the interval: the provider's, and those since observed."""
    world.balances.observe("layer", "c", (usd("1"),))
    world.balances.observe("other", "d", (usd("1"),))
    await world.balances.read(world.selling(Shop(), "layer"), "b")
    world.line.sent.clear()
    world.line.sent_at_s.clear()
    world.clock.advance(100)
    began_s = world.clock.monotonic_s()

    assert ["a", "b", "c"] * 2 == await polled(world, [world.selling(Shop(), "layer")], 60, 6)
    assert [began_s] * 3 + [began_s + 60] * 3 == world.line.sent_at_s[:6]


async def test_unreadable_accounts_are_left(world: World) -> None:
    """An account that was asked for once and never had a balance is not polled."""
    source = world.selling(Shop(), "layer")
    world.line.faults = [b""]
    await world.balances.read(source, "no-such-endpoint")
    world.line.sent.clear()

    assert ["a", "b", "a"] == await polled(world, [source], 60, 3)


async def test_polling_goes_on(world: World) -> None:
    """A reading that failed is tried again the next time."""
    world.line.faults = [UpstreamError("gone"), UpstreamError("gone")]
    await polled(world, [world.source], 60, 3)

    assert [0.0, 60.0, 120.0] == world.line.sent_at_s[:3]


async def test_polling_keeps_the_spacing(world: World) -> None:
    """An interval below the vendor's spacing is lengthened to it."""
    await polled(world, [world.source], 0.1, 3)

    assert [0.0, SPACING_S, 2 * SPACING_S] == world.line.sent_at_s[:3]


async def test_vendors_are_apart(world: World) -> None:
    """A vendor that does not answer keeps no other from being read."""
    silent = Line(world.clock)
    silent.gate.clear()
    dead = Source("dead", cast("Provider", Vendor()), silent, world.credential)

    assert ["", ""] == await polled(world, [dead, world.source], 60, 2)
    assert 1 == len(silent.sent)


async def test_accounts_are_bounded(world: World) -> None:
    """However many accounts apps name, the ones used last are remembered, per route."""
    names = [str(number) for number in range(ACCOUNTS_MAX)]
    world.balances.observe("venice", "", (usd("1"),))
    for name in (*names, "0", "new"):
        world.balances.observe("layer", name, (usd("1"),))
    layer = [each.account for each in world.balances.known() if each.route == "layer"]

    assert [*names[2:], "0", "new"] == layer
    assert None is not world.balances.latest("venice", "")


async def test_a_forgotten_account(world: World) -> None:
    """A reading whose account was forgotten meanwhile is recorded as any other."""
    world.line.gate.clear()
    reading = world.read()
    await settle()
    for number in range(ACCOUNTS_MAX):
        world.balances.observe("venice", str(number), (usd("1"),))
    world.line.gate.set()

    assert (usd("1"),) == await reading
    assert ((usd("1"),), NOON) == world.balances.latest("venice", "")
