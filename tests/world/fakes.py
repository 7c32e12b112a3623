"""A clock that a test moves, and chance that a test can repeat."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """Time that passes only when somebody sleeps, or when a test says so."""

    def __init__(self, at: datetime = NOON) -> None:
        self._now = at
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._elapsed_s

    async def sleep(self, duration_s: float) -> None:
        self.advance(duration_s)
        await asyncio.sleep(0)

    def advance(self, duration_s: float) -> None:
        """Let this many seconds pass."""
        self._now += timedelta(seconds=duration_s)
        self._elapsed_s += duration_s

    def set_wall(self, at: datetime) -> None:
        """Somebody sets the wall clock; the monotonic one does not notice."""
        self._now = at


class FakeEntropy:
    """Bytes that differ at each call and are the same in each run with one seed."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._calls = 0

    def token(self, size: int) -> bytes:
        self._calls += 1
        return hashlib.shake_256(f"{self._seed}:{self._calls}".encode()).digest(size)
