"""Bugs of what the payments of a batch change together."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SUMS = "sidecar/ledger/sqlite_sums.py"
WRITER = "sidecar/ledger/sqlite_writer.py"
TESTS = "tests/unit/ledger/test_sqlite_sums.py"

SUMMED_UP = (
    Mutant(
        "reserves together beside the limit",
        SUMS,
        "                self._apart = APART\n                return False\n",
        "                self._apart = APART\n",
        (f"{TESTS}::test_one_too_many",),
    ),
    Mutant(
        "does not hear that a batch has no room",
        WRITER,
        "        return books.sums.settle()\n",
        "        books.sums.settle()\n        return True\n",
        (f"{TESTS}::test_one_too_many",),
    ),
    Mutant(
        "takes the last limit of a batch",
        SUMS,
        "min(least, cap)",
        "cap",
        (f"{TESTS}::test_two_limits",),
    ),
    Mutant(
        "adds up to what is no number",
        SUMS,
        "raised > cap or ",
        "",
        (f"{TESTS}::test_no_number",),
    ),
    Mutant(
        "raises for the last alone",
        SUMS,
        "(raised + amount.atomic, min(least, cap))",
        "(amount.atomic, min(least, cap))",
        (f"{TESTS}::test_told_once",),
    ),
    Mutant(
        "spends for the last alone",
        SUMS,
        "self._spent.get(key, 0) + amount",
        "amount",
        (f"{TESTS}::test_told_once",),
    ),
    Mutant(
        "does each batch twice",
        SUMS,
        "                self._apart = APART\n",
        "",
        (f"{TESTS}::test_run_out",),
    ),
    Mutant(
        "spends what was not reserved",
        SUMS,
        "            spent <= LARGEST and sqlite_budgets.is_spent(connection, key, spent)\n",
        "            sqlite_budgets.is_spent(connection, key, spent) or True\n",
        (f"{TESTS}::test_damaged",),
    ),
    Mutant(
        "adds up what is done apart",
        WRITER,
        "        books.sums.end()\n        for job in jobs:\n",
        "        for job in jobs:\n",
        (f"{TESTS}::test_fault_beside",),
    ),
    Mutant(
        "adds up after a batch was given up",
        WRITER,
        "            books.seen.end()\n            books.sums.end()\n",
        "            books.seen.end()\n",
        (f"{TESTS}::test_transaction_gone",),
    ),
    Mutant(
        "hides a freeze behind a move",
        "sidecar/ledger/sqlite_seen.py",
        "if self._is_open and self._changes == before:",
        "if self._is_open:",
        ("tests/unit/ledger/test_sqlite_seen.py::test_moved_after_a_freeze",),
    ),
    Mutant(
        "tells of a stale delivery",
        "sidecar/ledger/sqlite_statements.py",
        '{_REMEMBERED} AND delivered_at = ?"',
        '{_REMEMBERED} AND 0 IS NOT ?"',
        ("tests/unit/ledger/test_sqlite_remembered.py::test_delivered_before",),
    ),
)
