"""What was refused before any handler saw it: counted, and told of at most once a second.

A flood of these costs its sender nothing, so it must not cost us a line of the log each.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Literal, TypeAlias

from sidecar.payments.events import Emit, RequestsRefused

TELL_EVERY_S = 1.0

Reason: TypeAlias = Literal[
    "malformed",  # the parser could not read it
    "framing",  # it could, and RFC 9112 says otherwise
    "version",  # neither HTTP/1.0 nor HTTP/1.1
    "body",  # a body that stops being framed
    "head_too_large",
    "head_overdue",
    "connections",  # more of them than one port allows
    "strangers",  # more of users who are no callers
]


class Refusals:
    """The refusals of one listening port."""

    def __init__(self, emit: Emit, loop: asyncio.AbstractEventLoop) -> None:
        self._emit = emit
        self._loop = loop
        self._counts: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, reason: Reason) -> None:
        """Count one."""
        self._counts[reason] += 1
        if self._timer is None:
            self._timer = self._loop.call_later(TELL_EVERY_S, self.tell)

    def tell(self) -> None:
        """Tell of all that came since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, Counter()
        for reason, count in counts.items():
            self._emit(RequestsRefused(reason, count))
