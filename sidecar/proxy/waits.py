"""Waits that all take as long as each other, with one timer for all of them."""

from __future__ import annotations

import asyncio
from itertools import takewhile
from typing import Protocol

# Looks in the time of one wait: it may end later by the time between two.
LOOKS = 8


class Waiting(Protocol):
    """Whoever waits for a head."""

    def head_overdue(self) -> None:
        """It has not come in time."""
        ...


class Waits:
    """Who waits for a head since when: each is told once its wait is over, an eighth late at most.

    A timer of its own for each connection would be the larger part of what most of them take, and
    most waits are over within a millisecond. So nobody asks for the time as one begins, either,
    which is a third of what a connection takes where that has gone cold: the next look does.
    """

    def __init__(self, wait_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._wait_s = wait_s
        self._loop = loop
        # Who came since the last look.
        self._new: dict[Waiting, None] = {}
        # Each came later than those before it, and so it ends later.
        self._ends_s: dict[Waiting, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, who: Waiting) -> None:
        """From now on; not while the wait before is not over."""
        assert who not in self._ends_s
        self._new[who] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._wait_s / LOOKS, self._look)

    def arrived(self, who: Waiting) -> None:
        """The wait is over."""
        # The timer is left to find out: the next wait will need one, too.
        if who in self._new:
            del self._new[who]
        else:
            del self._ends_s[who]

    def stop(self) -> None:
        """Nobody is told any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        due = [*takewhile(lambda wait: wait[1] <= now_s, self._ends_s.items())]
        for who, _ in due:
            del self._ends_s[who]
            who.head_overdue()
        self._ends_s |= dict.fromkeys(self._new, now_s + self._wait_s)
        self._new.clear()
        # Who was told may have begun to wait anew.
        self.stop()
        if self._ends_s:
            self._timer = self._loop.call_at(self._looks_s(now_s), self._look)

    def _looks_s(self, now_s: float) -> float:
        """When to look next: others may come until the first of those who wait is told."""
        return min(next(iter(self._ends_s.values())), now_s + self._wait_s / LOOKS)
