"""Bugs of what is worked out once and kept: windows, texts of a row, the clock's lead, heads."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ROWS = "tests/unit/ledger/test_rows.py"
WINDOWS = "tests/unit/ledger/test_windows.py"
CLOCK = "tests/unit/test_clock.py"
KEPT = "sidecar/ledger/rows.py"
WATCHED = "sidecar/clock.py"

LOOKED_UP_ONCE = (
    Mutant(
        "raises a window again beside the limit",
        "sidecar/ledger/sqlite_budgets.py",
        "AND reserved + spent + ?3 <= ?4",
        "AND reserved + spent <= ?4",
        ("tests/conformance/test_ledger.py::test_reserve_denied_by_budget",),
    ),
    Mutant(
        "takes one hour for another",
        "sidecar/ledger/windows.py",
        "milliseconds(at) // (_HOUR_S * 1000))",
        "milliseconds(at) // (_HOUR_S * 1000) // 24 * 24)",
        (f"{WINDOWS}::test_at_each_moment",),
    ),
    Mutant(
        "knows a budget by its name alone",
        "sidecar/ledger/model.py",
        "        return hash(self.name)  # asked for each payment\n",
        "        return hash(self.name)  # asked for each payment\n"
        "\n"
        "    def __eq__(self, other: object) -> bool:\n"
        "        return isinstance(other, Budget) and self.name == other.name\n",
        (f"{WINDOWS}::test_limit_of_now",),
    ),
    Mutant(
        "keeps the text of what may change",
        KEPT,
        "    if not isinstance(envelope, Envelope):\n        return to_json(dict(envelope))\n",
        "",
        (f"{ROWS}::test_envelope_of_one_payment",),
    ),
    Mutant(
        "keeps envelopes without their limit",
        KEPT,
        "if len(_TEXTS) >= TEXTS_MAX:",
        "if len(_TEXTS) >= 4 * TEXTS_MAX:",
        (f"{ROWS}::test_envelopes_that_are_gone",),
    ),
    Mutant(
        "rounds a row's time up",
        KEPT,
        "since.microseconds // 1000",
        "(since.microseconds + 500) // 1000",
        (f"{ROWS}::test_milliseconds",),
    ),
    Mutant(
        "takes a clock set forward for one that runs",
        WATCHED,
        "0 <= lead_s - leads[-1][0] < 1",
        "0 <= lead_s - leads[-1][0]",
        (f"{CLOCK}::test_jump_of_long_ago",),
    ),
    Mutant(
        "takes a clock set back for one that runs",
        WATCHED,
        "0 <= lead_s - leads[-1][0] < 1",
        "lead_s - leads[-1][0] < 1",
        (f"{CLOCK}::test_back_to_a_lower_lead",),
    ),
    Mutant(
        "asks the wall alone how long ago it was",
        WATCHED,
        "wall, self._after(self._leads[-1][1] - duration.total_seconds())",
        "wall, wall - duration",
        (f"{CLOCK}::test_back_to_a_lower_lead",),
    ),
    Mutant(
        "reads an answer's status off an earlier one",
        "sidecar/proxy/replies.py",
        "key = (first, *deciding)",
        "key = (*deciding,)",
        ("tests/unit/proxy/test_replies.py::test_alike_in_what_decides",),
    ),
    Mutant(
        "waits anew for an answer that came in part",
        "sidecar/proxy/asking.py",
        "max(0.0, wire.deadline_s - loop.time())",
        "wait_s",
        ("tests/unit/proxy/test_asking.py::test_what_is_left",),
    ),
    Mutant(
        "lets a carriage return into a head",
        "sidecar/proxy/attended.py",
        '"\\r" in words or ',
        "",
        ("tests/unit/proxy/test_attended.py::test_line_break",),
    ),
    Mutant(
        "keeps what was compiled from the last bug",
        "tests/mutants/trees.py",
        "elif original is not None and entry.inode() == original.inode():",
        "elif original is not None:",
        ("tests/mutants/test_trees.py",),
    ),
)
