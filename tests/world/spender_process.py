"""A process that reserves as fast as it can, for a test that starts eight of them on one file.

    python -m tests.world.spender_process PATH NAME COUNT LIMIT

It says "ready", waits for a line, and then tells in one line of JSON what was made, what was
refused, and which refusals were wrong: there was room for the amount, by the use they tell.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from sidecar.ledger.model import Budget, Payment, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import intent

AMOUNTS = (1, 2, 3, 5, 7)
LOCK_WAIT_S = 120.0
AT_ONCE = 50


def amount_of(n: int) -> int:
    """What the n-th reservation is for."""
    return AMOUNTS[n % len(AMOUNTS)]


async def spend(path: Path, name: str, count: int, limit: int) -> None:
    """All the reservations, so many of them at once."""
    # Eight processes that write without a pause can starve one another for seconds.
    ledger = await SqliteLedger.open(path, name, lock_wait_s=LOCK_WAIT_S)
    budgets = (Budget("shared", Usdc(limit), Window.DAY),)
    print("ready", flush=True)
    sys.stdin.readline()
    slots = asyncio.Semaphore(AT_ONCE)
    made = refused = wrong = 0

    async def reserve(n: int) -> None:
        nonlocal made, refused, wrong
        amount = amount_of(n)
        async with slots:
            answer = await ledger.reserve(
                intent(f"{name}-{n}", amount=amount, budgets=budgets), NOON
            )
        if isinstance(answer, Payment):
            made += amount
            return
        refused += 1
        use = answer.budget
        had_room = use is None or use.reserved.atomic + use.spent.atomic + amount <= limit
        wrong += answer.rule != "budget" or had_room

    await asyncio.gather(*(reserve(n) for n in range(count)))
    await ledger.close()
    print(json.dumps({"made": made, "refused": refused, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    file, who, how_many, cap = sys.argv[1:]
    asyncio.run(spend(Path(file), who, int(how_many), int(cap)))
