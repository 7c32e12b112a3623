"""Bugs of ends that are noted, and told of a moment later: none is lost, late or out of order."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TOLD = "tests/e2e/test_told.py"
NOTED = "tests/unit/proxy/test_endings.py"
LOGS = "tests/unit/test_logs.py"
MOMENTS = "sidecar/logs/moments.py"
AT_ONCE = "sidecar/proxy/endings.py"
VIEW = "sidecar/service/view.py"

ENDINGS = (
    Mutant(
        "tells of many before their answers are written",
        AT_ONCE,
        "            self._loop.call_soon(self.tell)\n",
        "            self.tell()\n",
        (f"{NOTED}::test_many_of_a_kind",),
    ),
    Mutant(
        "keeps any number of a kind",
        AT_ONCE,
        "        elif len(alike) == ALIKE_MAX:\n            self._loop.call_soon(self.tell)\n",
        "",
        (f"{NOTED}::test_many_of_a_kind",),
    ),
    Mutant(
        "tells but once",
        AT_ONCE,
        "        self._is_timed = False\n        self.tell()\n",
        "        self.tell()\n",
        (f"{NOTED}::test_together",),
    ),
    Mutant(
        "tells of a request twice",
        AT_ONCE,
        "            noted, self._noted = self._noted, defaultdict(list)\n",
        "            noted = self._noted\n",
        (f"{NOTED}::test_asked",),
    ),
    Mutant(
        "tells of what happened before, after",
        "sidecar/service/service.py",
        "        # First of what has happened before.\n        self._tell_of_served()\n",
        "",
        (f"{TOLD}::test_in_their_order",),
    ),
    Mutant(
        "stops without telling of the last",
        "sidecar/service/service.py",
        "        await self._pool.close()\n        self._tell_of_served()\n",
        "        await self._pool.close()\n",
        (f"{TOLD}::test_nothing_is_lost",),
    ),
    Mutant(
        "counts without those just answered",
        VIEW,
        '        """What was counted here."""\n        self._catch_up()\n',
        '        """What was counted here."""\n',
        (f"{TOLD}::test_metrics_are_asked",),
    ),
    Mutant(
        "shows metrics without those just answered",
        VIEW,
        "        self._catch_up()\n        return self._metrics.render",
        "        return self._metrics.render",
        (f"{TOLD}::test_metrics_are_asked",),
    ),
    Mutant(
        "takes the second before for this one",
        MOMENTS,
        "        if number < 0:\n",
        "        if False:\n",
        (f"{LOGS}::test_time_of_the_end",),
    ),
    Mutant(
        "gives a late line the time of its telling",
        MOMENTS,
        "max(0.0, self._count_s - ended_s)",
        "0.0",
        (f"{LOGS}::test_time_of_the_end",),
    ),
    Mutant(
        "gives a line a time that has not come",
        MOMENTS,
        "min(ended_s, self._count_s)",
        "self._count_s",
        (f"{LOGS}::test_time_of_the_end",),
    ),
    Mutant(
        "writes kinds one after the other",
        "sidecar/logs/lines.py",
        "lines if len(served) < 2 else sorted(lines, key=_TIMESTAMP)",
        "lines",
        (f"{LOGS}::test_order_of_the_ends",),
    ),
    Mutant(
        "gives all lines of a batch one time",
        "sidecar/logs/lines.py",
        "                if ended_s >= until_s:\n",
        "                if not start:\n",
        (f"{LOGS}::test_time_of_the_end",),
    ),
    Mutant(
        "remembers every length",
        "sidecar/proxy/heads.py",
        "            _LENGTHS.clear()\n",
        "            pass\n",
        ("tests/unit/proxy/test_heads.py::test_lengths_are_bounded",),
    ),
)
