"""A lane: never more in flight than the vendor takes, and every slot given back once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sidecar.clock import SystemClock
from sidecar.errors import UpstreamError, UpstreamTimeoutError
from sidecar.http import Headers, HttpRequest, Reply, read_whole
from sidecar.proxy.lane import Lane, Slots
from tests.world.fakes import FakeClock

REQUEST = HttpRequest("POST", "https://vendor.example/v1/chat")
MAX = 5


class Vendor:
    """An upstream that knows how many requests it is at, and fails where it is asked to."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.most = 0
        self.served: list[str] = []
        self.waits_s: list[float] = []
        self.bodies: list[AsyncIterator[bytes] | None] = []
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.cut = False

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        self.served.append(request.url)
        self.waits_s.append(wait_s)
        self.bodies.append(body)
        arrived = False
        try:
            await self.gate.wait()
            if self.fault is not None:
                raise self.fault
            arrived = True
        finally:
            if not arrived:
                self.in_flight -= 1
        return Serving(self)


class Serving:
    """A reply of two chunks; in flight until it is read to its end or closed."""

    status = 200
    headers: Headers = (("X-Model", "m"),)
    is_here = False

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._ended = False
        self.closes = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0)
        if self._vendor.cut:
            raise UpstreamError("cut short")
        yield b"two"
        self._end()

    def close(self) -> None:
        self.closes += 1
        self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._vendor.in_flight -= 1


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def lane(vendor: Vendor) -> Lane:
    return Lane(vendor, Slots(MAX, SystemClock()))


async def fill(lane: Lane) -> list[Reply]:
    """Replies that hold every slot."""
    return [await lane.send(REQUEST, wait_s=1) for _ in range(MAX)]


async def is_free(lane: Lane, slots: int) -> bool:
    """Whether exactly so many requests find a slot at once; they are closed again."""
    replies: list[Reply] = []
    try:
        for _ in range(slots):
            replies.append(await lane.send(REQUEST, wait_s=0.001))
        with pytest.raises(UpstreamTimeoutError):
            await lane.send(REQUEST, wait_s=0.001)
    except UpstreamTimeoutError:
        return False
    finally:
        for reply in replies:
            reply.close()
    return True


async def test_a_thousand(vendor: Vendor, lane: Lane) -> None:
    """Of a thousand requests at a time all are served, and never more than five at once."""

    async def call() -> bytes:
        return (await read_whole(await lane.send(REQUEST, wait_s=30), 100)).body

    bodies = await asyncio.gather(*(call() for _ in range(1_000)))

    assert [b"onetwo"] * 1_000 == bodies
    assert MAX == vendor.most
    assert await is_free(lane, MAX)


async def test_as_sent(vendor: Vendor, lane: Lane) -> None:
    """What is sent and what comes back pass unchanged, and the whole wait is the upstream's."""

    async def upload() -> AsyncIterator[bytes]:
        yield b"x"

    body = upload()
    reply = await lane.send(REQUEST, wait_s=7.5, body=body)

    assert ([7.5], [body]) == (vendor.waits_s, vendor.bodies)
    assert (200, Serving.headers, False) == (reply.status, reply.headers, reply.is_here)


async def test_in_order(vendor: Vendor, lane: Lane) -> None:
    """Those who wait are served in the order in which they came, and nobody overtakes them."""
    held = await fill(lane)
    waiting = []
    for number in range(4):
        each = HttpRequest("GET", f"https://vendor.example/{number}")
        waiting.append(asyncio.create_task(lane.send(each, wait_s=5)))
        await asyncio.sleep(0)
    held[0].close()
    # A slot is free, and promised: this one comes after those who wait.
    late = asyncio.create_task(lane.send(REQUEST, wait_s=5))
    for reply in held[1:]:
        reply.close()
    for task in (*waiting, late):
        (await task).close()

    assert [*(f"https://vendor.example/{n}" for n in range(4)), REQUEST.url] == vendor.served[MAX:]


async def test_no_turn(vendor: Vendor, lane: Lane) -> None:
    """Where no slot comes free in time, nothing is sent and the app is told that it timed out."""
    held = await fill(lane)
    with pytest.raises(UpstreamTimeoutError, match=r"no turn came in 0\.01 s"):
        await lane.send(REQUEST, wait_s=0.01)
    sent = len(vendor.served)
    for reply in held:
        reply.close()

    assert MAX == sent
    assert await is_free(lane, MAX)


