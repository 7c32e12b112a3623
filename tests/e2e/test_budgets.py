"""A budget for 150 calls, and 500 that want to be paid at once: through one process, and eight."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.model import Payment
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.processes import free_port
from tests.world.running import TOKEN, config_text, listening, running

ROOT = Path(__file__).resolve().parents[2]
CALLS, PAID = 500, 150
BUDGET = "1.50 USDC"  # the sandbox wants 0.01 USDC a call
PROCESSES = 8
REST_S = 30


async def call(session: aiohttp.ClientSession, base_url: str, number: int) -> tuple[int, str]:
    """One call: its status, and the refusal if it was one."""
    body = {"model": "m", "messages": [{"role": "user", "content": f"call {number}"}]}
    async with session.post(f"{base_url}/chat/completions", json=body) as response:
        document = await response.json()
        if response.status == 200:
            return 200, ""
        assert "false" == response.headers["x-should-retry"]
        return response.status, json.dumps(document["error"])


def app() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {TOKEN}"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=120),
    )


async def at_rest(ledger: Path) -> tuple[Payment, ...]:
    """The rows, once none is in doubt: no app waits for its payment to be posted."""
    async with asyncio.timeout(REST_S):
        while any(row.state == "authorized" for row in SqliteLedger.read(ledger, None, 10_000)):
            await asyncio.sleep(0.05)
    return SqliteLedger.read(ledger, None, 10_000)


async def check(results: list[tuple[int, str]], sandbox: Sandbox, ledger: Path) -> None:
    """150 paid and 350 refused: by the app, the seller and the ledger."""
    refusals = [json.loads(error) for status, error in results if status == 402]
    assert (PAID, CALLS - PAID) == (len(results) - len(refusals), len(refusals))
    assert PAID == len(sandbox.books.settlements)
    assert Usdc.parse(BUDGET) == sandbox.books.settled_total
    rows = await at_rest(ledger)
    assert {PAID} == {len(rows), sum(row.state == "posted" for row in rows)}
    for error in refusals:
        assert ("insufficient_quota", "sidecar_budget", "day") == (
            error["type"],
            error["code"],
            error["budget"],
        )
        assert "1.50 USDC" == error["limit"]
        assert error["resets_at"].endswith("T00:00:00+00:00")
        assert error["resets_at"][:10] in error["message"]


async def test_one_process(tmp_path: Path) -> None:
    """500 calls at once through one sidecar: exactly 150 are paid, 350 refused by name."""
    async with running(tmp_path, budget=BUDGET, response_wait_s=60) as world, app() as session:
        results = await asyncio.gather(
            *(call(session, world.base_url, number) for number in range(CALLS))
        )
        await check(results, world.sandbox, tmp_path / "ledger.db")


async def test_eight_processes(tmp_path: Path) -> None:
    """The same through eight sidecar processes on one ledger file."""
    sandbox = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    children: list[asyncio.subprocess.Process] = []
    ports = [free_port() for _ in range(PROCESSES)]
    try:
        for number, port in enumerate(ports):
            config = tmp_path / f"sidecar-{number}.yaml"
            config.write_text(
                config_text(
                    tmp_path,
                    sandbox.url,
                    port=port,
                    admin_port=free_port(),
                    budget=BUDGET,
                    response_wait_s=60,
                )
            )
            children.append(
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
                    cwd=ROOT,
                    stderr=asyncio.subprocess.DEVNULL,
                )
            )
        await asyncio.gather(*(listening(port) for port in ports))
        async with app() as session:
            urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
            results = await asyncio.gather(
                *(call(session, urls[number % PROCESSES], number) for number in range(CALLS))
            )
        await check(results, sandbox, tmp_path / "ledger.db")
    finally:
        for child in children:
            child.terminate()
        for child in children:
            assert 0 == await child.wait()
        await sandbox.stop()
