"""What users of such proxies complain about, as far as no other file is about it already."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import openai
import pytest
from aiohttp import web

from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.payments.events import TaskFailed
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.replies import payment_required
from sidecar.sandbox.terms import Terms
from sidecar.service import Ports, Service, open_all
from tests.world.plain_proxy import plain_proxy
from tests.world.running import TOKEN, Running, config_text, running
from tests.world.switches import SWITCHES

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SHORT_WAITS = "{header_wait_s: 1, body_idle_s: 1, keepalive_s: 1}"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
ABORTED = 20
MIB = 2**20


async def test_long_stream(tmp_path: Path) -> None:
    """A paid stream that lasts longer than every time limit there is arrives whole."""
    said = " ".join(["word"] * 12)
    options = SandboxOptions(chunk_delay_s=0.25)
    async with running(tmp_path, options, response_wait_s=1, limits=SHORT_WAITS) as world:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with openai.AsyncOpenAI(base_url=world.base_url, api_key=TOKEN) as client:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": said}], stream=True
            )
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
        lasted_s = loop.time() - began_s
        paid = world.sandbox.books.settlements

    assert f"The sandbox heard: {said}" == "".join(pieces)
    # Three times the longest: it was in the middle of the stream that they could have cut.
    assert lasted_s > 3
    assert 1 == len(paid)


PACKED = gzip.compress(json.dumps({"text": "word " * 5_000}).encode())


async def packed(request: web.Request) -> web.StreamResponse:
    """A compressed answer with its length; half of it where the query asks for that."""
    response = web.StreamResponse(headers={"Content-Encoding": "gzip"})
    response.content_type = "application/json"
    response.content_length = len(PACKED)
    await response.prepare(request)
    if "half" not in request.query:
        await response.write(PACKED)
        return response
    await response.write(PACKED[: len(PACKED) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.mark.parametrize("lane", [True, False], ids=["fast lane", "ordinary way"])
async def test_gzip(lane: bool) -> None:
    """A compressed answer comes as it was sent, by its own length; cut, it stays cut."""
    app = web.Application()
    app.router.add_get("/v1/packed", packed)
    async with plain_proxy(app, fast_lane=lane) as world:
        async with aiohttp.ClientSession(
            headers=world.headers, auto_decompress=False, raise_for_status=True
        ) as session:
            async with session.get(world.url("/v1/packed")) as response:
                body, length = await response.read(), response.content_length
                coding = response.headers["Content-Encoding"]
            with pytest.raises(aiohttp.ClientPayloadError):
                async with session.get(world.url("/v1/packed?half")) as response:
                    await response.read()

    assert (PACKED, len(PACKED), "gzip") == (body, length, coding)


async def abort_upload(world: Running, promised: int) -> None:
    """Half of a body, and then a reset."""
    port = world.service.port
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/paid HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {promised}\r\n"
    writer.write(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
    writer.write(b"u" * (promised // 2))
    await writer.drain()
    # Lingering for no time makes the kernel send RST and not FIN.
    end = writer.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("size", "kept"),
    [(MIB, True), (2 * MIB, True), (MIB, False)],
    ids=["kept body", "copied body", "streamed body"],
)
async def test_aborted_uploads(tmp_path: Path, size: int, kept: bool) -> None:
    """Uploads that are aborted half-way cost nothing and stop nobody else."""
    # Room for fewer bodies than are aborted: each must give back what it took.
    limits = "{replay_memory_max: 16MiB}" if kept else "{replay_bytes_max: 64KiB}"
    async with running(tmp_path, limits=limits) as world:
        await asyncio.gather(*(abort_upload(world, size) for _ in range(ABORTED)))
        free = world.sandbox.books.presentations
        async with openai.AsyncOpenAI(base_url=world.base_url, api_key=TOKEN) as client:
            answer = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}]
            )
        paid = world.sandbox.books.settlements
        faults = [event for event in world.events if isinstance(event, TaskFailed)]

    assert () == free
    assert "The sandbox heard: hello" == answer.choices[0].message.content
    assert 1 == len(paid)
    assert [] == faults


@dataclass
class SlowToAsk:
    """A seller that thinks before it says its price; it counts what it is asked."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    paths: list[str] = field(default_factory=list)
    paid: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        self.asked.set()
        if "PAYMENT-SIGNATURE" in request.headers:
            self.paid += 1
            return web.json_response({})
        await self.gate.wait()
        terms = Terms(SandboxOptions())
        return payment_required(terms.challenge(str(request.url), terms.offers))


