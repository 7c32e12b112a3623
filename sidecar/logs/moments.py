"""Moments as lines of the log tell them: UTC, in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import floor
from typing import TypeAlias

from sidecar.clock import Clock

# The text of a moment of the steady count, and from which count on it is another.
Moment: TypeAlias = Callable[[float], tuple[str, float]]
_SECOND = timedelta(seconds=1)
# To format one of them costs more than the rest of a line's time.
_MILLISECONDS = tuple([f".{number:03d}Z" for number in range(1000)])


class Moments:
    """The text of moments, most of them in the second of the one before.

    Of a request the moment of its end is kept by the steady count. Once the clock was read
    (``read``), ``past`` and ``ended`` tell when that was by the wall.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = self._second_ends = datetime.min.replace(tzinfo=UTC)
        self._text = ""
        self._now, self._count_s = self._second, 0.0
        # Of the second that was read: its text, and the count when it began.
        self._read_text, self._began_s = "", 0.0

    def text(self, at: datetime) -> str:
        """This moment."""
        if not self._second <= at < self._second_ends:
            self._second = at.replace(microsecond=0)
            self._second_ends = self._second + _SECOND
            self._text = at.strftime("%Y-%m-%dT%H:%M:%S")
        return self._text + _MILLISECONDS[at.microsecond // 1000]

    def read(self) -> None:
        """Read the clock."""
        now = self._now = self._clock.now()
        count_s = self._count_s = self._clock.monotonic_s()
        self.text(now)
        self._read_text, self._began_s = self._text, count_s - now.microsecond / 1e6

    def past(self, ended_s: float) -> datetime:
        """When the count was this; at the latest when it was read, which ``inf`` means."""
        return self._now - timedelta(seconds=max(0.0, self._count_s - ended_s))

    def ended(self, ended_s: float) -> tuple[str, float]:
        """The same as text; and the count from which on the text is another."""
        began_s = self._began_s
        number = floor((min(ended_s, self._count_s) - began_s) * 1000)
        if number < 0:
            # In the second before.
            return self.text(self.past(ended_s)), ended_s
        return self._read_text + _MILLISECONDS[number], began_s + (number + 1) / 1000
