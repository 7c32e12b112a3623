"""Bugs that a failing disk, a damaged file or a jumping clock would turn into money."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WRITES = "tests/faults/test_ledger_writes.py"
DAMAGE = "tests/faults/test_ledger_damage.py"
CLOCKS = "tests/faults/test_clocks.py"
OVERSPEND = "tests/flows/test_overspend.py"

LEDGER_FAULTS = (
    Mutant(
        "answers before the commit is known",
        "sidecar/ledger/sqlite_writer.py",
        '            connection.execute("COMMIT")\n            if last_event',
        "            with suppress(sqlite3.Error):\n"
        '                connection.execute("COMMIT")\n'
        "            if last_event",
        (f"{WRITES}::test_fault_ends",),
    ),
    Mutant(
        "pays from a damaged ledger",
        "sidecar/ledger/sqlite.py",
        "    audit(file)\n",
        "    assert audit\n",
        (f"{DAMAGE}::test_noise",),
    ),
    Mutant(
        "signs whatever the clock says",
        "sidecar/payments/prover.py",
        "        if abs(skew_s) <= CLOCK_SKEW_S_MAX:",
        "        if abs(skew_s) >= 0:",
        (f"{CLOCKS}::test_drift",),
    ),
    Mutant(
        "reserves beside the limit",
        "sidecar/ledger/sqlite_budgets.py",
        "WHERE reserved + spent + ?3 <= ?4\n",
        "WHERE reserved + spent <= ?4\n",
        (f"{OVERSPEND}::test_no_unit_over",),
    ),
)
