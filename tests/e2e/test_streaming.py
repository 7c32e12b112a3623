"""Streams through the real process: order, and memory that does not grow with their length."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import openai
import pytest

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.processes import free_port
from tests.world.running import TOKEN, config_text, listening, running

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
DOWNLOAD = 200 * MIB
# What a stream of any length may add to the process: buffers on both sides, and the allocator's.
GROWTH_MAX = 24 * MIB


def peak_rss(pid: int) -> int:
    """The most that the process has ever held, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[tuple[int, str]]:
    """A sidecar process before a sandbox: its pid and its URL."""
    sandbox = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    port = free_port()
    config = folder / "sidecar.yaml"
    config.write_text(config_text(folder, sandbox.url, port=port, admin_port=free_port()))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sidecar", "run", "--config", str(config), cwd=ROOT
    )
    try:
        await listening(port)
        yield child.pid, f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        assert 0 == await child.wait()
        await sandbox.stop()


async def download(session: aiohttp.ClientSession, url: str, size: int) -> int:
    async with session.get(f"{url}/v1/bytes/{size}") as response:
        received = 0
        async for chunk in response.content.iter_any():
            received += len(chunk)
        return received


async def test_download_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A download of 200 MiB, and a slow app, cost the process no more than its buffers."""
    async with (
        process(tmp_path) as (pid, url),
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        assert MIB == await download(session, url, MIB)
        before = peak_rss(pid)
        assert DOWNLOAD == await download(session, url, DOWNLOAD)
        after = peak_rss(pid)
        with capsys.disabled():
            print(f"\n200 MiB down: peak {before / MIB:.1f} -> {after / MIB:.1f} MiB")

    assert after - before < GROWTH_MAX


async def test_upload_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An upload of 200 MiB, too large to be kept, streams through as well."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"u" * MIB

    async with (
        process(tmp_path) as (pid, url),
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        headers = {"Content-Length": str(DOWNLOAD)}
        before = peak_rss(pid)
        async with session.post(f"{url}/v1/upload", data=parts(), headers=headers) as response:
            received = (await response.json())["bytes"]
        after = peak_rss(pid)
        with capsys.disabled():
            print(f"\n200 MiB up: peak {before / MIB:.1f} -> {after / MIB:.1f} MiB")

    assert DOWNLOAD == received
    assert after - before < GROWTH_MAX


async def test_first_chunk_of_a_paid_stream(tmp_path: Path) -> None:
    """The first event of a paid stream reaches the app before the seller has sent the last."""
    async with running(tmp_path, SandboxOptions(chunk_delay_s=0.1)) as world:
        client = openai.AsyncOpenAI(base_url=world.base_url, api_key=TOKEN, max_retries=0)
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "one two three four"}], stream=True
        )
        finished_at_first: bool | None = None
        chunks = 0
        async for _ in stream:
            if finished_at_first is None:
                finished_at_first = world.sandbox.books.settlements[-1].deliveries > 0
            chunks += 1
        await client.close()
        finished_at_last = world.sandbox.books.settlements[-1].deliveries > 0

    assert finished_at_last
    assert False is finished_at_first
    assert chunks > 4
