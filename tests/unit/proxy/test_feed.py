"""The stream of states: what is sent, when, to how many, and how it ends."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import RawTestServer, TestClient

from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.admin_office import ViewOffice
from sidecar.proxy.feed import LISTENERS_MAX
from tests.unit.proxy.test_admin import READY, TOKEN, FixedView

Told = tuple[str, dict[str, Any]]
WAIT_S = 20.0


@dataclass
class WatchedView(FixedView):
    """A view whose news a test makes: each ``tell`` is something that happened."""

    stopping: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    uptime_s: int = 0
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def describe(self) -> Mapping[str, Any]:
        self.uptime_s += 1
        return {"now": f"second {self.uptime_s}", "uptime_s": self.uptime_s, **self.facts}

    def is_stopping(self) -> bool:
        return self.stopping

    async def news(self, seen: int) -> int:
        await self.bell.wait()
        if not self.stopping:
            self.bell.clear()
        return seen + 1

    def tell(self, **facts: Any) -> None:
        self.facts |= facts
        self.bell.set()

    def stop(self) -> None:
        self.stopping = True
        self.tell(state="draining")


@dataclass
class Port:
    client: TestClient[Any, Any]
    view: WatchedView

    @asynccontextmanager
    async def listening(self, method: str = "GET") -> AsyncIterator[ClientResponse]:
        async with self.client.request(method, "/events") as response:
            yield response


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    view = WatchedView(READY)
    server = RawTestServer(
        AdminHandler(ViewOffice(view), lambda: frozenset({f"127.0.0.1:{server.port}"}), TOKEN)
    )
    client: TestClient[Any, Any] = TestClient(server)
    async with client:
        yield Port(client, view)
        view.stop()


async def next_event(response: ClientResponse) -> Told:
    """The next event of the stream: its name and what it says."""
    lines: list[str] = []
    while True:
        line = (await response.content.readline()).decode().rstrip("\n")
        if line.startswith("retry:"):
            await response.content.readline()
        elif line:
            lines.append(line)
        else:
            break
    name, data = (line.split(": ", 1)[1] for line in lines)
    return name, json.loads(data)


async def test_state_at_once(port: Port) -> None:
    """Whoever comes is told the whole state at once, as /status says it, by a stream of events."""
    port.view.facts["version"] = "1.2.3"
    async with port.listening() as response:
        name, state = await next_event(response)
    async with port.client.get("/status") as asked:
        status = await asked.json()

    passing = {"now", "uptime_s"}
    assert ("state", "1.2.3") == (name, state["version"])
    assert {key: status[key] for key in status.keys() - passing} == {
        key: state[key] for key in state.keys() - passing
    }
    assert "text/event-stream; charset=utf-8" == response.headers["Content-Type"]
    assert "no-store" == response.headers["Cache-Control"]


async def test_change(port: Port) -> None:
    """What changed is told by the whole state; where nothing did, it is a heartbeat."""
    async with port.listening() as response:
        await next_event(response)
        port.view.tell()
        heartbeat, beat = await next_event(response)
        port.view.tell(state="serving")
        name, state = await next_event(response)

    assert ("heartbeat", {"now": "second 2"}) == (heartbeat, beat)
    assert ("state", "serving") == (name, state["state"])


async def test_ledger_lost(port: Port) -> None:
    """A ledger that cannot be read is a state too, told with what is known without it."""
    async with port.listening() as response:
        await next_event(response)
        port.view.broken = "disk full"
        port.view.tell()
        name, state = await next_event(response)

    assert ("state", "disk full") == (name, state["error"])
    assert "refusals" in state


async def test_stop(port: Port) -> None:
    """When the sidecar stops, the last state says so, and the stream ends as a whole answer."""
    async with port.listening() as response:
        await next_event(response)
        port.view.stop()
        name, state = await next_event(response)
        async with asyncio.timeout(WAIT_S):
            rest = await response.content.read()
    async with asyncio.timeout(WAIT_S), port.listening() as late:
        again = await late.text()

    assert ("state", "draining", b"") == (name, state["state"], rest)
    assert again.count("event: state") == 1


async def test_listeners_are_bounded(port: Port) -> None:
    """One page too many gets a 503 with a reason; when one closes, there is room again."""
    async with AsyncExitStack() as stack:
        for _ in range(LISTENERS_MAX):
            response = await stack.enter_async_context(port.listening())
            await next_event(response)
        async with asyncio.timeout(WAIT_S), port.listening() as refused:
            reason = await refused.json()
        statuses = [refused.status]
        response.close()
        async with asyncio.timeout(WAIT_S):
            while statuses[-1] == 503:
                await asyncio.sleep(0.01)
                async with port.listening() as taken:
                    statuses.append(taken.status)

    assert str(LISTENERS_MAX) in reason["error"]
    assert (503, 200) == (statuses[0], statuses[-1])


async def test_head(port: Port) -> None:
    """HEAD gets the head of the stream and no state."""
    async with port.listening("HEAD") as response:
        body = await response.read()

    assert (200, b"", 0) == (response.status, body, port.view.uptime_s)


async def test_slow_listener(port: Port) -> None:
    """Of a listener who stops reading, states are no longer read: none is kept for it."""
    port.view.facts["padding"] = "x" * 200_000
    reader = socket.create_connection((port.client.host, port.client.port))
    reader.sendall(
        f"GET /events HTTP/1.1\r\nHost: {port.client.host}:{port.client.port}\r\n\r\n".encode()
    )
    reads = -1
    quiet = 0
    while quiet < 20:
        before, reads = reads, port.view.uptime_s
        quiet = quiet + 1 if before == reads > 0 else 0
        port.view.tell(count=reads)
        await asyncio.sleep(0.01)
    reader.close()

    # What fits into the sockets' own buffers is taken; after that nothing is.
    assert 0 < reads < 200