@asynccontextmanager
async def in_front_of(folder: Path, seller: SlowToAsk) -> AsyncIterator[Service]:
    """A sidecar whose only seller this is."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", seller.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    text = config_text(folder, f"http://127.0.0.1:{runner.addresses[0][1]}", response_wait_s=10)
    config = parse_config(text, SWITCHES, {}, folder)
    opened = open_all(config, {}, SystemEntropy())
    service = await Service.start(config, opened, lambda event: None, Ports())
    try:
        yield service
    finally:
        await service.stop()
        await runner.cleanup()


async def test_gone_before_the_price(tmp_path: Path) -> None:
    """An app that leaves before the seller has named its price pays nothing, nor is it polled."""
    seller = SlowToAsk()
    async with in_front_of(tmp_path, seller) as service:
        url = f"http://127.0.0.1:{service.port}/v1/chat/completions"
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            leaving = asyncio.create_task(session.post(url, json=HELLO))
            await seller.asked.wait()
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
        seller.gate.set()
        # A control: who stays is asked for money, pays and is served.
        async with aiohttp.ClientSession(headers=HEADERS, raise_for_status=True) as session:
            async with session.post(url, json={**HELLO, "model": "another"}) as response:
                await response.read()
        ledger = service._ledger
        assert ledger is not None
        rows = await ledger.payments(None, 10)

    assert 1 == seller.paid == len(rows)
    assert 3 == len(seller.paths), "one look of each app, and one payment"


# Ways to ask for what costs money that somebody may take for a way around the budget.
DETOURS = (
    "POST /v1/paid",
    "GET /v1/paid",
    "POST /seller/v1/paid",
    "POST /seller/seller/v1/paid",
    "POST /v1/paid/",
    "POST /v1/paid?budget=other",
    "POST /V1/paid",
    "POST //v1/paid",
    "POST /v1//paid",
    "POST /v1/./paid",
    "POST /v1/../v1/paid",
    "POST /v1/%2e%2e/v1/paid",
    "POST /v1%2fpaid",
    "POST /v1/p%61id",
    "POST /v1/paid#fragment",
    "POST /v1/paid;x=1",
    "HEAD /v1/paid",
    "OPTIONS /v1/paid",
    "PUT /v1/paid",
    "POST http://127.0.0.1:{port}/v1/paid",
)
# Fields that somebody may take for one, too.
EXCUSES = (
    "",
    "Idempotency-Key: free",
    "X-PAYMENT: e30=",
    "PAYMENT-SIGNATURE: e30=",
    "X-Forwarded-For: 127.0.0.1",
    "X-HTTP-Method-Override: GET",
    "X-Sidecar-Budget: other",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "SIGN-IN-WITH-X: e30=",
)


async def say(port: int, line: str, fields: str) -> bytes:
    """One request on a connection of its own: all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = [
        line.format(port=port) + " HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {TOKEN}",
        "Content-Length: 2",
        *([fields] if fields else []),
        *([] if "Connection" in fields else ["Connection: close"]),
    ]
    writer.write("\r\n".join([*head, "", "{}"]).encode())
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(("budget", "paid"), [("0.001 USDC", False), ("5.00 USDC", True)])
async def test_detours(tmp_path: Path, budget: str, paid: bool) -> None:
    """No path, method or field spends what the budget does not have; with a budget, some do."""
    async with running(tmp_path, budget=budget) as world:
        for line in DETOURS:
            for fields in EXCUSES:
                assert await say(world.service.port, line, fields)
        presented = world.sandbox.books.presentations

    assert paid == bool(presented)


async def test_anthropic_events(tmp_path: Path) -> None:
    """A paid stream of named events ends with message_stop, has no [DONE], and is delivered."""
    call = {**HELLO, "max_tokens": 64, "stream": True}
    async with running(tmp_path) as world:
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            url = world.base_url.removesuffix("/v1") + "/v1/messages?beta=true"
            async with session.post(url, json=call) as response:
                body = await response.read()
            count = {"model": "m", "messages": HELLO["messages"]}
            url = world.base_url + "/messages/count_tokens"
            async with session.post(url, json=count) as response:
                counted = await response.json()
        ledger = world.service._ledger
        assert ledger is not None
        for _ in range(100):
            (row,) = await ledger.payments(None, 10)
            if row.delivered_at is not None:
                break
            await asyncio.sleep(0.02)

    events = [part.split(b"\n")[0] for part in body.split(b"\n\n") if part]
    assert b"event: message_start" == events[0]
    assert b"event: message_stop" == events[-1]
    assert b"[DONE]" not in body
    assert {"input_tokens": 1} == counted
    assert row.delivered_at is not None
