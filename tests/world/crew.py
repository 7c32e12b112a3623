"""A sidecar with several workers, as tests look at it from outside: processes, ledger, seller."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from sidecar.ledger import sqlite_desk
from sidecar.sandbox import SandboxOptions
from tests.world.reloadable import Reloadable, reloadable
from tests.world.running import TOKEN

WORKERS = 3
MORE = f"workers: {WORKERS}\n"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
WAIT_S = 60.0


@asynccontextmanager
async def crew(
    folder: Path, options: SandboxOptions | None = None, **changes: Any
) -> AsyncIterator[Reloadable]:
    """A seller, and a sidecar with three workers in front of it."""
    async with reloadable(folder, options, more=changes.pop("more", MORE), **changes) as world:
        yield world


@asynccontextmanager
async def apps() -> AsyncIterator[aiohttp.ClientSession]:
    """Apps that make a connection for each call, so that each may meet another worker."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
        yield session


def call(words: str) -> dict[str, Any]:
    """What an app asks."""
    return {"model": "m", "messages": [{"role": "user", "content": words}]}


async def pay(app: aiohttp.ClientSession, world: Reloadable, words: str, key: str = "") -> int:
    """The status of one call that costs a cent."""
    url, headers = f"{world.url}/seller/v1/chat/completions", {"Idempotency-Key": key}
    async with app.post(url, json=call(words), headers=headers if key else {}) as response:
        await response.read()
        return response.status


async def processes(world: Reloadable) -> list[int]:
    """The processes that serve now, the leader first."""
    workers = sorted((await world.status())["workers"], key=lambda each: not each["leads"])
    return [each["process"] for each in workers]


async def killed(world: Reloadable, process: int) -> None:
    """Come back once this one was killed, and another serves in its place."""
    os.kill(process, signal.SIGKILL)
    async with asyncio.timeout(WAIT_S):
        while True:
            serving = await processes(world)
            if process not in serving and len(serving) == WORKERS:
                return
            await asyncio.sleep(0.05)


def payments_by_instance(folder: Path) -> list[int]:
    """How many payments each process has made that has the ledger open, by its books."""
    ledger = folder / "ledger.db"
    locks = Path(f"{ledger}.instances").glob("*.lock")
    return sorted(len(sqlite_desk.made_by(ledger, each.stem)) for each in locks)


def counters(samples: dict[str, float]) -> dict[str, float]:
    """The samples that must never be less than they were."""
    endings = ("_total", "_count", "_sum", "_bucket")
    return {
        name: value
        for name, value in samples.items()
        if name.partition("{")[0].endswith(endings) and not name.startswith("python_gc")
    }


def total(samples: dict[str, float], name: str, *labels: str) -> float:
    """The sum of all samples of this name that have these labels."""
    return sum(
        value
        for each, value in samples.items()
        if each.partition("{")[0] == name and all(label in each for label in labels)
    )
