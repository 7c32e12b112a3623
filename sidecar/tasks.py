"""The only place that makes tasks: each is held, its failure is reported, and shutdown waits.

asyncio keeps only a weak reference to a task, and a payment whose task was collected half way
is a payment that nobody tracks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class Supervisor:
    """Holds the tasks of one service."""

    def __init__(self, on_failure: Callable[[str, BaseException], None]) -> None:
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start this work. If it fails and nobody awaits it, ``on_failure`` hears of it."""
        loop = asyncio.get_running_loop()
        if loop.get_task_factory() is None:
            # As the loop does it, but for a name that would be made up first: a third less.
            task = asyncio.Task(work, loop=loop, name=name)
        else:
            task = loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def first(self, name: str, *works: Coroutine[Any, Any, object]) -> None:
        """Come back when one of these is done, whatever came of it; the others are cancelled."""
        started = [self.spawn(name, work) for work in works]
        try:
            await asyncio.wait(started, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in started:
                task.cancel()

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        fault = task.exception()
        if fault is not None:
            self._on_failure(task.get_name(), fault)

    async def drain(self, wait_s: float) -> int:
        """Wait this long for what runs, cancel the rest, and say how many were cancelled."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                # What runs may begin more.
                while self._tasks:
                    await asyncio.wait(self._tasks)
        late = self._tasks.copy()
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return len(late)


async def left_running(task: asyncio.Task[T]) -> T:
    """What comes of this task. Who is cancelled while waiting for it leaves it running.

    As ``asyncio.shield`` does it, which has to do with all that can be awaited: in a third.
    """
    if not task.done():
        ended = task.get_loop().create_future()

        def tell(_: asyncio.Task[T]) -> None:
            if not ended.done():
                ended.set_result(None)

        task.add_done_callback(tell)
        await ended
    return task.result()
