"""Bugs that would lose a payment with the log, or make a second one when a clock is set."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LOG = "tests/faults/test_ledger_log.py"
MARKS = "tests/unit/ledger/test_sqlite_marks.py"
CLOCKS = "tests/faults/test_clocks.py"
PROVER = "tests/unit/payments/test_prover.py"
PAYER = "tests/unit/payments/test_payer.py"
CLOCK = "tests/unit/test_clock.py"

DURABILITY = (
    Mutant(
        "pays from what is left when the log is gone",
        "sidecar/ledger/sqlite.py",
        "            sqlite_file.require_whole(file)\n",
        "",
        (f"{LOG}::test_removed",),
    ),
    Mutant(
        "begins a deleted ledger afresh",
        "sidecar/ledger/sqlite_file.py",
        "        sqlite_marks.require_reached(None, path, marks)\n        return\n",
        "        return\n",
        (f"{LOG}::test_removed_with_the_ledger",),
    ),
    Mutant(
        "takes a ledger that never left its log for a new one",
        "sidecar/ledger/sqlite_marks.py",
        "    if connection is not None and connection.execute(_HAS_EVENTS).fetchone()[0]:\n",
        "    if connection is None or not connection.execute(_HAS_EVENTS).fetchone()[0]:\n"
        "        return\n"
        "    if True:\n",
        (f"{LOG}::test_removed_from_a_new_ledger",),
    ),
    Mutant(
        "lists what is left as if it were whole",
        "sidecar/ledger/sqlite_file.py",
        "        # A list that lacks payments must not look like a whole one.\n"
        "        sqlite_marks.require_reached(connection, path, marks)\n",
        "",
        (f"{LOG}::test_read",),
    ),
    Mutant(
        "marks before the commit is known",
        "sidecar/ledger/sqlite_writer.py",
        "            last_event = sqlite_marks.last_event(connection) if writes else None\n",
        "            last_event = sqlite_marks.last_event(connection) if writes else None\n"
        "            books.instances.record(last_event or 0)\n",
        (f"{MARKS}::test_not_what_was_undone",),
    ),
    Mutant(
        "marks nothing",
        "sidecar/ledger/sqlite_writer.py",
        "                books.instances.record(last_event)\n",
        "                pass\n",
        (f"{LOG}::test_cut",),
    ),
    Mutant(
        "forgets what the dead had committed",
        "sidecar/ledger/sqlite.py",
        "instances.join(sqlite_marks.last_event(connection))",
        "instances.join(0)",
        (f"{LOG}::test_opened_and_killed",),
    ),
    Mutant(
        "takes its mark along while the log still has its events",
        "sidecar/ledger/sqlite_instances.py",
        "                if not self._has_log():\n",
        "                if True:\n",
        (f"{LOG}::test_left_beside_others",),
    ),
    Mutant(
        "keeps its mark after an end in peace",
        "sidecar/ledger/sqlite_instances.py",
        "                if not self._has_log():\n",
        "                if False:\n",
        (f"{LOG}::test_intact",),
    ),
    Mutant(
        "dates by a clock that was set since it was measured",
        "sidecar/payments/prover.py",
        "        skew_s = measured_s + self._lead_s() - lead_s\n",
        "        skew_s = measured_s\n",
        (f"{PROVER}::test_set_since", f"{CLOCKS}::test_recovers_by_itself"),
    ),
    Mutant(
        "believes the clock until it was measured once",
        "sidecar/payments/prover.py",
        "dict.fromkeys(chains, (0.0, self._lead_s()))",
        "dict[str, tuple[float, float]]()",
        (f"{PROVER}::test_set_since",),
    ),
    Mutant(
        "does not look at the clock again after the wallet's wait",
        "sidecar/payments/payer.py",
        "        denied = denied or self._objection(payment.network)\n",
        "",
        (f"{PAYER}::test_objection_after_the_wait",),
    ),
    Mutant(
        "buys again when the clock is set forward",
        "sidecar/payments/payer.py",
        "now, since = self._clock.now_and_since(self._undelivered_ttl)",
        "now = self._clock.now(); since = now - self._undelivered_ttl",
        (f"{CLOCKS}::test_retry_after_a_jump",),
    ),
    Mutant(
        "gives up a young payment when the clock is set forward",
        "sidecar/payments/recovery.py",
        "self._clock.since(self._undelivered_ttl)",
        "self._clock.now() - self._undelivered_ttl",
        (f"{CLOCKS}::test_retry_after_a_jump",),
    ),
    Mutant(
        "forgets how the clock ran before it was set",
        "sidecar/clock.py",
        "        while leads and leads[-1][0] >= lead_s:\n",
        "        while leads:\n",
        (f"{CLOCK}::test_stamps_before_a_jump",),
    ),
    Mutant(
        "never lets a payment grow old",
        "sidecar/clock.py",
        "for lead_s, until_s in self._leads if until_s >= mark_s)",
        "for lead_s, until_s in self._leads)",
        (f"{CLOCK}::test_jump_of_long_ago",),
    ),
)
