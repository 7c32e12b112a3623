"""Streams side by side that a clock paces: which writes came as one, and which came late.

On a busy machine any path may be late now and then, and two writes come as one that were 20 ms
apart. So a path is judged beside another one of the same run, on the same writes, and by the best
of a few runs: what a path does by itself it does in every run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.e2e.paced_app import Course, Door, listen
from tests.e2e.paced_cases import LAST, Case, chunk, events
from tests.e2e.paced_seller import PacedSeller, Play

EVEN = (20,) * 10
UNEVEN = (0, 1, 5, 50, 0, 0, 50, 5, 1, 20, 50, 0, 20, 1, 50, 20)
# What the seller waits before each write, in ms; the app may get closer ones together.
GAPS_MS = (*EVEN, *UNEVEN)
APART_MS = 20
CLOCKED = Case("paced by a clock", (*map(chunk, events(len(GAPS_MS) - 2)), LAST))
assert len(GAPS_MS) == len(CLOCKED.pieces)
# Of the events that have a gap behind them, how many more than the other path's may be late.
LATE_PART = 4


@dataclass(frozen=True, slots=True)
class Run:
    """One stream of one run: what the seller did, and how it came."""

    play: Play
    course: Course

    def merged(self) -> frozenset[int]:
        """The writes that came with the one before, though the seller had waited between."""
        together = {n for read in self.course.reads for n in read[1:]}
        return frozenset(n for n in together if GAPS_MS[n] >= APART_MS)

    def late(self) -> int:
        """How many came in the second half of the gap that the seller left behind them."""
        written, at = self.play.written, self.course.at
        ends = [n for n in range(len(GAPS_MS) - 1) if GAPS_MS[n + 1] >= APART_MS]
        return sum(at[n] - written[n] > (written[n + 1] - written[n]) / 2 for n in ends)

    def lag_ms(self) -> float:
        """The median of the times from the seller to the app."""
        pairs = zip(self.play.written, self.course.at, strict=True)
        return 1000 * median(at - written for written, at in pairs)

    def is_like(self, other: Run) -> bool:
        """Whether nothing came merged that the other has apart, and not many more came late."""
        allowed = other.late() + len(GAPS_MS) // LATE_PART
        return self.merged() <= other.merged() and self.late() <= allowed


async def side_by_side(seller: PacedSeller, doors: Sequence[tuple[Door, bool]]) -> tuple[Run, ...]:
    """One stream through each door, all written at the same ticks; the bool: whether it costs."""
    ready = asyncio.Semaphore(0)
    written = asyncio.Event()

    async def by_the_clock(play: Play) -> None:
        await play.heard(0)
        ready.release()
        await written.wait()

    plays = [seller.announce(CLOCKED, by_the_clock, costs=costs) for _, costs in doors]
    async with asyncio.TaskGroup() as apps:
        heard = [
            apps.create_task(listen(door, play))
            for (door, _), play in zip(doors, plays, strict=True)
        ]
        for _ in plays:
            await ready.acquire()
        for number, gap_ms in enumerate(GAPS_MS):
            if gap_ms:
                await asyncio.sleep(gap_ms / 1000)
            # None of them is always the first.
            turn = number % len(plays)
            for play in (*plays[turn:], *plays[:turn]):
                play.write(CLOCKED.pieces[number])
        written.set()
    return tuple(Run(play, app.result()) for play, app in zip(plays, heard, strict=True))
