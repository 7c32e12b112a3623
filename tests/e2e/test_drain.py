"""How a sidecar ends: nothing new is signed, what is under way ends whole, or is cut honestly."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.ledger.sqlite import SqliteLedger
from sidecar.sandbox import SandboxOptions
from tests.world.reloadable import LATE_ROUTE, WORDS, Reloadable, reloadable
from tests.world.running import TOKEN

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
STREAMS = 50
LATE = 8
# No request of these tests ever takes so long: a sidecar that waited for it would be noticed.
# Long for what does not wait.
SOON_S = 20.0
FOR_EVER_S = 600
STOPPING = "cut: the sidecar is stopping"
SAID = "a stream that takes a while to be said"
STREAM = {"model": "m", "messages": [{"role": "user", "content": SAID}], "stream": True}


async def plain_stream(app: aiohttp.ClientSession, world: Reloadable) -> str:
    async with app.get(f"{world.url}/keyed/v1/stream") as response:
        return await response.text()


async def paid_stream(app: aiohttp.ClientSession, world: Reloadable) -> str:
    async with app.post(f"{world.url}/seller/v1/chat/completions", json=STREAM) as response:
        return await response.text()


async def late_call(app: aiohttp.ClientSession, world: Reloadable, number: int) -> tuple[int, Any]:
    """One that is asked to pay when it suits the test."""
    call = {"model": "m", "messages": [{"role": "user", "content": f"call {number}"}]}
    async with app.post(f"{world.url}/late/v1/chat/completions", json=call) as response:
        return response.status, await response.json()


async def readiness(world: Reloadable) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as admin:
        async with admin.get(f"http://127.0.0.1:{world.admin_port}/readyz") as response:
            return response.status, await response.json()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await true():
            await asyncio.sleep(0.02)


async def draining(world: Reloadable) -> bool:
    return "draining" in (await readiness(world))[1]["failed"]


async def refused(world: Reloadable) -> bool:
    """Whether nobody takes connections on the data port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    except OSError:
        return True
    writer.close()
    await writer.wait_closed()
    return False


