"""Bugs that make a request cost more with more callers, more rows, or more statuses."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ADMISSION = "tests/unit/proxy/test_admission.py"
METRICS = "tests/unit/test_metrics.py"
PLANS = "tests/unit/ledger/test_sqlite_plans.py"
AUDIT = "tests/unit/ledger/test_sqlite_audit.py"

GROWTH = (
    Mutant(
        "compares each caller's token",
        "sidecar/proxy/admission.py",
        "        found = self._known.get(_digest(shown))\n",
        "        found = next(\n"
        "            (each for each in self._known.values() if hmac.compare_digest(each[0], shown)),\n"
        "            None,\n"
        "        )\n",
        (f"{ADMISSION}::test_many_callers",),
    ),
    Mutant(
        "multiplies routes and callers at start",
        "sidecar/metrics/tally.py",
        "if prod(map(len, names)) <= ZEROS_MAX else ()",
        "if prod(map(len, names)) else ()",
        (f"{METRICS}::test_zeros_are_bounded",),
    ),
    Mutant(
        "remembers every status that was ever answered",
        "sidecar/metrics/tally.py",
        "            self._found.clear()\n",
        "            pass\n",
        (f"{METRICS}::test_statuses_are_bounded",),
    ),
    Mutant(
        "has no index for the breaker",
        "sidecar/ledger/sqlite_schema.py",
        "    _CLOSED,\n",
        "",
        (f"{PLANS}::test_every_statement_is_a_search",),
    ),
    Mutant(
        "counts all events after each commit",
        "sidecar/ledger/sqlite_marks.py",
        "SELECT coalesce(max(seq), 0) FROM events",
        "SELECT coalesce(max(seq + 0), 0) FROM events",
        (f"{PLANS}::test_work_does_not_grow",),
    ),
    Mutant(
        "does not look at the pages",
        "sidecar/ledger/sqlite_audit.py",
        "            check_pages(connection, path)\n",
        "            assert check_pages\n",
        ("tests/faults/test_ledger_damage.py",),
    ),
    Mutant(
        "does not wait for the other half of the audit",
        "sidecar/ledger/sqlite_audit.py",
        "told.result() + windows",
        "windows",
        (f"{AUDIT}::test_difference",),
    ),
)
