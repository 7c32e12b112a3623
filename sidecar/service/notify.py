"""What the service manager is told of us: systemd's sd_notify protocol.

Nothing is told where nobody asked: without ``NOTIFY_SOCKET`` every call does nothing. The
watchdog is told from the event loop, so that a loop that hangs is noticed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping

from sidecar.clock import Clock

# A manager that has stopped reading must not stop us.
TELL_WAIT_S = 1.0


class Notifier:
    """Tells it at ``address``: a path, or an abstract name behind an ``@``; "" for nobody."""

    def __init__(self, address: str = "", watchdog_s: float = 0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = watchdog_s

    @classmethod
    def take(cls, environ: MutableMapping[str, str], process: int) -> Notifier:
        """Whoever asked in ``environ``, and is taken out of it: a child must not tell for us."""
        address = environ.pop("NOTIFY_SOCKET", "")
        period_us = environ.pop("WATCHDOG_USEC", "")
        is_ours = environ.pop("WATCHDOG_PID", str(process)) == str(process)
        watched = is_ours and period_us.isdecimal()
        return cls(address, int(period_us) / 1_000_000 if watched else 0)

    def ready(self, status: str) -> None:
        """We serve, from now on or again; ``status`` is one line for people."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A new config is being read; ``ready`` has to follow, whatever came of it."""
        # The manager compares this with its own reading of the very same clock.
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now_us}", "STATUS=reading the config")

    def stopping(self, status: str) -> None:
        """We let what is under way end, and then end ourselves."""
        self._tell("STOPPING=1", f"STATUS={status}")

    async def watch(
        self, clock: Clock, are_well: Callable[[float], Awaitable[bool]] | None = None
    ) -> None:
        """Say that the loop turns, twice in each of the watchdog's periods; until cancelled.

        ``are_well``: whether it may be said for others, too, found out in so many seconds.
        """
        while self._watchdog_s:
            if are_well is None or await are_well(self._watchdog_s / 4):
                self._tell("WATCHDOG=1")
            await clock.sleep(self._watchdog_s / 2)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
            telling.settimeout(TELL_WAIT_S)
            try:
                telling.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                # Nobody listens there: whoever waits for us will say so.
                return
