"""Requests are told of a moment later, and whoever looks finds what has happened until then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.metrics.catalogue import REQUESTS
from sidecar.payments.events import Event, RequestServed
from sidecar.payments.served import Together, each_of
from sidecar.service import Ports, Service, open_all
from tests.world.running import TOKEN, write_private

CONFIG = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state_dir: {folder}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  up:
    provider: api_key
    upstream: {upstream}
    api_key: {{file: {folder}/api.key}}
    default: true
"""
LONG_S = 60.0


@dataclass
class Heard:
    """A log that hears of many at once, and late; each, by how it was told."""

    heard_within_s = LONG_S
    requests: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestServed):
            self.requests.append(("alone", event.status))

    def hear_requests(self, served: Together) -> None:
        self.requests += [("together", event.status) for event in each_of(served)]


@dataclass
class World:
    """A sidecar that takes a minute to tell, unless it is asked."""

    service: Service
    heard: Heard
    app: aiohttp.ClientSession

    async def call(self, token: str = TOKEN) -> int:
        """One call's status."""
        url = f"http://127.0.0.1:{self.service.port}/v1/models"
        headers = {"Authorization": f"Bearer {token}"}
        async with self.app.get(url, headers=headers) as response:
            await response.read()
            return response.status

    def counted(self) -> float:
        """How many requests the metrics have counted."""
        values = [value for _, value in self.service.view.counted()[REQUESTS]]
        return sum(value for value in values if isinstance(value, int))


async def answer(_request: web.Request) -> web.Response:
    return web.json_response({"data": []})


@asynccontextmanager
async def telling_late(folder: Path) -> AsyncIterator[World]:
    """It, before a vendor that answers, with its first call behind it."""
    upstream = web.Application()
    upstream.router.add_get("/v1/models", answer)
    runner = web.AppRunner(upstream)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    write_private(folder / "app.token", TOKEN)
    write_private(folder / "api.key", "sk-of-the-account")
    text = CONFIG.format(folder=folder, upstream=f"http://127.0.0.1:{runner.addresses[0][1]}")
    config = parse_config(text, {}, {}, folder)
    heard = Heard()
    service = await Service.start(config, open_all(config, {}, SystemEntropy()), heard, Ports())
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as app:
            world = World(service, heard, app)
            # It does not take the lane.
            await world.call()
            yield world
    finally:
        await service.stop()
        await runner.cleanup()


async def test_metrics_are_asked(tmp_path: Path) -> None:
    """Whoever asks for the metrics finds each request that was answered before."""
    async with telling_late(tmp_path) as world:
        counted = [world.counted()]
        for _ in range(3):
            await world.call()
            counted.append(world.counted())
        await world.call()
        text = (await world.service.view.metrics(""))[0].decode()
        told = [how for how, _ in world.heard.requests]

        assert [1, 2, 3, 4] == counted
        assert 'sidecar_requests_total{caller="app",code_class="2xx",route="up"} 5.0' in text
        assert ["alone", *["together"] * 4] == told


async def test_in_their_order(tmp_path: Path) -> None:
    """What happens next is told after the requests that ended before it."""
    async with telling_late(tmp_path) as world:
        for _ in range(2):
            await world.call()
        before = len(world.heard.requests)
        refused = await world.call("sk-of-nobody")

        assert (1, 401) == (before, refused)
        assert [("together", 200)] * 2 + [("alone", 401)] == world.heard.requests[1:]


async def test_nothing_is_lost(tmp_path: Path) -> None:
    """A sidecar that stops has told of every request."""
    async with telling_late(tmp_path) as world:
        for _ in range(2):
            await world.call()

    assert [("together", 200)] * 2 == world.heard.requests[1:]
