"""The running sandbox: start, stop, and what it gives away."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct

import aiohttp
import pytest

from sidecar.clock import SystemClock
from sidecar.sandbox import Fault, Sandbox, SandboxOptions, serve
from tests.unit.sandbox.client import CHAT, Buyer, chat
from tests.unit.sandbox.conftest import Open
from tests.world.fakes import FakeClock, FakeEntropy
from tests.world.payment_builder import encode


async def test_urls(buyer: Buyer) -> None:
    """Port 0 takes a free port, and the URLs say which."""
    sandbox = buyer.sandbox

    assert sandbox.url.startswith("http://127.0.0.1:")
    assert sandbox.url + "/rpc" == sandbox.rpc_url


async def test_taken_port(buyer: Buyer) -> None:
    """A port that is taken is an OSError, and leaves nothing behind."""
    port = int(buyer.sandbox.url.rsplit(":", 1)[1])
    other = Sandbox(SandboxOptions(), FakeClock(), FakeEntropy())
    with pytest.raises(OSError, match="in use"):
        await other.start(port=port)
    await other.stop()


async def test_readable_after_stop(buyer: Buyer) -> None:
    """The books outlive the server."""
    await buyer.pay()
    await buyer.sandbox.stop()

    assert 1 == len(buyer.books.settlements)


async def test_serve() -> None:
    """serve says where it listens, and stops when it is cancelled."""
    said: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(
        serve(
            SandboxOptions(), "127.0.0.1", 0, FakeClock(), FakeEntropy(), announce=said.put_nowait
        )
    )
    text = await said.get()
    url = text.split()[2]
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            shown = await answer.text()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)

    assert text == shown
    for word in ("0.01 USDC", "pay_to", "settle_then_500", "eip155:84532", url + "/rpc"):
        assert word in text


async def test_download(buyer: Buyer) -> None:
    """/v1/bytes/<n> is n bytes, free."""
    got = await buyer.send(path="/v1/bytes/100001")

    assert (bytes(range(256)) * 391)[:100_001] == got.body
    assert b"" == (await buyer.send(path="/v1/bytes/0")).body


async def test_download_left(buyer: Buyer) -> None:
    """A client that leaves a large download does no harm."""
    async with aiohttp.ClientSession() as session:
        async with session.get(buyer.sandbox.url + "/v1/bytes/1000000000") as answer:
            await answer.content.readexactly(100_000)

    assert 200 == (await buyer.send(path="/v1/bytes/1")).status


async def test_upload(buyer: Buyer) -> None:
    """/v1/upload counts and hashes what it is sent, free."""
    body = b"\x00\xff" * 400_000
    expected = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    assert expected == (await buyer.send("POST", "/v1/upload", body)).json
    assert expected == (await buyer.send("PUT", "/v1/upload", body)).json


async def test_transfer_limit(shop: Open) -> None:
    """Both have a limit."""
    buyer = await shop(SandboxOptions(transfer_bytes_max=10))

    assert 413 == (await buyer.send(path="/v1/bytes/11")).status
    assert 413 == (await buyer.send("POST", "/v1/upload", b"x" * 11)).status


async def test_body_limit(shop: Open) -> None:
    """A priced request has a limit, too."""
    buyer = await shop(SandboxOptions(body_bytes_max=1_000))

    assert 413 == (await buyer.send("POST", "/v1/paid", b"x" * 1_001)).status


async def test_large_payment_header(buyer: Buyer) -> None:
    """A payment header of 100 KB is read: large challenges are echoed."""
    document = buyer.build.v2(await buyer.terms()) | {"padding": "." * 75_000}

    assert 200 == (await buyer.present(document)).status


async def test_chunks_arrive_one_by_one(shop: Open) -> None:
    """A stream is written chunk by chunk, with chunk_delay_s between."""
    buyer = await shop(SandboxOptions(chunk_delay_s=0.5))
    before = buyer.clock.monotonic_s()
    answer = await buyer.pay(method="POST", path=CHAT, body=chat("one two", stream=True))

    assert "text/event-stream" == answer.headers["Content-Type"]
    assert 0.5 * answer.body.count(b"\n\n") == buyer.clock.monotonic_s() - before


async def test_client_that_leaves_was_not_served(shop: Open) -> None:
    """A stream that the client left is not delivered, and is given again."""
    buyer = await shop(SandboxOptions(chunk_delay_s=0.05), SystemClock())
    body = chat("one two three four five six", stream=True)
    with pytest.raises(TimeoutError):
        await buyer.pay(
            method="POST", path=CHAT, body=body, timeout=aiohttp.ClientTimeout(total=0.2)
        )
    await asyncio.sleep(0.3)
    (settlement,) = buyer.books.settlements
    again = await buyer.pay(method="POST", path=CHAT, body=body)

    assert (0, 200) == (settlement.deliveries, again.status)
    assert 1 == buyer.books.settlements[0].deliveries


class HangUp(FakeClock):
    """The client's socket is reset while the seller sleeps, and the seller has not noticed."""

    client: socket.socket

    async def sleep(self, duration_s: float) -> None:
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()


async def test_client_that_left_unnoticed_was_not_served(shop: Open) -> None:
    """An answer that meets a reset at its only write is not delivered."""
    clock = HangUp()
    buyer = await shop(SandboxOptions(), clock)
    buyer.sandbox.faults.add(Fault.SLOW_HEAD)
    header = encode(buyer.build.v2(await buyer.terms()))
    clock.client = socket.create_connection(("127.0.0.1", int(buyer.sandbox.url[17:])))
    clock.client.sendall(
        b"GET /v1/paid HTTP/1.1\r\nHost: x\r\nPAYMENT-SIGNATURE: " + header.encode() + b"\r\n\r\n"
    )
    async with asyncio.timeout(5):
        while clock.client.fileno() != -1:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)

    assert [0] == [settlement.deliveries for settlement in buyer.books.settlements]


async def test_unpriced(buyer: Buyer) -> None:
    """What is not sold is not found; another method is not allowed."""
    assert 404 == (await buyer.send(path="/v1/nothing")).status
    assert 405 == (await buyer.send(path=CHAT)).status
