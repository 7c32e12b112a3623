"""``kill -9`` of replicas that hold slices, at every moment of taking, spending and returning.

Two replicas on one Postgres and one budget, each with a file of its own. 14 lives each, spread
over all the moments that a life has; SIDECAR_LEASE_KILLS=120 dies at each of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sidecar.clock import SystemClock
from sidecar.ledger.leased import LeasedLedger
from sidecar.ledger.model import Budget, Payment, Window
from sidecar.ledger.postgres import PostgresLedger
from sidecar.money import Usdc
from tests.world.dying_replica import AMOUNTS, TERMS
from tests.world.fakes import NOON
from tests.world.intents import EXPIRED, HOUR, RECEIPT, UNSIGNED, authorization, intent
from tests.world.processes import ROOT

LIVES = int(os.environ.get("SIDECAR_LEASE_KILLS", "14"))
# More than a life has, so that the last ones end by themselves.
MOMENTS = 120
STEP = max(1, MOMENTS // LIVES)
CAP = 8 * LIVES


def die(url: str, folder: Path, name: str) -> subprocess.Popen[str]:
    """A replica on its file, for these lives."""
    command = ["-m", "tests.world.dying_replica", url, folder / f"{name}.db", folder / "chain"]
    return subprocess.Popen(
        [sys.executable, *map(str, [*command, name, MOMENTS, STEP, CAP])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_killed_at_every_moment(database: str, tmp_path: Path) -> None:
    """What the chain moved is what the centre counts as spent, and the cap is reached exactly."""
    lives = survived = 0
    for process in [die(database, tmp_path, name) for name in ("a", "b")]:
        said, _ = process.communicate()
        assert 0 == process.returncode
        told, alive = map(int, said.split())
        lives, survived = lives + told, survived + alive
    moved = dict(line.split() for line in (tmp_path / "chain").read_text().splitlines())
    sums = sum(map(int, moved.values()))
    assert 2 * LIVES <= lives
    assert 0 < survived < lives // 2
    assert sums <= await gone(database) <= CAP

    for name in ("a", "b"):
        await settle(database, tmp_path / f"{name}.db", f"heir-of-{name}", moved)

    assert sums == await gone(database)
    last_one = await open_ledger(database, tmp_path / "c.db", "c")
    rest = 0
    while isinstance(await last_one.reserve(intent(f"c-{rest}", budgets=(BUDGET,)), NOON), Payment):
        await last_one.authorize(f"c-{rest}", authorization(f"c-{rest}"), NOON)
        await last_one.post(f"c-{rest}", RECEIPT, NOON)
        rest += 1
    await last_one.close()
    assert CAP == sums + rest


BUDGET = Budget("cap", Usdc(CAP), Window.TOTAL)


async def open_ledger(url: str, file: Path, instance: str) -> LeasedLedger:
    centre = await PostgresLedger.open(url, instance)
    return await LeasedLedger.open(
        centre, centre.slices, file, instance, TERMS, SystemClock(), lambda sentence: None
    )


async def gone(url: str) -> int:
    """What the centre counts, as reserved and as spent; its audit agrees with it."""
    centre = await PostgresLedger.open(url, f"auditor-{os.urandom(4).hex()}")
    (use,) = await centre.budgets([BUDGET], NOON)
    await centre.close()
    return use.reserved.atomic + use.spent.atomic


async def settle(url: str, file: Path, instance: str, moved: dict[str, str]) -> None:
    """What recovery does on the file of a dead replica: the chain says what became of each."""
    ledger = await open_ledger(url, file, instance)
    for payment in await ledger.orphaned():
        await ledger.void(payment.id, UNSIGNED, NOON)
    for payment in await ledger.in_doubt():
        assert payment.amount.atomic in AMOUNTS
        if payment.id in moved:
            await ledger.post(payment.id, RECEIPT, NOON)
        else:
            await ledger.void(payment.id, EXPIRED, NOON + HOUR)
    await ledger.close()
