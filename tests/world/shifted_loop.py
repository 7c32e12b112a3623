"""An event loop whose clock can be put forward, so that no test waits for a long timer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class ShiftedLoop(asyncio.SelectorEventLoop):
    """Real sockets; ``pass_s`` lets time go by at once."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_s = 0.0

    def time(self) -> float:
        return super().time() + self._passed_s

    def pass_s(self, duration_s: float) -> None:
        """So much later."""
        self._passed_s += duration_s


def later(duration_s: float) -> None:
    """On such a loop: let so much time go by."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ShiftedLoop)
    loop.pass_s(duration_s)


def run_shifted(work: Coroutine[Any, Any, None]) -> None:
    """Run this on such a loop."""
    with asyncio.Runner(loop_factory=ShiftedLoop) as runner:
        runner.run(work)
