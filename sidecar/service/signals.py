"""What the operating system asks of this process by signals.

SIGTERM, SIGINT   stop; the second one: at once
SIGHUP            read the config again; where a terminal has gone away: stop
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable


class Signals:
    """Tells the three wishes apart. ``on_hurry`` is called for a second wish to stop."""

    def __init__(self) -> None:
        self.on_hurry: Callable[[], None] = _cannot
        self._terminal = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
        self.stop = asyncio.Event()
        # However often it is asked for while one is under way, one more is enough.
        self.reload = asyncio.Event()

    def listen(self) -> None:
        """Take the signals of this process."""
        loop = asyncio.get_running_loop()  # noqa: TID251  # whose signals these are
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _asked_to_stop(self) -> None:
        if self.stop.is_set():
            self.on_hurry()
        self.stop.set()

    def _hung_up(self) -> None:
        if self._terminal is not None and _is_gone(self._terminal):
            # Nobody would see any more that it runs, and spends.
            self.stop.set()
        else:
            self.reload.set()


def _cannot() -> None:
    """Nothing runs yet that could be hurried."""


def _is_gone(terminal: int) -> bool:
    try:
        os.tcgetpgrp(terminal)
    except OSError:
        return True
    return False
