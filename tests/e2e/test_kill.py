"""The real process, killed with SIGKILL at every named moment, and started again.

The app is the stock OpenAI client with its retries; it knows of nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import openai
import pytest

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.mortal_sidecar import MOMENTS
from tests.world.processes import free_port
from tests.world.running import START_WAIT_S, TOKEN, config_text, listening

TIMES = int(os.environ.get("SIDECAR_KILL_TIMES", "10"))
ROOT = Path(__file__).resolve().parents[2]
SIDE_BY_SIDE = 3


async def start(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL
    )


async def killed_once(folder: Path, sandbox: Sandbox, moment: str, occasion: int) -> str:
    """One call through a sidecar that dies at this moment and is started again: what came."""
    port = free_port()
    config = folder / "sidecar.yaml"
    config.write_text(config_text(folder, sandbox.url, port=port, admin_port=free_port()))
    mortal = await start("tests.world.mortal_sidecar", str(config), moment, str(occasion))
    await listening(port)
    client = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=8, timeout=30
    )
    call = asyncio.create_task(
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"{folder.name} {moment}"}]
        )
    )
    successor = None
    try:
        assert -9 == await asyncio.wait_for(mortal.wait(), START_WAIT_S)
        successor = await start("sidecar", "run", "--config", str(config))
        answer = await call
        return answer.choices[0].message.content or ""
    finally:
        call.cancel()
        await client.close()
        for child in (mortal, successor):
            if child is not None and child.returncode is None:
                child.terminate()
                await child.wait()


# Only the sending has a second occasion: it is bare at first, and then it pays.
CASES = [(moment, 1) for moment in MOMENTS] + [
    (moment, 2) for moment in MOMENTS if moment.endswith("upstream.send")
]


@pytest.mark.parametrize(("moment", "occasion"), CASES)
async def test_kill(tmp_path: Path, moment: str, occasion: int) -> None:
    """No double payment, no lost row, and the app gets its answer."""
    # A killed sidecar may have left its answer unread in the kernel: this seller gives it again.
    options = SandboxOptions(replays_delivered=True)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    side_by_side = asyncio.Semaphore(SIDE_BY_SIDE)

    async def once(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        async with side_by_side:
            return await killed_once(folder, sandbox, moment, occasion)

    try:
        answers = await asyncio.gather(*(once(number) for number in range(TIMES)))
        bought = [one.body_sha256 for one in sandbox.books.settlements]
        left = {seen.nonce for seen in sandbox.books.authorizations}
    finally:
        await sandbox.stop()
    written = {
        row.authorization.identity
        for number in range(TIMES)
        for row in SqliteLedger.read(tmp_path / str(number) / "ledger.db", None, 100)
        if row.authorization
    }

    assert all(answer.startswith("The sandbox heard") for answer in answers)
    assert (TIMES, TIMES) == (len(bought), len(set(bought)))
    assert left <= written
