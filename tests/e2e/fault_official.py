"""The same misbehaving seller before the official SDK's client, paid for each request on EVM.

Its app calls the seller itself, with no sidecar between them, once or three times.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox
from sidecar.sandbox.faults import Fault
from tests.e2e.fault_cells import USUAL, Cell, Ended, Place, fault_cell
from tests.e2e.fault_clients import Way
from tests.e2e.fault_worlds import LATE_S, SAID, options_of, query_of, settlements
from tests.world.processes import WORLD, installed
from tests.world.running import KEY

SCRIPT = Path(__file__).parents[1] / "world/sdk/fault_client.py"
WAYS = (Way.ONE_TRY, Way.THREE_TRIES)
RUN_S = 300
# As patient with its seller as the sidecar is.
WAIT_S = 4
BODY = {"model": "sandbox", "messages": [{"role": "user", "content": SAID}]}


async def by_official_client(faults: Sequence[Fault]) -> list[Ended]:
    """Each with one try and with three; it keeps no books, so there are no states."""
    cells = [fault_cell(fault, Place.SELLER_EVM, way) for fault in faults for way in WAYS]
    options = options_of(USUAL, Place.SELLER_EVM)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start()
    try:
        heard = await _run(sandbox.url, cells)
        await asyncio.sleep(LATE_S)
        settled = settlements(sandbox)
    finally:
        await sandbox.stop()
    return [Ended(cell, heard[query_of(cell)], settled[query_of(cell)], ()) for cell in cells]


async def _run(url: str, cells: list[Cell]) -> dict[str, int]:
    cases = [
        {
            "name": query_of(cell),
            "url": f"{url}/v1/chat/completions?{query_of(cell)}",
            "body": BODY,
            "tries": cell.way.tries,
            "wait_s": WAIT_S,
        }
        for cell in cells
    ]
    program = await asyncio.create_subprocess_exec(
        installed(WORLD / "sdk-v2/bin/python"),
        SCRIPT,
        env={**os.environ, "CLIENT_KEY": KEY},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    lines = "\n".join(json.dumps(case) for case in cases).encode()
    try:
        async with asyncio.timeout(RUN_S):
            output, errors = await program.communicate(lines)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.returncode == 0, errors.decode()[-2_000:]
    answers = [json.loads(line) for line in output.splitlines()]
    return {answer["name"]: answer["heard"] for answer in answers}
