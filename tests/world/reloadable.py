"""A sidecar's process whose config is written anew while it runs, with a seller and a keyed API.

async with reloadable(folder) as world:
    world.write(budget="0.01 USDC")
    await world.reload()
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.processes import ROOT, free_port
from tests.world.running import KEY, TOKEN, listening, write_private

KEYED = "sk-the-real-key-of-the-account"
WORDS = ("one ", "two ", "three ", "four ", "five")
WAIT_S = 30.0
_HOPS = frozenset({"Host", "Connection", "Content-Length", "Transfer-Encoding", "Server", "Date"})

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}
recovery: {{interval_s: 1}}
limits: {limits}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{rpc}"]}}
budgets:
  - {{name: day, limit: "{budget}", window: {window}}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
{callers}
routes:
  seller:
    provider: pay_per_request
    upstream: {seller}
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [day]
    breaker: {{undelivered_max: 1000, window: 1h}}
  keyed:
    provider: api_key
    upstream: {keyed}
    api_key: {{file: {folder}/api.key}}
{routes}
"""
EXTRA_ROUTE = """\
  extra:
    provider: api_key
    upstream: {keyed}
    api_key: {{file: {folder}/api.key}}
"""


# The same seller, behind a line that holds all that is asked until ``late`` is set.
LATE_ROUTE = """\
  late:
    provider: pay_per_request
    upstream: {keyed}/late
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [day]
"""


@dataclass
class Reloadable:
    """What a test talks to."""

    folder: Path
    sandbox: Sandbox
    keyed: str
    port: int
    admin_port: int
    process: asyncio.subprocess.Process | None = None
    pace_s: float = 0.0  # between the words of a stream of the keyed API
    streams: int = 0  # that were begun
    asked: int = 0  # at the late seller
    late: asyncio.Event = field(default_factory=asyncio.Event)  # when that answers

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "sidecar.yaml"

    @property
    def log(self) -> str:
        """What it has written to stderr."""
        return (self.folder / "sidecar.log").read_text()

    def write(
        self,
        *,
        budget: str = "1000.00 USDC",
        window: str = "1d",
        limits: str = "{}",
        callers: str = "",
        routes: str = "",
        more: str = "",
    ) -> None:
        """Put another config in the place of the one that is there."""
        names: dict[str, Any] = {"folder": self.folder, "keyed": self.keyed}
        text = CONFIG.format(
            **names,
            port=self.port,
            admin_port=self.admin_port,
            limits=limits,
            seller=self.sandbox.url,
            rpc=self.sandbox.rpc_url,
            budget=budget,
            window=window,
            callers=callers.format(**names),
            routes=routes.format(**names),
        )
        draft = self.config.with_suffix(".draft")
        draft.write_text(text + more)
        draft.rename(self.config)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def status(self) -> dict[str, Any]:
        """What its admin port says of it."""
        async with aiohttp.ClientSession() as admin:
            url = f"http://127.0.0.1:{self.admin_port}/status"
            async with admin.get(url) as response:
                status: dict[str, Any] = await response.json()
        return status

    async def samples(self) -> dict[str, float]:
        """Its metrics by their names and labels."""
        async with aiohttp.ClientSession() as admin:
            async with admin.get(f"http://127.0.0.1:{self.admin_port}/metrics") as response:
                lines = (await response.text()).splitlines()
        told = (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
        return {name: float(value) for name, value in told}

    async def reload(self, token: str = "") -> tuple[int, dict[str, Any]]:
        """Ask the admin port for it: the status, and the document."""
        token = token or (self.folder / "admin.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as admin:
            url = f"http://127.0.0.1:{self.admin_port}/reload"
            async with admin.post(url) as response:
                document: dict[str, Any] = json.loads(await response.text())
                return response.status, document

    async def ended(self) -> int:
        """Its exit code."""
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), WAIT_S)


@asynccontextmanager
async def reloadable(
    folder: Path,
    options: SandboxOptions | None = None,
    environ: Mapping[str, str] | None = None,
    terminal: int = asyncio.subprocess.DEVNULL,
    **changes: Any,
) -> AsyncIterator[Reloadable]:
    """All of it, listening, started from a terminal or none; ``changes`` as for ``write``."""
    for name, secret in (("evm.key", KEY), ("api.key", KEYED), ("app.token", TOKEN)):
        write_private(folder / name, secret)
    sandbox = Sandbox(options or SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    world = Reloadable(folder, sandbox, "", free_port(), free_port())
    runner = web.AppRunner(_keyed_api(world), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    world.keyed = f"http://127.0.0.1:{runner.addresses[0][1]}"
    world.write(**changes)
    try:
        with (folder / "sidecar.log").open("wb") as log:
            world.process = await asyncio.create_subprocess_exec(
                *(() if terminal < 0 else ("setsid", "--ctty")),
                *(sys.executable, "-m", "sidecar", "run", "--config", str(world.config)),
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
                stdin=terminal,
                stderr=log,
            )
        await listening(world.admin_port)
        yield world
    finally:
        if world.process is not None and world.process.returncode is None:
            world.process.terminate()
            with suppress(TimeoutError):
                await world.ended()
            if world.process.returncode is None:
                # Whatever a test has left in it, it must not outlive the test.
                world.process.kill()
                await world.ended()
        await runner.cleanup()
        await sandbox.stop()


def _keyed_api(world: Reloadable) -> web.Application:
    async def show_key(request: web.Request) -> web.Response:
        return web.json_response({"key": request.headers.get("Authorization")})

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        world.streams += 1
        for word in WORDS:
            await response.write(word.encode())
            await asyncio.sleep(world.pace_s)
        await response.write_eof()
        return response

    async def sell_late(request: web.Request) -> web.Response:
        world.asked += 1
        await world.late.wait()
        kept = {name: text for name, text in request.headers.items() if name not in _HOPS}
        url = f"{world.sandbox.url}/{request.match_info['path']}"
        async with aiohttp.ClientSession() as through:
            async with through.post(url, data=await request.read(), headers=kept) as reply:
                told = {name: text for name, text in reply.headers.items() if name not in _HOPS}
                return web.Response(status=reply.status, headers=told, body=await reply.read())

    app = web.Application()
    app.router.add_post("/late/{path:.*}", sell_late)
    app.router.add_get("/v1/key", show_key)
    app.router.add_get("/v1/stream", stream)
    return app
