"""How requests of the fast lane ended: noted, and told of many at a time.

To tell of one costs several times as much as to note it. So who hears of many hears of them a
moment later: when so much time has passed, when there are many of a kind, or when somebody asks
(``tell``), who then finds all that have ended until now.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from sidecar.payments.served import EmitServed, End, Ended, Ending
from sidecar.proxy.calls import Call

# More of a kind at a time would hold up the one request that comes just then.
ALIKE_MAX = 32


class Endings:
    """Those that are noted."""

    def __init__(
        self, monotonic_s: Callable[[], float], emit: EmitServed, told_within_s: float
    ) -> None:
        """``told_within_s``: 0 for the next turn of the loop, and so for a few at most."""
        self._monotonic_s = monotonic_s
        self._emit = emit
        self._told_within_s = told_within_s
        self._loop = asyncio.get_running_loop()  # noqa: TID251  # its turns are what is meant
        self._noted: defaultdict[Ending, list[Ended]] = defaultdict(list)
        self._is_timed = False

    def note(
        self, call: Call, request_id: str, began_s: float, upstream_s: float, end: End
    ) -> None:
        """Note how a request ended: when it began and how long its upstream took, and its end."""
        ended_s = self._monotonic_s()
        ending = call.ending
        if ending is None or call.ended != end:
            route, caller = call.route.name, call.caller.name
            ending = call.ending = Ending(route, caller, call.method, call.path, *end)
            call.ended = end
        alike = self._noted[ending]
        alike.append((request_id, ended_s - began_s, upstream_s, ended_s))
        # The loop writes the answer at the end of its turn: who counts waits for a later one.
        if not self._is_timed:
            self._is_timed = True
            self._loop.call_later(self._told_within_s, self._tell_in_time)
        elif len(alike) == ALIKE_MAX:
            self._loop.call_soon(self.tell)

    def tell(self) -> None:
        """Tell of what is noted."""
        if self._noted:
            noted, self._noted = self._noted, defaultdict(list)
            self._emit(noted)

    def _tell_in_time(self) -> None:
        self._is_timed = False
        self.tell()
