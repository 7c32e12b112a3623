"""A command that is run as a child: waited for, told by the signals that we are told by.

It stays in our process group, so what is typed on the terminal reaches it without us.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from sidecar.cli.screen import plain

# What a shell says of commands.
NOT_FOUND = 127
NOT_EXECUTABLE = 126
SIGNALLED = 128

# Whoever sends one of these wants it over; what does not end then is ended.
ENDING = frozenset({signal.SIGTERM, signal.SIGHUP})
# What a terminal sends, to all of its foreground group.
TYPED = frozenset({signal.SIGINT, signal.SIGQUIT})
PASSED_ON = (*ENDING, *TYPED, signal.SIGUSR1, signal.SIGUSR2)


class Child:
    """One command, run once. ``kill_after_s``: how long it may take to end once it is asked to."""

    def __init__(self, kill_after_s: float) -> None:
        self._kill_after_s = kill_after_s
        self._process: subprocess.Popen[bytes] | None = None
        self._kill: asyncio.TimerHandle | None = None
        # Asked to end before it began.
        self._unwanted: int | None = None
        # Signal handlers belong to the loop that runs, which is made for this child.
        self._loop = asyncio.get_running_loop()  # noqa: TID251 - see above
        for number in PASSED_ON:
            self._loop.add_signal_handler(number, self._pass_on, number)

    @property
    def ran(self) -> bool:
        """Whether there is a command of this name, and it was started."""
        return self._process is not None

    async def run(self, words: Sequence[str], environ: Mapping[str, str]) -> int:
        """Its status, as a shell says it."""
        if self._unwanted is not None:
            return SIGNALLED + self._unwanted
        try:
            self._process = _start(words, environ)
        except FileNotFoundError:
            print(f"sidecar: {plain(words[0])}: no such command", file=sys.stderr)
            return NOT_FOUND
        except OSError as fault:
            reason = (fault.strerror or "it cannot be run").lower()
            print(f"sidecar: {plain(words[0])}: {reason}", file=sys.stderr)
            return NOT_EXECUTABLE
        status = await asyncio.to_thread(self._process.wait)
        if self._kill is not None:
            self._kill.cancel()
        return status if status >= 0 else SIGNALLED - status

    def _pass_on(self, number: signal.Signals) -> None:
        if self._process is None:
            if number in ENDING | TYPED:
                self._unwanted = number
        elif number not in TYPED or not _shares_terminal():
            self._process.send_signal(number)
            if number in ENDING and self._kill is None:
                self._kill = self._loop.call_later(self._kill_after_s, self._process.kill)


def _start(words: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # What a person asks for on their own command line is run as it is.
    return subprocess.Popen(words, env=environ)  # noqa: S603 - see above


def _shares_terminal() -> bool:
    """Whether what is typed on our terminal reaches our group, so the child as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
