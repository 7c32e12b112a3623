"""A seller, and a real sidecar in front of it whose status page a browser opens."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.browser import Window, window
from tests.world.processes import ROOT, free_port
from tests.world.running import TOKEN, config_text, listening
from tests.world.switches import SWITCHES

CALL = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
HELD = """\
  held:
    provider: pay_per_request
    upstream: {upstream}
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [day]
    approval: {{above: "0 USDC", wait_s: 60}}
"""


@dataclass
class World:
    """A seller, and a sidecar in a process of its own."""

    sandbox: Sandbox
    process: asyncio.subprocess.Process
    port: int
    admin_port: int
    admin_token: str

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}/"

    @property
    def settled(self) -> int:
        return len(self.sandbox.books.settlements)

    async def call(self, path: str = "/v1/chat/completions") -> tuple[int, dict[str, Any]]:
        """One app call: its status, and what it got."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.post(url, json=CALL) as response:
                return response.status, await response.json()

    async def status(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{self.page}status") as response:
                state: dict[str, Any] = await response.json()
                return state

    async def raw(self, target: str) -> None:
        """A request whose target no client would send like this, and its answer's end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        host = f"127.0.0.1:{self.port}"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def sidecar_with_page(folder: Path) -> AsyncIterator[World]:
    """Both, up and listening. Its route ``held`` waits for a person's approval each time."""
    sandbox = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    port, admin_port = free_port(), free_port()
    text = config_text(folder, sandbox.url, rpc=sandbox.rpc_url, port=port, admin_port=admin_port)
    config = folder / "sidecar.yaml"
    config.write_text(text + HELD.format(upstream=sandbox.url))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)} | SWITCHES,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await listening(admin_port)
        token = (folder / "admin.token").read_text().strip()
        yield World(sandbox, process, port, admin_port, token)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
        await sandbox.stop()


@asynccontextmanager
async def opened(world: World, **how: Any) -> AsyncIterator[Window]:
    """The page, once it shows something."""
    async with window(**how) as seen:
        await seen.page.goto(world.page)
        await seen.until_text("#heard", "Live")
        yield seen
