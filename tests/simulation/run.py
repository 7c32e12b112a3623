"""Lives one seed through, and says what it found; the same seed gives the same trace."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sidecar.ledger.sqlite import open_books
from tests.simulation.town import SimTown
from tests.simulation.virtual_loop import VirtualLoop

# The durability of the file is not what is tried here, and its fsync would be most of the time.
MEMORY = Path("/dev/shm")
FAULT = "a bug: "


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


@cache
def _empty_ledger() -> bytes:
    """A ledger that was opened once: the making of its tables is not what is tried here."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger.db"
        open_books(path, "maker", 5.0).leave()
        return path.read_bytes()


def live(seed: int) -> Result:
    """One seed from its beginning to its end."""
    folder = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        loop = VirtualLoop()
        try:
            path = Path(name) / "ledger.db"
            path.write_bytes(_empty_ledger())
            town = SimTown(path, seed, loop)
            # A fault of its own is among the loop's.
            loop.run_until_complete(asyncio.wait([loop.spawn("", town.live())]))
            loop.end("")
            loop.run_until_complete(asyncio.sleep(0))
            for fault in dict.fromkeys(map(repr, loop.faults)):
                town.breach(f"{FAULT}{fault}")
        finally:
            loop.close()
        excused = town.auditor.excused if town.auditor is not None else Counter()
        settled = len(town.sim.rail.landed())
        return Result(seed, tuple(town.breaches), tuple(town.trace), settled, excused)


def search(first: int, wait_s: float) -> tuple[int, Result | None]:
    """Seeds from this one on until one breaks, or so much time of one core is up."""
    began_s, seed = time.process_time(), first
    faulty = None
    while time.process_time() - began_s < wait_s:
        result = live(seed)
        seed += 1
        # A fault of the code may be all that a planted bug shows, and says nothing of the rule.
        if any(not breach.startswith(FAULT) for breach in result.breaches):
            return seed - first, result
        if result.breaches:
            faulty = faulty or result
    return seed - first, faulty


def main() -> int:
    """``python -m tests.simulation.run FIRST SECONDS``: 1 where a seed breaks."""
    seeds, broken = search(int(sys.argv[1]), float(sys.argv[2]))
    print(seeds, f"{time.process_time():.0f}")
    for breach in broken.breaches if broken is not None else ():
        print(breach)
    return 0 if broken is None else 1


if __name__ == "__main__":
    sys.exit(main())
