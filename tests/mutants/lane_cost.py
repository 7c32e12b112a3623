"""Bugs of what makes a call cheap: heads that come again, durations and lines kept for later."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

HEADS = "tests/unit/proxy/test_heads.py"
METRICS = "tests/unit/test_metrics.py"
LOGS = "tests/unit/test_logs.py"

LANE_COST = (
    Mutant(
        "takes more than digits for a length",
        "sidecar/proxy/heads.py",
        'return digits if digits.isdigit() and len(digits) <= DIGITS_MAX else b""',
        "return digits",
        (f"{HEADS}::test_framed[]",),
    ),
    Mutant(
        "takes a head that goes on otherwise for one that came",
        "sidecar/proxy/heads.py",
        "or (behind and not head.endswith(behind)):",
        "or False:",
        (f"{HEADS}::test_framed[\\r\\nHost: h]",),
    ),
    Mutant(
        "knows a head by what an older config said",
        "sidecar/proxy/express.py",
        "if last is not None and digits and last.source is self._calls:",
        "if last is not None and digits:",
        ("tests/e2e/test_reload.py::test_token_is_rotated_behind_a_head",),
    ),
    Mutant(
        "puts together a head with the credential of before",
        "sidecar/proxy/calls.py",
        "        if self._dress is not dress:\n",
        "        if self._dress is None:\n",
        ("tests/e2e/test_fast_lane_wires.py::test_credential_changes[lane]",),
    ),
    Mutant(
        "shows durations without those that are new",
        "sidecar/metrics/tally.py",
        "        for times in self.times.values():\n            times.settle()\n",
        "",
        (f"{METRICS}::test_durations",),
    ),
    Mutant(
        "counts a duration that meets a bound above it",
        "sidecar/metrics/tally.py",
        "end = bisect_right(new, bound, begin)",
        "end = bisect_right(new, bound * 0.999, begin)",
        (f"{METRICS}::test_durations",),
    ),
    Mutant(
        "counts new durations again at each look",
        "sidecar/metrics/tally.py",
        "        new, self.new = self.new, []\n",
        "        new = self.new\n",
        (f"{METRICS}::test_durations_once",),
    ),
    Mutant(
        "writes whole seconds only",
        "sidecar/logs/__init__.py",
        "_MILLISECONDS[at.microsecond // 1000]",
        "_MILLISECONDS[0]",
        (f"{LOGS}::test_time_of_the_event",),
    ),
)