async def test_sigterm_under_load(tmp_path: Path) -> None:
    """Fifty streams end whole, and what asks for money after SIGTERM is refused, not signed."""
    options = SandboxOptions(chunk_delay_s=0.2)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        reloadable(tmp_path, options, routes=LATE_ROUTE) as world,
        aiohttp.ClientSession(connector=connector, headers=HEADERS) as app,
    ):
        # The fast lane takes a route's requests from the second on.
        await plain_stream(app, world)
        world.pace_s = 0.4
        makers = [plain_stream, paid_stream] * (STREAMS // 2)
        streams = [asyncio.ensure_future(make(app, world)) for make in makers]
        late = [asyncio.ensure_future(late_call(app, world, number)) for number in range(LATE)]

        async def all_under_way() -> bool:
            return len(world.sandbox.books.settlements) == STREAMS // 2 and world.asked == LATE

        await until(all_under_way)
        world.tell(signal.SIGTERM)
        await until(lambda: draining(world))
        stopping_at = datetime.now(UTC)
        was_ready = await readiness(world)
        reloaded = await world.reload()
        world.late.set()
        answers = await asyncio.gather(*late)
        texts = await asyncio.gather(*streams)
        code = await world.ended()
        presented = len(world.sandbox.books.presentations)
    rows = SqliteLedger.read(tmp_path / "ledger.db", None, 1_000)

    assert 503 == was_ready[0]
    assert (409, ["config: the sidecar is stopping; start it anew"]) == (
        reloaded[0],
        reloaded[1]["errors"],
    )
    assert ["".join(WORDS)] * (STREAMS // 2) == texts[0::2]
    assert all("data: [DONE]" in text and "said" in text for text in texts[1::2])
    assert {(503, "the sidecar is stopping; nothing new is signed")} == {
        (status, answer["error"]["message"]) for status, answer in answers
    }
    assert 0 == code
    assert STREAMS // 2 == presented == sum(row.authorized_at is not None for row in rows)
    assert all(row.authorized_at < stopping_at for row in rows if row.authorized_at is not None)
    assert all(row.delivered_at is not None for row in rows if row.authorized_at is not None)


@pytest.mark.parametrize("lane", ["true", "false"])
async def test_cut_at_the_limit(tmp_path: Path, lane: str) -> None:
    """A stream that outlasts the limit is cut, and looks cut; its log line says by whom."""
    limits = f"{{drain_wait_s: 1, fast_lane: {lane}}}"
    async with reloadable(tmp_path, limits=limits) as world:
        async with aiohttp.ClientSession(headers=HEADERS) as app:
            await plain_stream(app, world)
        world.pace_s = FOR_EVER_S
        reader, writer = await ask(world, "HTTP/1.1")
        got = await reader.readuntil(WORDS[0].encode())
        world.tell(signal.SIGTERM)
        got += await reader.read()
        writer.close()
        code = await world.ended()

    assert b"Transfer-Encoding: chunked" in got
    assert got.endswith((WORDS[0].encode(), WORDS[0].encode() + b"\r\n"))
    assert (0, [(499, "relayed", STOPPING)]) == (code, cut(world))


def cut(world: Reloadable) -> list[tuple[int, str, str]]:
    """What the log says of requests that ended early."""
    lines = [json.loads(line) for line in world.log.splitlines()]
    requests = [line for line in lines if line.get("event") == "request" and "detail" in line]
    return [(line["status"], line["decision"], line["detail"]) for line in requests]


async def test_cut_without_chunks(tmp_path: Path) -> None:
    """A body that only the connection's end delimits is cut by a reset, which no end looks like."""
    async with reloadable(tmp_path, limits="{drain_wait_s: 1}") as world:
        world.pace_s = FOR_EVER_S
        reader, writer = await ask(world, "HTTP/1.0")
        got = await reader.readuntil(WORDS[0].encode())
        world.tell(signal.SIGTERM)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        code = await world.ended()

    assert b"chunked" not in got
    assert 0 == code


async def ask(world: Reloadable, version: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A raw request for a stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    head = (
        f"GET /keyed/v1/stream {version}\r\nHost: 127.0.0.1:{world.port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\n\r\n"
    )
    writer.write(head.encode())
    return reader, writer


@pytest.mark.parametrize("lane", ["true", "false"])
async def test_cut_and_paid(tmp_path: Path, lane: str) -> None:
    """A paid stream that is cut is paid once, and is not marked as delivered."""
    options = SandboxOptions(chunk_delay_s=FOR_EVER_S)
    limits = f"{{drain_wait_s: 1, fast_lane: {lane}}}"
    async with reloadable(tmp_path, options, limits=limits) as world:
        async with aiohttp.ClientSession(headers=HEADERS) as app:
            # The lane has the route's credential from the first call on, which nobody sells.
            await app.get(f"{world.url}/seller/nothing")
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        body = json.dumps(STREAM)
        writer.write(
            f"POST /seller/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{world.port}\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        got = await reader.readuntil(b"\r\n\r\n")
        world.tell(signal.SIGTERM)
        got += await reader.read()
        writer.close()
        code = await world.ended()
        moved = len(world.sandbox.books.settlements)
    (row,) = SqliteLedger.read(tmp_path / "ledger.db", None, 10)

    assert b"chunked" in got
    assert not got.endswith(b"0\r\n\r\n")
    assert (0, 1, [(499, "paid", STOPPING)]) == (code, moved, cut(world))
    assert ("posted", None) == (row.state.value, row.delivered_at)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_second_signal(tmp_path: Path, second: signal.Signals) -> None:
    """Whoever asks twice does not wait for what is under way; the exit is 0 all the same."""
    async with reloadable(tmp_path, limits=f"{{drain_wait_s: {FOR_EVER_S}}}") as world:
        world.pace_s = FOR_EVER_S
        reader, writer = await ask(world, "HTTP/1.1")
        await reader.readuntil(WORDS[0].encode())
        world.tell(signal.SIGINT)
        await until(lambda: draining(world))
        world.tell(second)
        async with asyncio.timeout(SOON_S):
            rest = await reader.read()
        writer.close()
        code = await world.ended()

    assert b"0\r\n\r\n" not in rest
    assert 0 == code


async def test_idle_connections(tmp_path: Path) -> None:
    """Apps that keep connections, and pages that listen for events, do not hold up the end."""
    waits = ", ".join(f"{name}: {FOR_EVER_S}" for name in ("drain_wait_s", "keepalive_s"))
    limits = f"{{{waits}, header_wait_s: {FOR_EVER_S}}}"
    async with reloadable(tmp_path, limits=limits) as world, aiohttp.ClientSession() as page:
        used = [await ask(world, "HTTP/1.1") for _ in range(3)]
        for reader, _ in used:
            await reader.readuntil(b"0\r\n\r\n")
        fresh = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(3)]
        async with page.get(f"http://127.0.0.1:{world.admin_port}/events") as events:
            await events.content.readany()
            world.tell(signal.SIGTERM)
            code = await world.ended()
        for _, writer in (*used, *fresh):
            writer.close()

    assert 0 == code


async def test_ledger_is_closed(tmp_path: Path) -> None:
    """Afterwards the ledger is one whole file, without a log beside it that waits to be read."""
    async with reloadable(tmp_path) as world:
        async with aiohttp.ClientSession(headers=HEADERS) as app:
            await paid_stream(app, world)
        world.tell(signal.SIGTERM)
        code = await world.ended()

    assert 0 == code
    assert not (tmp_path / "ledger.db-wal").exists()
    assert await refused(world)
