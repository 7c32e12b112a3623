"""The whole sidecar while its ledger's disk fails: a real limit on a real process.

Unpaid traffic flows, what needs a payment gets 503, nothing is signed that is not on disk; after
the fault the app's retry is served by the payment it made. Short form: every ninth size of the
log at which the disk is full; SIDECAR_LEDGER_FAULTS=all takes them all.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.errors import LedgerError
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.ledger.sqlite_books import Books
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.processes import ROOT, free_port
from tests.world.running import TOKEN, Running, config_text, listening, running

ALL = os.environ.get("SIDECAR_LEDGER_FAULTS") == "all"
FRAME_BYTES = 4096 + 24
# Half a frame more each time: so every write of a payment is cut at its start and in its middle.
SIZES = range(0, 60 * FRAME_BYTES, FRAME_BYTES // 2 if ALL else 9 * FRAME_BYTES // 2)


@dataclass(frozen=True, slots=True)
class Place:
    """A sidecar as a process of its own, and the seller behind it."""

    sandbox: Sandbox
    pid: int
    port: int
    ledger: Path

    async def pays(self, content: str) -> int:
        """The status of a call that costs something."""
        call = {"model": "m", "messages": [{"role": "user", "content": content}]}
        return await self._status("POST", "chat/completions", call)

    async def free(self) -> int:
        """The status of a call that costs nothing."""
        return await self._status("GET", "models", None)

    async def _status(self, method: str, path: str, document: Any) -> int:
        url = f"http://127.0.0.1:{self.port}/v1/{path}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.request(method, url, json=document) as response:
                await response.read()
                return response.status

    def settled(self) -> Counter[str]:
        """How often each call was paid for, by the seller's books."""
        return Counter(one.body_sha256 for one in self.sandbox.books.settlements)

    def unwritten(self) -> set[str]:
        """What left and is not in the file."""
        rows = SqliteLedger.read(self.ledger, None, 1000)
        written = {row.authorization.identity for row in rows if row.authorization}
        return {seen.nonce for seen in self.sandbox.books.authorizations} - written


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    """Both, up and listening; stopped at the end."""
    # An answer whose post could not be written is in nobody's hands: this seller gives it again.
    sandbox = Sandbox(SandboxOptions(replays_delivered=True), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    port = free_port()
    config = folder / "sidecar.yaml"
    text = config_text(folder, sandbox.url, rpc=sandbox.rpc_url, port=port, admin_port=free_port())
    config.write_text(text)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
        cwd=ROOT,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await listening(port)
        yield Place(sandbox, child.pid, port, folder / "ledger.db")
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()
        await sandbox.stop()


def empty_log(ledger: Path) -> None:
    """Fold the log into the file, so that its next frame is written at its start."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def limit_files(pid: int, size: int) -> None:
    """No file of that process grows past this size."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


async def test_disk_full_at_any_write(tmp_path: Path) -> None:
    """Full at any write of a payment: the retry is served, paid once, and every row is there."""
    first, free, last = [], [], []
    async with place(tmp_path) as here:
        for size in SIZES:
            empty_log(here.ledger)
            limit_files(here.pid, size)
            first.append(await here.pays(f"call {size}"))
            free.append(await here.free())
            limit_files(here.pid, resource.RLIM_INFINITY)
            last.append(first[-1] if first[-1] == 200 else await here.pays(f"call {size}"))
        settled, unwritten = here.settled(), here.unwritten()

    assert {200, 503} == set(first), first
    assert {200} == set(free)
    assert {200} == set(last), last
    assert ([1] * len(SIZES), set()) == (list(settled.values()), unwritten)


async def test_full_disk_signs_nothing(tmp_path: Path) -> None:
    """Twenty calls at once on a full disk: twenty 503, no presentation; then all are served."""
    async with place(tmp_path) as here:
        empty_log(here.ledger)
        limit_files(here.pid, 0)
        refused = await asyncio.gather(*(here.pays(f"call {n}") for n in range(20)))
        presented = len(here.sandbox.books.presentations)
        limit_files(here.pid, resource.RLIM_INFINITY)
        served = await asyncio.gather(*(here.pays(f"call {n}") for n in range(20)))
        settled = here.settled()

    assert ({503}, 0) == (set(refused), presented)
    assert {200} == set(served)
    assert [1] * 20 == list(settled.values())


async def test_locked(tmp_path: Path) -> None:
    """Another program locks the file for longer than we wait: 503; unpaid calls do not notice."""
    async with place(tmp_path) as here:
        with closing(sqlite3.connect(here.ledger, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            refused = asyncio.create_task(here.pays("call"))
            free = [await here.free() for _ in range(10)]
            waited = not refused.done()
            first = await refused
            presented = len(here.sandbox.books.presentations)
        last = await here.pays("call")
        settled = here.settled()

    assert ([200] * 10, True) == (free, waited)
    assert (503, 0, 200) == (first, presented, last)
    assert [1] == list(settled.values())


async def test_file_gone(tmp_path: Path) -> None:
    """A ledger that was moved away is paid from again once it is back; not before."""
    async with place(tmp_path) as here:
        moved = here.ledger.rename(tmp_path / "moved.db")
        first, free = await here.pays("call"), await here.free()
        presented = len(here.sandbox.books.presentations)
        moved.rename(here.ledger)
        last = await here.pays("call")
        settled, unwritten = here.settled(), here.unwritten()

    assert (503, 200, 0, 200) == (first, free, presented, last)
    assert ([1], set()) == (list(settled.values()), unwritten)


SWITCHES = {
    "read-only": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "full": ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"),
}


@pytest.mark.parametrize("kind", SWITCHES)
async def test_file_that_takes_nothing(tmp_path: Path, kind: str) -> None:
    """A file that SQLite calls read-only or full: 503 and nothing signed, until it is not."""
    fault, mended = SWITCHES[kind]
    async with running(tmp_path, SandboxOptions(replays_delivered=True)) as world:
        port = world.service.port
        here = Place(world.sandbox, os.getpid(), port, tmp_path / "ledger.db")
        # Room for more pages than it has would be room for a payment.
        for n in range(3):
            await here.pays(f"before {n}")
        await tell(world, fault)
        first = await asyncio.gather(*(here.pays(f"call {n}") for n in range(12)))
        free = await here.free()
        before = len(world.sandbox.books.settlements)
        await tell(world, mended)
        again = [n for n, status in enumerate(first) if status != 200]
        last = await asyncio.gather(*(here.pays(f"call {n}") for n in again))
        settled, unwritten = here.settled(), here.unwritten()

    assert 503 in first
    assert {200} == {free, *last}
    assert before < 15
    assert ([1] * 15, set()) == (list(settled.values()), unwritten)


async def tell(world: Running, pragma: str) -> None:
    """Set a switch of the connection that writes."""
    ledger = world.service._ledger
    assert isinstance(ledger, SqliteLedger)
    told: list[str] = []

    def switch(books: Books) -> None:
        books.connection.execute(pragma).fetchone()
        told.append(pragma)

    while not told:
        # What a payment still writes may be in the same batch, and make all of it fail.
        with suppress(LedgerError):
            await ledger._writer.do(switch, writes=False)
