"""Bugs of what the fast lane does in fewer steps: memory, wires, counts and lines of many calls."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

EXPRESS = "sidecar/proxy/express.py"
EDGES = "tests/e2e/test_fast_lane_edges.py"

LANE_STEPS = (
    Mutant(
        "keeps the replay memory of who was served",
        EXPRESS,
        "        self._memory.free += size\n        self._under_way",
        "        self._under_way",
        (f"{EDGES}::test_given_back[lane-served]",),
    ),
    Mutant(
        "keeps more bodies than there is memory for",
        EXPRESS,
        " or length > memory.free:",
        ":",
        (
            EDGES,
            "tests/e2e/test_complaints.py",
        ),
    ),
    Mutant(
        "keeps a wire whose request failed",
        "sidecar/proxy/passage.py",
        "        if keeps and wire is not None:\n",
        "        if wire is not None:\n",
        (EDGES,),
    ),
    Mutant(
        "counts short durations as long ones too",
        "sidecar/metrics/times.py",
        "buckets[last] += len(new) - begin",
        "buckets[last] += len(new)",
        ("tests/unit/test_metrics.py::test_durations",),
    ),
    Mutant(
        "writes what is not ASCII",
        "sidecar/logs/__init__.py",
        "                    if not text.isascii():\n",
        "                    if False:\n",
        ("tests/unit/test_logs.py",),
    ),
    Mutant(
        "shows a credential for one request twice",
        "sidecar/payments/credentials.py",
        "kept.expires_at is None and not kept.single_use",
        "kept.expires_at is None",
        ("tests/unit/payments/test_credentials.py::test_single_use",),
    ),
)
