"""More reservations than a budget has room for, by many processes, on one ledger file.

2,000 from 4 processes; SIDECAR_OVERSPEND=10000 makes that 10,000 from 8. How long a start takes
on a ledger of SIDECAR_RECOVERY_ROWS=100000 payments is told, and no time is asked for.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sidecar.ledger.model import Budget, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import authorized, intent, posted
from tests.world.processes import ROOT
from tests.world.shop import World
from tests.world.spender_process import AMOUNTS, amount_of

RESERVATIONS = int(os.environ.get("SIDECAR_OVERSPEND", "2000"))
PROCESSES = 4 if RESERVATIONS <= 2_000 else 8
EACH = RESERVATIONS // PROCESSES
DEMAND = PROCESSES * sum(amount_of(n) for n in range(EACH))
LIMIT = DEMAND * 3 // 10
ROWS = int(os.environ.get("SIDECAR_RECOVERY_ROWS", "2000"))
IN_DOUBT_EVERY = 1_000


def spender(path: Path, name: str) -> subprocess.Popen[str]:
    """A process that is ready to spend."""
    command = [sys.executable, "-m", "tests.world.spender_process", path, name]
    process = subprocess.Popen(
        [*map(str, command), str(EACH), str(LIMIT)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "ready\n" == process.stdout.readline()
    return process


async def test_no_unit_over(tmp_path: Path) -> None:
    """A budget of 30 % of what is asked for: no unit over, and no refusal where there was room."""
    path = tmp_path / "ledger.db"
    processes = [spender(path, f"process-{n}") for n in range(PROCESSES)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0]) for process in processes]

    ledger = await SqliteLedger.open(path, "auditor")
    (use,) = await ledger.budgets([Budget("shared", Usdc(LIMIT), Window.DAY)], NOON)
    rows = await ledger.payments(None, RESERVATIONS)
    await ledger.close()
    made = sum(one["made"] for one in told)

    assert made == use.reserved.atomic == sum(row.amount.atomic for row in rows)
    assert LIMIT - max(AMOUNTS) < made <= LIMIT
    assert RESERVATIONS - len(rows) == sum(one["refused"] for one in told)
    assert [0] * PROCESSES == [one["wrong"] for one in told]


async def test_recovery_of_many(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A ledger of many payments is opened and put in order: what nobody owns is dropped."""
    world = World(tmp_path / "ledger.db")
    world.rpc_urls = ()
    await fill(world.path)
    began_s = time.monotonic()
    async with world.process() as process:
        opened_s = time.monotonic() - began_s
        await process.recovery.run_once()
        ready_s = time.monotonic() - began_s
        orphans = await process.ledger.orphaned()
        in_doubt = await process.ledger.in_doubt()
        rows = await process.ledger.payments(None, ROWS + 1)
    record_property("rows", ROWS)
    record_property("opened_s", round(opened_s, 3))
    record_property("ready_s", round(ready_s, 3))
    print(f"\n{ROWS} rows: opened after {opened_s:.3f} s, in order after {ready_s:.3f} s")

    assert () == orphans
    assert (ROWS, ROWS // IN_DOUBT_EVERY) == (len(rows), len(in_doubt))


async def fill(path: Path) -> None:
    """Payments as a killed process leaves them: most are complete, a few of each other kind."""
    ledger = await SqliteLedger.open(path, "the-dead")
    budgets = (Budget("wide", Usdc(10**12), Window.TOTAL), Budget("day", Usdc(10**12), Window.DAY))

    async def one(n: int) -> None:
        match n % IN_DOUBT_EVERY:
            case 0:
                await authorized(ledger, f"p{n}", budgets=budgets)
            case 1:
                await ledger.reserve(intent(f"p{n}", budgets=budgets), NOON)
            case _:
                await posted(ledger, f"p{n}", budgets=budgets)
                await ledger.deliver(f"p{n}", NOON)

    for first in range(0, ROWS, 500):
        await asyncio.gather(*(one(n) for n in range(first, min(first + 500, ROWS))))
    await ledger.abandon()
