"""Bugs of what is done before an app connects, and after it was written to."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BOARDING = "tests/unit/proxy/test_boarding.py"
BODIES = "tests/unit/proxy/test_bodies.py"
WAITS = "tests/unit/proxy/test_waits.py"
SERVER = "sidecar/proxy/server.py"
CHUNKS = "sidecar/proxy/bodies.py"
TIMES = "sidecar/proxy/waits.py"

FIRST_EVENT = (
    Mutant(
        "gives one connection to two apps",
        SERVER,
        "        self._spare = None\n        return made\n",
        "        return made\n",
        (f"{BOARDING}::test_made_ahead",),
    ),
    Mutant(
        "takes one connection too many",
        SERVER,
        "len(self._connections) >= self._connections_max",
        "len(self._connections) > self._connections_max",
        (f"{BOARDING}::test_as_many_as_allowed",),
    ),
    Mutant(
        "takes a chunk of a known size for whole by its length",
        CHUNKS,
        ' and chunk[-2:] == b"\\r\\n":\n',
        ":\n",
        (f"{BODIES}::test_size_that_came_before_is_wrong",),
    ),
    Mutant(
        "remembers every size of a chunk",
        CHUNKS,
        "            if len(_LENGTHS) >= SIZES_MAX:\n                _LENGTHS.clear()\n",
        "",
        (f"{BODIES}::test_sizes_are_forgotten",),
    ),
    Mutant(
        "takes a last chunk for one of many",
        CHUNKS,
        "            at = end + 2\n",
        "            at = end + 2\n            _LENGTHS[match[1]] = at - start\n",
        (f"{BODIES}::test_last_chunk_alone",),
    ),
    Mutant(
        "cuts heads at the second look",
        TIMES,
        "dict.fromkeys(self._new, now_s + self._wait_s)",
        "dict.fromkeys(self._new, now_s)",
        (f"{WAITS}::test_told_soon",),
    ),
    Mutant(
        "waits anew for whoever waits",
        TIMES,
        "        self._new.clear()\n",
        "",
        (f"{WAITS}::test_told_soon",),
    ),
    Mutant(
        "looks for who came only when another's wait ends",
        TIMES,
        "min(next(iter(self._ends_s.values())), now_s + self._wait_s / LOOKS)",
        "next(iter(self._ends_s.values()))",
        (f"{WAITS}::test_told_soon",),
    ),
    Mutant(
        "keeps a second timer for who waits anew",
        TIMES,
        "        # Who was told may have begun to wait anew.\n        self.stop()\n",
        "",
        (f"{WAITS}::test_one_timer",),
    ),
)
