"""Time and chance: the only module that reads either.

Everything else takes a Clock or an Entropy, so that a test chooses the moment and the nonce.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


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
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


class SystemEntropy:
    """The operating system's generator."""

    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)
