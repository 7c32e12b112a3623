"""A process of its own on a ledger file, for tests that kill it or start eight of them.

    python -m tests.world.ledger_process hold PATH INSTANCE STATE
    python -m tests.world.ledger_process reserve PATH INSTANCE FIRST COUNT LIMIT

Both say "ready" and wait for a line: the first one is then done, the other one begins.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from sidecar.ledger.model import Budget, Payment, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import authorized, intent, posted, reserved

ROOT = Path(__file__).resolve().parents[2]
MAKERS = {"reserved": reserved, "authorized": authorized, "posted": posted}


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start such a process, and come back when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.world.ledger_process", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "ready\n" == process.stdout.readline()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, and nothing of it is left."""
    process.kill()
    process.communicate()


def copy(source: Path, target: Path) -> None:
    """Copy a file that is open here. Were it closed here, the locks that SQLite has would go."""
    subprocess.run(["cp", source, target], check=True)


async def hold(path: Path, instance: str, state: str) -> None:
    """Ten payments of the purchases k0 to k9, all in this state and held."""
    ledger = await SqliteLedger.open(path, instance)
    for n in range(10):
        await MAKERS[state](ledger, f"p{n}", key=f"k{n}")
    print("ready", flush=True)
    sys.stdin.readline()
    await ledger.close()


async def reserve(path: Path, instance: str, first: int, count: int, limit: int) -> None:
    """As many reservations at once; says how many were made, and how many were refused."""
    ledger = await SqliteLedger.open(path, instance)
    budgets = (Budget("shared", Usdc(limit), Window.DAY), Budget("wide", Usdc(9999), Window.TOTAL))
    print("ready", flush=True)
    sys.stdin.readline()
    made = await asyncio.gather(
        *(
            ledger.reserve(intent(f"p{n}", budgets=budgets), NOON)
            for n in range(first, first + count)
        )
    )
    await ledger.close()
    paid = sum(isinstance(each, Payment) for each in made)
    print(paid, count - paid, flush=True)


if __name__ == "__main__":
    command, path, instance, *rest = sys.argv[1:]
    if command == "hold":
        asyncio.run(hold(Path(path), instance, rest[0]))
    else:
        first, count, limit = map(int, rest)
        asyncio.run(reserve(Path(path), instance, first, count, limit))
