"""The fast lane and the ordinary way come to the same outcome, whatever they are fed.

Each case is one connection of an app: requests that are ordinary, odd or hostile, split anywhere,
and answers of the same kinds: of an upstream with a key, of a seller that wants to be paid, and of
a vendor that is signed in to. It runs through a sidecar with the lane and through one without, and
what reached the upstream, what the app got, what the log would say and what the ledger holds are
compared. Where a case is a race (bytes after a request that is refused, against its answer),
both outcomes happen either way: a case differs when no outcome of the lane was seen without it,
whether the upstream was late or the app.

Cases run in several pairs of sidecars at once, each with a case at a time.
``SIDECAR_DIFFERENTIAL=100000`` runs so many cases; ``SIDECAR_DIFFERENTIAL_SEED=N`` begins there,
so two processes share the work.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from tests.differential.cases import Case, make_case, without_delay
from tests.differential.outcomes import Outcome
from tests.differential.worlds import SEGMENT_TURNS, World, world

CASES = int(os.environ.get("SIDECAR_DIFFERENTIAL", "1000"))
FIRST = int(os.environ.get("SIDECAR_DIFFERENTIAL_SEED", "0"))
TRIES = 30
PATIENCE = 10
PAIRS = 8


async def differs(case: Case, on: World, off: World) -> tuple[Outcome, Outcome] | None:
    """Two outcomes, if none of the one side was seen on the other."""
    with_lane: list[Outcome] = []
    without: list[Outcome] = []
    for number in range(TRIES):
        # All ends share a loop: at one pace, it would always be the same side that wins a race.
        turns = SEGMENT_TURNS + number
        if number % 2 == 0:
            around = off.run(case, turns)
        else:
            around = off.run(without_delay(case), turns, PATIENCE)
        one, other = await asyncio.gather(on.run(case, turns), around)
        with_lane.append(one)
        without.append(other)
        if any(mine.is_like(its) for mine in with_lane for its in without):
            return None
    return with_lane[0], without[0]


async def compare(seeds: Iterator[int], folder: Path) -> list[tuple[int, Outcome, Outcome]]:
    """Run cases until there are no more; those that differ."""
    wrong = []
    async with (
        world(folder / "on", fast_lane=True) as on,
        world(folder / "off", fast_lane=False) as off,
    ):
        for seed in seeds:
            found = await differs(make_case(seed), on, off)
            if found is not None:
                wrong.append((seed, *found))
    return wrong


async def test_same_outcome(tmp_path: Path) -> None:
    """A case goes the same way through the lane as around it."""
    seeds = iter(range(FIRST, FIRST + CASES))
    found = await asyncio.gather(
        *(compare(seeds, tmp_path / str(number)) for number in range(PAIRS))
    )

    # What many side by side made of a race is no difference yet: those are run again, alone.
    suspects = sorted(seed for each in found for seed, _, _ in each)
    wrong = await compare(iter(suspects), tmp_path / "again")
    for seed, on, off in wrong:
        print(f"seed {seed}\n with the lane: {on}\n without it:   {off}")

    assert [] == [seed for seed, _, _ in wrong]
