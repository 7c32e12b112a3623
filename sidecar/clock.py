"""Time and chance: the only module that reads either.

Everything else takes a Clock or an Entropy, so that a test chooses the moment and the nonce.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

# No age that is asked for is longer: the config allows no longer waits.
REMEMBERED_S = 86_400.0
# So many are drawn at a time, of tokens that are no longer.
DRAWN_TOKENS, DRAWN_BYTES_MAX = 256, 32
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

    __slots__ = ("monotonic_s", "now")

    def __init__(self) -> None:
        # Not methods: a call asks some thirty times, and each would be a step more.
        self.now: Callable[[], datetime] = partial(datetime.now, UTC)
        self.monotonic_s: Callable[[], float] = partial(time.clock_gettime, _STEADY)

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


class WatchedClock:
    """A clock that remembers how its wall ran against its own steady count.

    The wall clock may be set while a payment is young. What it was stamped with is then no
    measure of its age; ``since`` and ``after`` are, for as long as this process lives.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall = clock.now
        self.monotonic_s: Callable[[], float] = clock.monotonic_s
        # How far the wall was ahead of the count, and until when at least: each lead is lower than
        # those that came after it, so the first that still counts is the lowest.
        self._leads: deque[tuple[float, float]] = deque()

    def now(self) -> datetime:
        wall, count_s = self._wall(), self.monotonic_s()
        lead_s = wall.timestamp() - count_s
        leads = self._leads
        # Less than a second more is a clock that is read, not one that is set.
        if leads and 0 <= lead_s - leads[-1][0] < 1:
            leads[-1] = (leads[-1][0], count_s)
        else:
            self._set(lead_s, count_s)
        return wall

    def _set(self, lead_s: float, count_s: float) -> None:
        """It was set, or is read for the first time, or a little earlier than it should be."""
        leads = self._leads
        while leads and leads[-1][0] >= lead_s:
            leads.pop()
        if leads and lead_s - leads[-1][0] < 1:
            lead_s, _ = leads.pop()
        leads.append((lead_s, count_s))
        while leads[0][1] < count_s - REMEMBERED_S:
            leads.popleft()

    def mark_s(self) -> float:
        """The count at this moment, for ``after`` to be asked of later."""
        self.now()
        return self._leads[-1][1]

    async def sleep(self, duration_s: float) -> None:
        await self._clock.sleep(duration_s)

    def since(self, duration: timedelta) -> datetime:
        """The moment that nothing is stamped before that this clock told within the duration.

        Where the wall was never set, this long ago.
        """
        return self.now_and_since(duration)[1]

    def now_and_since(self, duration: timedelta) -> tuple[datetime, datetime]:
        """This moment, and what ``since`` says at it: by one reading."""
        wall = self.now()
        return wall, self._after(self._leads[-1][1] - duration.total_seconds())

    def after(self, mark_s: float) -> datetime:
        """The moment that nothing is stamped before that this clock told since the mark."""
        self.now()
        return self._after(mark_s)

    def _after(self, mark_s: float) -> datetime:
        lead_s = next(lead_s for lead_s, until_s in self._leads if until_s >= mark_s)
        return datetime.fromtimestamp(mark_s + lead_s, UTC)


class SystemEntropy:
    """The operating system's generator."""

    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)


class DrawnEntropy:
    """The same, drawn for many tokens at a time, for who asks with each request.

    While the system is asked, another thread takes the interpreter, and to get it back takes
    longer than all else that a token takes. No token is given out twice: to no two threads, and
    not once more by a process that was forked.
    """

    def __init__(self, source: Entropy) -> None:
        self._source = source
        self._drawn: dict[int, list[bytes]] = {}
        os.register_at_fork(after_in_child=self._drawn.clear)

    def token(self, size: int) -> bytes:
        try:
            return self._drawn[size].pop()
        except (KeyError, IndexError):
            return self._draw(size)

    def _draw(self, size: int) -> bytes:
        assert size > 0
        if size > DRAWN_BYTES_MAX:
            return self._source.token(size)
        many = self._source.token(size * DRAWN_TOKENS)
        tokens = [many[at : at + size] for at in range(0, len(many), size)]
        token = tokens.pop()
        self._drawn.setdefault(size, []).extend(tokens)
        return token
