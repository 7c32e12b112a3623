"""Lives one seed through, and says what it found; the same seed gives the same trace."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.town import SimTown
from tests.simulation.virtual_loop import VirtualLoop

# The durability of the file is not what is tried here, and its fsync would be most of the time.
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one seed. ``breaches`` is empty where every invariant held."""

    seed: int
    breaches: tuple[str, ...]
    trace: tuple[str, ...]
    settled: int
    excused: Counter[str]

    def __str__(self) -> str:
        told = "\n".join(self.breaches)
        trace = "\n".join(self.trace)
        return f"{told}\n{trace}\nreplay it: SIDECAR_SIM_SEED={self.seed}"


def live(seed: int) -> Result:
    """One seed from its beginning to its end."""
    folder = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        loop = VirtualLoop()
        try:
            town = SimTown(Path(name) / "ledger.db", seed, loop)
            # A fault of its own is among the loop's.
            loop.run_until_complete(asyncio.wait([loop.spawn("", town.live())]))
            loop.end("")
            loop.run_until_complete(asyncio.sleep(0))
            for fault in dict.fromkeys(map(repr, loop.faults)):
                town.breach(f"a bug: {fault}")
        finally:
            loop.close()
        excused = town.auditor.excused if town.auditor is not None else Counter()
        settled = len(town.sim.chain.transfers())
        return Result(seed, tuple(town.breaches), tuple(town.trace), settled, excused)


def search(first: int, wait_s: float) -> tuple[int, Result | None]:
    """Seeds from this one on until one breaks, or the time is up: how many, and which."""
    began_s, seed = time.monotonic(), first
    while time.monotonic() - began_s < wait_s:
        result = live(seed)
        seed += 1
        if result.breaches:
            return seed - first, result
    return seed - first, None


def main() -> int:
    """``python -m tests.simulation.run FIRST SECONDS``: 1 where a seed breaks."""
    seeds, broken = search(int(sys.argv[1]), float(sys.argv[2]))
    print(seeds, broken.breaches[0] if broken is not None else "")
    return 0 if broken is None else 1


if __name__ == "__main__":
    sys.exit(main())
