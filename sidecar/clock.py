"""Time and chance: the only module that reads either.

Everything else takes a Clock or an Entropy, so that a test chooses the moment and the nonce.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Protocol

# No age that is asked for is longer: the config allows no longer waits.
REMEMBERED_S = 86_400.0
# It goes on while the machine sleeps, as the wall clock does: to wake up is no jump.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only grow; for measuring, never for dates."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Come back after this many seconds."""
        ...


class Entropy(Protocol):
    """Where unpredictable bytes come from."""

    def token(self, size: int) -> bytes:
        """This many bytes that nobody can guess."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.clock_gettime(_STEADY)

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


class WatchedClock:
    """A clock that remembers how its wall ran against its own steady count.

    The wall clock may be set while a payment is young. What it was stamped with is then no
    measure of its age; ``since`` and ``after`` are, for as long as this process lives.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # How far the wall was ahead of the count, and until when at least: each lead is lower than
        # those that came after it, so the first that still counts is the lowest.
        self._leads: deque[tuple[float, float]] = deque()

    def now(self) -> datetime:
        wall, count_s = self._clock.now(), self._clock.monotonic_s()
        lead_s = wall.timestamp() - count_s
        leads = self._leads
        while leads and leads[-1][0] >= lead_s:
            leads.pop()
        # Less than a second more is a clock that is read, not one that is set.
        if leads and lead_s - leads[-1][0] < 1:
            lead_s, _ = leads.pop()
        leads.append((lead_s, count_s))
        while leads[0][1] < count_s - REMEMBERED_S:
            leads.popleft()
        return wall

    def mark_s(self) -> float:
        """The count at this moment, for ``after`` to be asked of later."""
        self.now()
        return self._leads[-1][1]

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    async def sleep(self, duration_s: float) -> None:
        await self._clock.sleep(duration_s)

    def since(self, duration: timedelta) -> datetime:
        """The moment that nothing is stamped before that this clock told within the duration.

        Where the wall was never set, this long ago.
        """
        return self.after(self.mark_s() - duration.total_seconds())

    def after(self, mark_s: float) -> datetime:
        """The moment that nothing is stamped before that this clock told since the mark."""
        self.now()
        lead_s = next(lead_s for lead_s, until_s in self._leads if until_s >= mark_s)
        return datetime.fromtimestamp(mark_s + lead_s, UTC)


class SystemEntropy:
    """The operating system's generator."""

    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)