async def test_waiting_counts(vendor: Vendor) -> None:
    """The upstream has what the wait for a turn left of the time."""
    clock = FakeClock()
    lane = Lane(vendor, Slots(1, clock))
    for waited_s in (4.0, 40.0):
        held = await lane.send(REQUEST, wait_s=30)
        task = asyncio.create_task(lane.send(REQUEST, wait_s=30))
        await asyncio.sleep(0)
        clock.advance(waited_s)
        held.close()
        (await task).close()

    assert [30, 26, 30, 0] == vendor.waits_s


async def test_cancelled_while_waiting(vendor: Vendor, lane: Lane) -> None:
    """An app that hangs up while it waits gives its turn to the next."""
    held = await fill(lane)
    first, second = (asyncio.create_task(lane.send(REQUEST, wait_s=5)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    held[0].close()
    (await second).close()
    for reply in held[1:]:
        reply.close()

    assert first.cancelled()
    assert await is_free(lane, MAX)


async def test_cancelled_with_a_turn(vendor: Vendor, lane: Lane) -> None:
    """A turn that came in the moment of the hang-up is not lost."""
    held = await fill(lane)
    first, second = (asyncio.create_task(lane.send(REQUEST, wait_s=5)) for _ in range(2))
    await asyncio.sleep(0)
    held[0].close()
    first.cancel()
    (await second).close()
    for reply in held[1:]:
        reply.close()

    assert await is_free(lane, MAX)


async def test_cancelled_while_sending(vendor: Vendor, lane: Lane) -> None:
    """An app that hangs up before the answer's head gives its slot back."""
    vendor.gate.clear()
    task = asyncio.create_task(lane.send(REQUEST, wait_s=5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    vendor.gate.set()

    assert await is_free(lane, MAX)


async def test_send_failed(vendor: Vendor, lane: Lane) -> None:
    """A request that could not be sent gives its slot back, and says why."""
    vendor.fault = UpstreamError("gone")
    for _ in range(2 * MAX):
        with pytest.raises(UpstreamError, match="gone"):
            await lane.send(REQUEST, wait_s=1)
    vendor.fault = None

    assert await is_free(lane, MAX)


async def test_cancelled_while_streaming(lane: Lane) -> None:
    """An app that hangs up in mid-stream frees the slot when its reply is closed, not before."""
    reply = await lane.send(REQUEST, wait_s=1)

    async def relay() -> None:
        try:
            async for _ in reply.chunks():
                await asyncio.sleep(60)
        finally:
            free.append(await is_free(lane, MAX - 1))
            reply.close()

    free: list[bool] = []
    task = asyncio.create_task(relay())
    await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [True] == free
    assert await is_free(lane, MAX)


async def test_cut(vendor: Vendor, lane: Lane) -> None:
    """A stream that is cut short keeps its slot until it is closed."""
    vendor.cut = True
    reply = await lane.send(REQUEST, wait_s=1)
    with pytest.raises(UpstreamError):
        _ = [chunk async for chunk in reply.chunks()]
    vendor.cut = False

    assert await is_free(lane, MAX - 1)
    reply.close()
    assert await is_free(lane, MAX)


async def test_ended(lane: Lane) -> None:
    """A body that was read to its end frees the slot by itself; closing it then frees no other."""
    reply = await lane.send(REQUEST, wait_s=1)

    assert [b"one", b"two"] == [chunk async for chunk in reply.chunks()]
    assert await is_free(lane, MAX)
    reply.close()
    assert await is_free(lane, MAX)


async def test_closed_twice(vendor: Vendor) -> None:
    """A reply that is never read, and closed twice, frees one slot; the upstream hears both."""
    slots = Slots(MAX, SystemClock())
    lane, serving = Lane(vendor, slots), Serving(vendor)

    class Once(Vendor):
        async def send(
            self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
        ) -> Reply:
            return serving

    reply = await Lane(Once(), slots).send(REQUEST, wait_s=1)
    reply.close()
    reply.close()

    assert 2 == serving.closes
    assert await is_free(lane, MAX)


async def test_shared(vendor: Vendor) -> None:
    """Two lanes with the same slots share them: they are one wallet's."""
    slots = Slots(1, SystemClock())
    one, other = Lane(vendor, slots), Lane(vendor, slots)
    reply = await one.send(REQUEST, wait_s=1)
    with pytest.raises(UpstreamTimeoutError):
        await other.send(REQUEST, wait_s=0.001)
    reply.close()

    assert await is_free(other, 1)
