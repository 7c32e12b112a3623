"""The Supervisor: no task is lost, no failure is silent, and shutdown waits."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from sidecar.tasks import Supervisor, left_running


class Failures:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def __call__(self, name: str, fault: BaseException) -> None:
        self.heard.append((name, repr(fault)))


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def tasks(failures: Failures) -> Supervisor:
    return Supervisor(failures)


async def value(result: int) -> int:
    await asyncio.sleep(0)
    return result


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


async def test_result(tasks: Supervisor) -> None:
    """Whoever awaits a task gets its result, and the task has its name."""
    task = tasks.spawn("work", value(7))

    assert ("work", 7) == (task.get_name(), await task)


async def test_tasks_are_held(tasks: Supervisor) -> None:
    """A task that nobody else holds is not collected half way."""
    done: list[int] = []

    async def work() -> None:
        # Only the task's own frame refers to this future: asyncio alone would let both go.
        waiting = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, waiting.set_result, None)
        await waiting
        done.append(1)

    tasks.spawn("work", work())
    await asyncio.sleep(0)
    gc.collect()
    await tasks.drain(1)

    assert [1] == done


async def test_failure_is_reported(tasks: Supervisor, failures: Failures) -> None:
    """A fault that nobody awaits reaches on_failure, with the task's name, once."""
    tasks.spawn("work", fail())
    await tasks.drain(1)

    assert [("work", "ValueError('no')")] == failures.heard


async def test_success_is_not_reported(tasks: Supervisor, failures: Failures) -> None:
    """Neither work that ends well nor work that was cancelled is a failure."""
    tasks.spawn("work", value(1))
    tasks.spawn("endless", asyncio.sleep(60)).cancel()
    await tasks.drain(1)

    assert [] == failures.heard


async def test_loop_with_tasks_of_its_own(tasks: Supervisor) -> None:
    """A loop that makes its own tasks makes these, too, by their names."""
    loop, made = asyncio.get_running_loop(), []

    def make(loop: asyncio.AbstractEventLoop, work: Any) -> asyncio.Task[Any]:
        made.append(asyncio.Task(work, loop=loop))
        return made[-1]

    loop.set_task_factory(make)
    task = tasks.spawn("work", value(7))
    loop.set_task_factory(None)

    assert [task] == made
    assert "work" == task.get_name()
    assert 7 == await task


async def test_other_tasks_go_on(tasks: Supervisor, failures: Failures) -> None:
    """One failure does not touch the other tasks."""
    tasks.spawn("bad", fail())
    good = tasks.spawn("good", value(3))

    assert 3 == await good
    assert ["bad"] == [name for name, _ in failures.heard]


async def test_drain_waits(tasks: Supervisor) -> None:
    """Drain lets what runs come to its end, and cancels nothing that is in time."""
    task = tasks.spawn("work", asyncio.sleep(0.01, "done"))

    assert 0 == await tasks.drain(5)
    assert "done" == task.result()


async def test_drain_waits_for_what_is_begun_meanwhile(tasks: Supervisor) -> None:
    """What runs may begin more, as a top-up does with its mark: that comes to its end as well."""
    marked: list[int] = []

    async def mark() -> None:
        await asyncio.sleep(0.01)
        marked.append(1)

    async def buy() -> None:
        await asyncio.sleep(0.01)
        tasks.spawn("mark", mark())

    tasks.spawn("buy", buy())

    assert (0, [1]) == (await tasks.drain(5), marked)


async def test_drain_cancels(tasks: Supervisor, failures: Failures) -> None:
    """What is late is cancelled, counted, and given the time to clean up."""
    cleaned: list[str] = []

    async def late() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append("late")

    tasks.spawn("late", late())
    tasks.spawn("quick", value(1))

    assert 1 == await tasks.drain(0.01)
    assert (["late"], []) == (cleaned, failures.heard)


async def test_drain_reports_a_bad_end(tasks: Supervisor, failures: Failures) -> None:
    """A task that answers its cancellation with a fault is reported."""

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as cancelled:
            raise ValueError("while stopping") from cancelled

    tasks.spawn("stubborn", stubborn())

    assert 1 == await tasks.drain(0.01)
    assert [("stubborn", "ValueError('while stopping')")] == failures.heard


async def test_drain_of_nothing(tasks: Supervisor) -> None:
    """With nothing running, drain returns at once; and again."""
    assert (0, 0) == (await tasks.drain(60), await tasks.drain(60))


async def test_cancelling_the_waiter(tasks: Supervisor) -> None:
    """A waiter that shields itself can go away without stopping the work: a payment goes on."""
    work = tasks.spawn("payment", asyncio.sleep(0.01, "paid"))

    async def wait() -> str:
        return await asyncio.shield(work)

    waiter = tasks.spawn("waiter", wait())
    await asyncio.sleep(0)
    waiter.cancel()
    await tasks.drain(5)

    assert (True, "paid") == (waiter.cancelled(), work.result())


async def test_first() -> None:
    """Whoever waits for the first of several goes on with it, and the others are cancelled."""
    supervisor = Supervisor(lambda name, fault: None)
    never = asyncio.Event()
    await supervisor.first("wait", never.wait(), asyncio.sleep(0))

    assert 0 == await supervisor.drain(1)


async def test_left_running(tasks: Supervisor) -> None:
    """Who waits for a task gets what comes of it, at once where that has come already."""
    task = tasks.spawn("work", value(7))

    assert 7 == await left_running(task)
    assert 7 == await left_running(task)
    with pytest.raises(ValueError, match="no"):
        await left_running(tasks.spawn("work", fail()))


async def test_who_waits_is_cancelled(tasks: Supervisor) -> None:
    """A task goes on although who waits for it is cancelled, even in the turn in which it ends."""
    for turns in range(4):
        task = tasks.spawn("work", value(7))
        waiting = tasks.spawn("waiting", left_running(task))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert 7 == await task


async def test_task_that_is_cancelled(tasks: Supervisor) -> None:
    """Of a task that is cancelled nothing comes: who waits for it hears so."""
    task = tasks.spawn("work", asyncio.sleep(60))
    waiting = tasks.spawn("waiting", left_running(task))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
