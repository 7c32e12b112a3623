"""One ledger file, eight processes, one budget."""

from __future__ import annotations

from pathlib import Path

from sidecar.ledger.model import Budget, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from tests.world import ledger_process
from tests.world.fakes import NOON

PROCESSES = 8
RESERVATIONS = 500
LIMIT = 150


async def test_budget_across_processes(tmp_path: Path) -> None:
    """A budget for 150, 500 reservations of one unit by 8 processes: 150 made, 350 refused."""
    path = tmp_path / "ledger.db"
    shares = [range(RESERVATIONS)[n::PROCESSES] for n in range(PROCESSES)]
    processes = [
        ledger_process.start("reserve", path, f"process-{n}", 1000 * n, len(share), LIMIT)
        for n, share in enumerate(shares)
    ]

    # All are ready before the first is told to begin.
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in processes]

    assert [0] * PROCESSES == [process.returncode for process in processes]
    assert LIMIT == sum(int(made) for made, _ in said)
    assert RESERVATIONS - LIMIT == sum(int(refused) for _, refused in said)
    ledger = await SqliteLedger.open(path, "auditor")
    shared, wide = await ledger.budgets(
        [Budget("shared", Usdc(LIMIT), Window.DAY), Budget("wide", Usdc(9999), Window.TOTAL)], NOON
    )
    assert (LIMIT, LIMIT) == (shared.reserved.atomic, wide.reserved.atomic)
    assert LIMIT == len(await ledger.payments(None, RESERVATIONS))
    assert LIMIT == len(await ledger.orphaned())
    await ledger.close()
