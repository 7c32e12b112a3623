"""An event loop whose time passes only when everybody waits, so that a day takes no time.

Callbacks run in asyncio's own order, which programs may rely on; what a seed varies is how long
each call of a port takes, and so who comes first.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from contextvars import Context, ContextVar
from datetime import datetime, timedelta
from typing import Any

from sidecar.errors import SidecarError
from tests.world.fakes import NOON

# The process that a task belongs to; "": the world outside.
OWNER: ContextVar[str] = ContextVar("owner", default="")


class _Waiting(selectors.DefaultSelector):
    """Waits by letting the virtual time pass."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits for ever"
        self.now_s += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, Any]:
        found: Mapping[Any, Any] = super().get_map()
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop of one seed. It knows which process each task belongs to."""

    def __init__(self) -> None:
        self._waiting = _Waiting()
        super().__init__(self._waiting)
        self.faults: list[BaseException] = []
        self._tasks: defaultdict[str, dict[asyncio.Task[Any], None]] = defaultdict(dict)
        self.set_task_factory(self._make)
        self.set_exception_handler(self._hear)

    def time(self) -> float:
        return self._waiting.now_s

    def spawn(self, owner: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process, which dies with it."""
        context = Context()
        context.run(OWNER.set, owner)
        return self.create_task(work, context=context)

    def end(self, owner: str) -> None:
        """Cancel what belongs to it, but for the task that asks."""
        for task in tuple(self._tasks[owner]):
            if task is not asyncio.current_task(self):
                task.cancel()

    def _make(
        self, loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None
    ) -> asyncio.Task[Any]:
        owner = OWNER.get() if context is None else context.get(OWNER, "")
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
        tasks = self._tasks[owner]
        tasks[task] = None
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        for tasks in self._tasks.values():
            tasks.pop(task, None)
        fault = None if task.cancelled() else task.exception()
        # Expected faults are their waiters' affair; anything else is a bug, whoever waited.
        if isinstance(fault, Exception) and not isinstance(fault, SidecarError):
            self.faults.append(fault)

    def _hear(self, loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        fault = told.get("exception")
        if isinstance(fault, Exception) and not isinstance(fault, SidecarError):
            self.faults.append(fault)


class TrueClock:
    """The time that the chain and the sellers have."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._loop.time())

    def monotonic_s(self) -> float:
        return self._loop.time()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


class WallClock(TrueClock):
    """The time that our machine believes: set forward and back, and drifting."""

    def __init__(self, loop: VirtualLoop, drift: float, ahead_s: float) -> None:
        super().__init__(loop)
        self._drift = drift
        self.ahead_s = ahead_s

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s + self._drift * self.monotonic_s())

    def correct(self) -> None:
        """Right again, as after a look at a time server."""
        self._drift, self.ahead_s = 0.0, 0.0
