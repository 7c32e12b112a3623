"""Bugs of what makes a call cheap: heads that come again, durations and lines kept for later."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

HEADS = "tests/unit/proxy/test_heads.py"
HOLES = "tests/e2e/test_fast_lane_heads.py"
EDGES = "tests/e2e/test_fast_lane_edges.py"
METRICS = "tests/unit/test_metrics.py"
LOGS = "tests/unit/test_logs.py"
RECENT = "tests/unit/service/test_recent.py"

LANE_COST = (
    Mutant(
        "takes more than digits for a length",
        "sidecar/proxy/heads.py",
        "if digits.isdigit() and len(digits)",
        "if len(digits)",
        (f"{HEADS}::test_framed[]",),
    ),
    Mutant(
        "takes a head that goes on otherwise for one that came",
        "sidecar/proxy/heads.py",
        "if piece and length >= 0 else None",
        "if length >= 0 else None",
        (f"{HEADS}::test_framed[]",),
    ),
    Mutant(
        "knows a head by what an older config said",
        "sidecar/proxy/express.py",
        "if asked is not None and asked.source is self._calls:",
        "if asked is not None:",
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
        "sidecar/metrics/times.py",
        "bounds[bucket], begin)",
        "bounds[bucket] * 0.999, begin)",
        (f"{METRICS}::test_durations",),
    ),
    Mutant(
        "counts new durations again at each look",
        "sidecar/metrics/times.py",
        "        new, self._new = self._new, []\n",
        "        new = self._new\n",
        (f"{METRICS}::test_durations_once",),
    ),
    Mutant(
        "writes whole seconds only",
        "sidecar/logs/moments.py",
        "_MILLISECONDS[at.microsecond // 1000]",
        "_MILLISECONDS[0]",
        (f"{LOGS}::test_time_of_the_end",),
    ),
    Mutant(
        "writes the ends of requests in whole seconds",
        "sidecar/logs/moments.py",
        "_MILLISECONDS[number]",
        "_MILLISECONDS[0]",
        (f"{LOGS}::test_time_of_the_event",),
    ),
    Mutant(
        "counts requests that ended together as one line",
        "sidecar/logs/__init__.py",
        "            self._beside += count - 1\n",
        "",
        (f"{LOGS}::test_full_queue_of_many",),
    ),
    Mutant(
        "never makes room again in the log's queue",
        "sidecar/logs/__init__.py",
        "                self._beside -= queued.lines - 1\n",
        "",
        (f"{LOGS}::test_full_queue_of_many",),
    ),
    Mutant(
        "drops lines without saying so",
        "sidecar/logs/__init__.py",
        "            self._dropped += count - room\n",
        "",
        (f"{LOGS}::test_full_queue_of_many",),
    ),
    Mutant(
        "does not redact a request's detail",
        "sidecar/logs/lines.py",
        "return self._redact(self._line(timestamp, event))",
        "return self._line(timestamp, event)",
        (f"{LOGS}::test_requests_together",),
    ),
    Mutant(
        "counts requests that ended together as one",
        "sidecar/metrics/tally.py",
        "requests.count += len(ended)",
        "requests.count += 1",
        (f"{METRICS}::test_requests_together",),
    ),
    Mutant(
        "adds a time of less than nothing",
        "sidecar/metrics/times.py",
        "new if new[0] >= 0.0 else new[bisect_left(new, 0.0) :]",
        "new",
        (f"{METRICS}::test_overhead",),
    ),
    Mutant(
        "calls for a look at every request of the lane",
        "sidecar/service/recent.py",
        '            if ending.decision != "relayed":\n                for',
        "            if True:\n                for",
        (f"{RECENT}::test_no_news_of_many",),
    ),
    Mutant(
        "takes a head that begins otherwise for one that came",
        "sidecar/proxy/heads.py",
        "        if rest == data:\n            return None\n",
        "",
        (f"{HEADS}::test_other_head",),
    ),
    Mutant(
        "lets anything fill a gap",
        "sidecar/proxy/heads.py",
        'return value.replace(b"-", b"").isalnum() or _VALUE.fullmatch(value) is not None',
        "return True",
        (f"{HEADS}::test_hostile_gap",),
    ),
    Mutant(
        "takes half a head for one that came",
        "sidecar/proxy/heads.py",
        "            if not piece:\n                return None\n",
        "",
        (f"{HEADS}::test_other_head",),
    ),
    Mutant(
        "hands over a head with its length",
        "sidecar/proxy/heads.py",
        'text[:at] + b"0" + text[at:]',
        "head",
        (f"{HEADS}::test_without_body",),
    ),
    Mutant(
        "fills all gaps alike",
        "sidecar/proxy/calls.py",
        "front += value + piece",
        "front += values[0] + piece",
        (f"{HOLES}::test_own_lines[lane]",),
    ),
    Mutant(
        "takes a name for another at the same place",
        "sidecar/proxy/varying.py",
        "places += (at, number)",
        "places += (at,)",
        ("tests/unit/proxy/test_varying.py",),
    ),
    Mutant(
        "sends a head that grew over the limit",
        "sidecar/proxy/express.py",
        " or len(data) - here > HEAD_BYTES_MAX",
        "",
        (f"{HOLES}::test_head_that_grows",),
    ),
    Mutant(
        "sets no timer",
        "sidecar/proxy/wires.py",
        "        if deadline_s < self._wires.looks_s:\n            self._wires.look_at(deadline_s)\n",
        "",
        (f"{EDGES}::test_given_back[lane-upstream_is_silent]",),
    ),
)
