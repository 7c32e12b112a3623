"""Bugs of lines and counts that are made for many at once: secrets, limits, endings."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LOGS = "tests/unit/test_logs.py"
SINK = "sidecar/logs/__init__.py"
LINES = "sidecar/logs/lines.py"

TOLD = (
    Mutant(
        "looks for secrets in the written line alone",
        SINK,
        "self._redactor.finds((text, *hidden))",
        "self._redactor.finds((text,))",
        (f"{LOGS}::test_secret_of_two_lines",),
    ),
    Mutant(
        "writes a line in which a secret was found",
        SINK,
        " or self._redactor.finds((text, *hidden)):",
        ":",
        (f"{LOGS}::test_secret_in_one_field",),
    ),
    Mutant(
        "writes a long fault whole",
        SINK,
        '"exception" in line.fields or ',
        "",
        (f"{LOGS}::test_long_fault",),
    ),
    Mutant(
        "looks at the first of many texts alone",
        "sidecar/logs/redaction.py",
        'self._finds("\\n".join(texts))',
        'self._finds("\\n".join([*texts][:1]))',
        ("tests/unit/test_redaction.py::test_finds",),
    ),
    Mutant(
        "never writes what is quiet",
        SINK,
        "elif self._lowest == 0 or type(event) not in QUIET:",
        "elif type(event) not in QUIET:",
        (f"{LOGS}::test_quiet",),
    ),
    Mutant(
        "writes durations in whole milliseconds",
        LINES,
        "_THOUSANDTHS[took_us % 1000]",
        "_THOUSANDTHS[0]",
        ("tests/unit/test_logs.py::test_durations",),
    ),
    Mutant(
        "keeps of each ending as many as there is room for",
        SINK,
        "        count -= len(first[ending])\n",
        "",
        (f"{LOGS}::test_full_queue_of_many",),
    ),
    Mutant(
        "tells of each end as of the first",
        "sidecar/proxy/endings.py",
        "if ending is None or call.ended != end:",
        "if ending is None:",
        ("tests/e2e/test_fast_lane_flow.py::test_ends_otherwise",),
    ),
)
