"""The real sidecar on a Unix socket, a sandbox seller, and apps of this user or another."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import openai

from sidecar.ledger.sqlite import SqliteLedger
from sidecar.sandbox import Sandbox
from tests.hostile.recorder import Recorder
from tests.world.processes import ROOT

OWN = os.geteuid()
# Whoever asks in a process of its own; only root can make one of another user.
ASKING = 54_321 if OWN == 0 else OWN
OTHER = 54_322
TOKEN = "sk-the-apps-own-key-of-some-length"
WAIT_S = 30.0

CONFIG = """\
version: 1
listen: unix:{folder}/sidecar.sock
admin: 127.0.0.1:0
state_dir: {folder}/state
limits: {{header_wait_s: 1, body_idle_s: 1}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
budgets:
  - {{name: day, limit: "5.00 USDC", window: 1d}}
  - {{name: small, limit: "0.015 USDC", window: 1d}}
{callers}
routes:
  seller:
    provider: pay_per_request
    upstream: {seller}
    wallet: main
    default: true
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [day]
  keyed:
    provider: api_key
    upstream: {keyed}
    api_key: {{file: {folder}/api.key}}
"""
# Connects as the user that it is told to become, and says what came of one request.
ASK = """\
import http.client, os, socket, sys
path, user = sys.argv[1], int(sys.argv[2])
if user != os.geteuid():
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
body = '{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'
connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
response = connection.getresponse()
print(response.status, response.headers["Connection"], response.read().decode())
"""


class World:
    """One sidecar process after the other on the same socket, a sandbox seller and a recorder."""

    def __init__(self, folder: Path, sandbox: Sandbox, keyed: Recorder) -> None:
        self.folder = folder
        self.path = folder / "sidecar.sock"
        self.sandbox = sandbox
        self.keyed = keyed

    async def start(self, *callers: str) -> asyncio.subprocess.Process:
        """A sidecar with these callers, once it listens or has ended."""
        listed = "".join(f"  - {caller}\n" for caller in callers)
        config = self.folder / "sidecar.yaml"
        config.write_text(
            CONFIG.format(
                folder=self.folder,
                seller=self.sandbox.url,
                keyed=self.keyed.origin,
                callers=f"callers:\n{listed}" if callers else "",
            )
        )
        before = self.identity()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WAIT_S):
            while child.returncode is None and self.identity() in {None, before}:
                await asyncio.sleep(0.02)
        return child

    def identity(self) -> tuple[int, int] | None:
        """Which file is there; two that follow one another may have one inode."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_ctime_ns

    @asynccontextmanager
    async def running(self, *callers: str) -> AsyncIterator[asyncio.subprocess.Process]:
        child = await self.start(*callers)
        try:
            yield child
        finally:
            await end(child)

    def client(self) -> openai.AsyncOpenAI:
        """The stock client, told which socket to use and nothing else."""
        transport = httpx2.AsyncHTTPTransport(uds=str(self.path))
        return openai.AsyncOpenAI(
            base_url="http://localhost/v1",
            api_key=TOKEN,
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=transport),
        )

    async def buy(self) -> int:
        """The status of one call of ours that costs money."""
        async with self.client() as client:
            try:
                await client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "hello"}]
                )
            except openai.APIStatusError as refusal:
                return refusal.status_code
        return 200

    async def ask(self) -> tuple[int, str, str]:
        """One call of the user ASKING: its status, its Connection field, its body."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ASK, str(self.path), str(ASKING)),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await asyncio.wait_for(child.communicate(), WAIT_S)
        status, connection, body = said.decode().split(" ", 2)
        return int(status), connection, body

    async def say(self, *parts: bytes) -> bytes:
        """All that comes back over a bare connection of ours until it is closed."""
        return await say(self.path, *parts)

    def booked(self) -> list[str]:
        """Whose payments are in the ledger."""
        rows = SqliteLedger.read(self.folder / "state" / "ledger.db", None, 100)
        return [row.caller for row in rows]


async def end(child: asyncio.subprocess.Process) -> int:
    """Its exit status, once it was asked to end."""
    if child.returncode is None:
        child.terminate()
    await asyncio.wait_for(child.communicate(), WAIT_S)
    assert child.returncode is not None
    return child.returncode


async def say(path: Path, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(0.05)
            writer.write(part.replace(b"{host}", b"localhost").replace(b"{token}", b"Bearer x"))
        async with asyncio.timeout(WAIT_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
