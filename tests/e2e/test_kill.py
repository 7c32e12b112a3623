"""The real process, killed with SIGKILL at every named moment, and started again.

The app is the stock OpenAI client with its retries; it knows of nothing. SIDECAR_KILL_TIMES is how
often at each moment, 3 unless it says otherwise, all at one seller. On Postgres once at each
moment: the successor is another instance, and must not wait for the end of a lease.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.mortal_sidecar import MOMENTS, STREAMED_MOMENTS
from tests.world.processes import free_port
from tests.world.running import START_WAIT_S, TOKEN, config_text, listening
from tests.world.stores import PostgresStore, SqliteStore, Store

TIMES = int(os.environ.get("SIDECAR_KILL_TIMES", "3"))
ROOT = Path(__file__).resolve().parents[2]
SIDE_BY_SIDE = 3


async def start(
    *command: str, environ: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stderr=asyncio.subprocess.DEVNULL,
    )


async def ask(client: openai.AsyncOpenAI, content: str, streams: bool) -> str:
    """What the app gets, in one piece or as it comes."""
    said: ChatCompletionUserMessageParam = {"role": "user", "content": content}
    if not streams:
        answer = await client.chat.completions.create(model="m", messages=[said])
        return answer.choices[0].message.content or ""
    stream = await client.chat.completions.create(model="m", messages=[said], stream=True)
    pieces = [piece async for piece in stream]
    return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)


async def killed_once(
    folder: Path, sandbox: Sandbox, store: Store, moment: str, occasion: int
) -> str:
    """One call through a sidecar that dies at this moment and is started again: what came."""
    port = free_port()
    config = folder / "sidecar.yaml"
    # Where no chain can tell of a payment afterwards, none is concluded after its answer.
    rpc = sandbox.rpc_url if moment.endswith("conclude") else ""
    text = config_text(folder, sandbox.url, rpc=rpc, port=port, admin_port=free_port())
    config.write_text(text.replace("{sqlite: ledger.db}", store.section))
    command = ("tests.world.mortal_sidecar", str(config), moment, str(occasion))
    mortal = await start(*command, environ=store.environ)
    await listening(port)
    client = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=8, timeout=30
    )
    call = asyncio.create_task(ask(client, f"{folder.name} {moment}", moment in STREAMED_MOMENTS))
    successor = None
    try:
        assert -9 == await asyncio.wait_for(mortal.wait(), START_WAIT_S)
        successor = await start("sidecar", "run", "--config", str(config), environ=store.environ)
        return await call
    finally:
        call.cancel()
        await client.close()
        for child in (mortal, successor):
            if child is not None and child.returncode is None:
                child.terminate()
                await child.wait()


# Only the sending has a second occasion: it is bare at first, and then it pays.
CASES = [(moment, 1) for moment in MOMENTS + STREAMED_MOMENTS] + [
    (moment, 2) for moment in MOMENTS if moment.endswith("upstream.send")
]


async def killed(folder: Path, stores: Sequence[Store], moment: str, occasion: int) -> None:
    """Once on each of these, side by side, at one seller; and what it has counted in the end."""
    # A killed sidecar may have left its answer unread in the kernel: this seller gives it again.
    # A stream takes a while, or it would be here whole.
    options = SandboxOptions(replays_delivered=True, chunk_delay_s=0.05)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    side_by_side = asyncio.Semaphore(SIDE_BY_SIDE)

    async def once(number: int, store: Store) -> str:
        own = folder / str(number)
        own.mkdir()
        async with side_by_side:
            return await killed_once(own, sandbox, store, moment, occasion)

    try:
        answers = await asyncio.gather(*(once(*each) for each in enumerate(stores)))
        bought = [one.body_sha256 for one in sandbox.books.settlements]
        left = {seen.nonce for seen in sandbox.books.authorizations}
    finally:
        await sandbox.stop()
    written = {
        row.authorization.identity
        for store in stores
        for row in store.desk().payments(None, 100)
        if row.authorization
    }

    assert all(answer.startswith("The sandbox heard") for answer in answers)
    assert (len(stores), len(stores)) == (len(bought), len(set(bought)))
    assert left <= written


@pytest.mark.parametrize(("moment", "occasion"), CASES)
async def test_kill(tmp_path: Path, moment: str, occasion: int) -> None:
    """No double payment, no lost row, and the app gets its answer."""
    stores = [SqliteStore(tmp_path / str(number) / "ledger.db") for number in range(TIMES)]
    await killed(tmp_path, stores, moment, occasion)


@pytest.mark.parametrize(("moment", "occasion"), CASES)
async def test_kill_on_postgres(tmp_path: Path, database: str, moment: str, occasion: int) -> None:
    """The same on Postgres: the retry finds what the dead instance held, long before its lease."""
    await killed(tmp_path, [PostgresStore(database)], moment, occasion)
