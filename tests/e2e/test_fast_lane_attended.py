"""What the lane sent and its handler answers: the same bytes as around it, on the lane still."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.errors import RemoteProtocolError, UpstreamError, UpstreamTimeoutError
from sidecar.http import HttpRequest, Origin, WholeReply, read_whole
from sidecar.proxy.pool import Pool
from sidecar.proxy.wires import Wires
from sidecar.tasks import Supervisor
from tests.e2e.lane_ends import OK, call
from tests.world.raw_scene import scene
from tests.world.raw_upstream import RawUpstream, raw_upstream

OFFER = (
    b"HTTP/1.1 402 Payment Required\r\nPAYMENT-REQUIRED: e30=\r\nX-Odd: two\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)
REFUSALS = [
    OFFER,
    OFFER.replace(b"X-Odd: two", b"X-Odd:  two"),
    OFFER.replace(b": 2\r", b": 19\r").replace(b"{}", b'{"x402Version": 1 }'),
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\nWWW-Authenticate: x\r\n\r\nwho",
    b"HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n",
]
IDS = ["no challenge", "not ordinary", "challenge", "unauthorized", "nothing"]


async def relayed(refusal: bytes, lane: bool) -> tuple[bytes, int]:
    """What an app gets in return, twice on one connection, and how often on the lane."""
    async with scene(fast_lane=lane) as (world, upstream, app):
        got = b""
        app.say(call(world))
        other = await upstream.connection()
        for _ in range(3):
            await other.request()
            other.say(refusal)
            got += await app.answer()
            app.say(call(world))
        await other.request()
        other.say(OK)
        got += await app.answer()
        assert 4 == len(world.events)
        return got, world.on_lane


@pytest.mark.parametrize("refusal", REFUSALS, ids=IDS)
async def test_the_same(refusal: bytes) -> None:
    """A refusal is relayed by the same bytes as around, and its connection stays on the lane."""
    around, _ = await relayed(refusal, lane=False)

    assert (around, 4) == await relayed(refusal, lane=True)


async def test_sent_ahead() -> None:
    """What an app sends ahead of its answer is asked next, once the answer is out."""
    async with scene() as (world, upstream, app):
        app.say(call(world, b"one") + call(world, b"two"))
        other = await upstream.connection()
        first = await other.request()
        other.say(OFFER)
        refused = await app.answer()
        second = await other.request()
        other.say(OK)
        served = await app.answer()

    assert (b"one", b"two") == (first[-3:], second[-3:])
    assert (b"HTTP/1.1 402 ", OK) == (refused[:13], served)


class Sender:
    """An upstream's port, the wires to it, and its other end."""

    def __init__(self, far: RawUpstream) -> None:
        self.far = far
        self.origin = Origin.of(f"http://127.0.0.1:{far.port}")
        self.pool = Pool(Supervisor(lambda name, fault: None))
        self.upstream = self.pool.upstream(frozenset({self.origin}), 1.0, 5.0)
        self.wires: Wires = self.pool.wires(self.upstream, str(self.origin))

    def send(self, method: str = "POST", wait_s: float = 5.0) -> asyncio.Task[WholeReply]:
        """A request on its way."""
        request = HttpRequest(method, f"{self.origin}/x", (("A", "b"),), b"body")
        sending: asyncio.Task[WholeReply] = asyncio.ensure_future(
            self.upstream.send(request, wait_s=wait_s)  # type: ignore[arg-type]  # one or the other
        )
        return sending


async def test_one_wire() -> None:
    """Requests of our own go on the lane's wire, one after the other, whatever their answer is."""
    async with raw_upstream() as far:
        sender = Sender(far)
        for pieces in ([OK], [OFFER], [OK[:30], OK[30:]], [OK[:-2], OK[-2:]], [OK]):
            sending = sender.send()
            other = far.ends[0] if far.ends else await far.connection()
            text = await other.request()
            for piece in pieces:
                other.say(piece)
                await asyncio.sleep(0.01)
            body = (await read_whole(await sending, 99)).body
            assert b"".join(pieces).partition(b"\r\n\r\n")[2] == body
            assert (b"POST /x HTTP/1.1", b"\r\n\r\nbody") == (text[:16], text[-8:])
        made = len(far.ends)
        await sender.pool.close()

    assert 1 == made


async def test_no_answer() -> None:
    """A wire that is lost, or silent, before an answer has begun, is a fault, and is closed."""
    async with raw_upstream() as far:
        sender = Sender(far)
        lost = sender.send()
        first = await far.asked()
        await first.hang_up()
        with pytest.raises(UpstreamError, match="closed the connection without an answer"):
            await lost
        silent = sender.send(wait_s=0.05)
        second = await far.connection()
        with pytest.raises(UpstreamTimeoutError, match=r"no answer from .* in 0\.05 s"):
            await silent
        await second.hung_up()
        await sender.pool.close()


async def test_half_an_answer() -> None:
    """A head that does not end in time is no answer."""
    async with raw_upstream() as far:
        sender = Sender(far)
        halting = sender.send(wait_s=0.1)
        other = await far.connection()
        other.say(OK[:20])
        with pytest.raises(UpstreamTimeoutError):
            await halting
        await other.hung_up()
        await sender.pool.close()


@pytest.mark.parametrize("said", [b"", OK[:20]], ids=["nothing", "half"])
async def test_given_up(said: bytes) -> None:
    """Whoever gives up waiting leaves no wire behind on which an answer is still to come."""
    async with raw_upstream() as far:
        sender = Sender(far)
        sending = sender.send()
        other = await far.asked()
        other.say(said)
        await asyncio.sleep(0.02)
        sending.cancel()
        await other.hung_up()
        assert sender.wires.take() is None
        with pytest.raises(asyncio.CancelledError):
            await sending
        await sender.pool.close()


async def test_late_answer() -> None:
    """An answer that comes as its asker gives up is nobody's."""
    async with raw_upstream() as far:
        sender = Sender(far)
        sending = sender.send()
        other = await far.asked()
        other.say(OK)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        again = sender.send()
        newer = await far.asked()
        newer.say(OFFER)
        reply = await again
        await sender.pool.close()

    assert 402 == reply.status


async def test_head() -> None:
    """The answer to a HEAD has no body, whatever its length says; with one it is malformed."""
    async with raw_upstream() as far:
        sender = Sender(far)
        sending = sender.send("HEAD")
        other = await far.asked()
        other.say(OK[:-5])
        response = await read_whole(await sending, 99)
        sending = sender.send("HEAD")
        other = far.ends[-1]
        await other.request()
        other.say(OK)
        with pytest.raises(RemoteProtocolError):
            await sending
        await sender.pool.close()

    assert b"" == response.body


async def test_last_answer() -> None:
    """An answer that says that it is its connection's last is: the wire is closed."""
    async with raw_upstream() as far:
        sender = Sender(far)
        sending = sender.send()
        other = await far.asked()
        other.say(OFFER.replace(b"X-Odd: two", b"Connection: close"))
        reply = await sending
        await other.hung_up()
        await sender.pool.close()

    assert 402 == reply.status
