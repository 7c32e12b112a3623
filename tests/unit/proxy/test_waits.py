"""Waits that share a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from sidecar.proxy.waits import LOOKS, Waits

WAIT_S = 0.02
# A timer may come earlier by so much.
STEP_S = 0.001


class Told:
    """Says when it was told, and may wait again at once."""

    def __init__(self, again: Waits | None = None) -> None:
        self.told_s: list[float] = []
        self._again = again

    def head_overdue(self) -> None:
        self.told_s.append(asyncio.get_running_loop().time())
        if self._again is not None and len(self.told_s) == 1:
            self._again.expect(self)


class Steps:
    """A loop whose clock stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, wait_s: float, what: Callable[[], None]) -> Step:
        return self.call_at(self.now_s + wait_s, what)

    def call_at(self, when_s: float, what: Callable[[], None]) -> Step:
        self.timers.append((when_s, what))
        return Step(self, (when_s, what))

    def go_on(self, until_s: float) -> None:
        while self.timers and min(self.timers)[0] <= until_s:
            timer = min(self.timers)
            self.timers.remove(timer)
            self.now_s = timer[0]
            timer[1]()
        self.now_s = until_s


class Step:
    """A timer of such a loop."""

    def __init__(self, loop: Steps, timer: tuple[float, Callable[[], None]]) -> None:
        self._loop, self._timer = loop, timer

    def cancel(self) -> None:
        if self._timer in self._loop.timers:
            self._loop.timers.remove(self._timer)


class Noted:
    """Notes when it was told, and waits anew so often."""

    def __init__(self, loop: Steps, waits: Waits, again: int = 0) -> None:
        self._loop, self._waits, self._again = loop, waits, again
        self.told_s: list[float] = []

    def head_overdue(self) -> None:
        self.told_s.append(self._loop.now_s)
        if len(self.told_s) <= self._again:
            self._waits.expect(self)


def test_told_soon() -> None:
    """A wait ends an eighth late at most, whenever it began, and then no timer is left."""
    loop, wait_s = Steps(), 16.0
    waits = Waits(wait_s, cast(asyncio.AbstractEventLoop, loop))
    began: list[tuple[Noted, float]] = []
    for number in range(40):
        loop.go_on(number * 0.7)
        began.append((Noted(loop, waits), loop.now_s))
        waits.expect(began[-1][0])
    loop.go_on(100.0)

    assert [1] * 40 == [len(each.told_s) for each, _ in began]
    for each, began_s in began:
        assert wait_s <= each.told_s[0] - began_s <= wait_s + wait_s / LOOKS
    assert [] == loop.timers


def test_one_timer() -> None:
    """However many wait, and wait anew once they were told, there is one timer."""
    loop = Steps()
    waits = Waits(16.0, cast(asyncio.AbstractEventLoop, loop))
    noted = [Noted(loop, waits, again=2) for _ in range(3)]
    for each in noted:
        waits.expect(each)
    timers = []
    for number in range(50):
        loop.go_on(float(number))
        timers.append(len(loop.timers))
    loop.go_on(100.0)

    assert [3, 3, 3] == [len(each.told_s) for each in noted]
    assert {1} == set(timers)


async def test_told_in_time() -> None:
    """Each is told once its own wait is over, and not before, however many began earlier."""
    loop = asyncio.get_running_loop()
    waits = Waits(WAIT_S, loop)
    began_s = []
    told = [Told() for _ in range(3)]
    for each in told:
        began_s.append(loop.time())
        waits.expect(each)
        await asyncio.sleep(WAIT_S / 3)
    await asyncio.sleep(WAIT_S * 2)

    assert [1, 1, 1] == [len(each.told_s) for each in told]
    for each, since_s in zip(told, began_s, strict=True):
        assert WAIT_S - STEP_S < each.told_s[0] - since_s


async def test_arrived_in_time() -> None:
    """Whose head has come is not told; who came later is told all the same."""
    loop = asyncio.get_running_loop()
    waits = Waits(WAIT_S, loop)
    first, second = Told(), Told()
    waits.expect(first)
    await asyncio.sleep(WAIT_S / 2)
    waits.expect(second)
    waits.arrived(first)
    await asyncio.sleep(WAIT_S * 3)

    assert [] == first.told_s
    assert 1 == len(second.told_s)


async def test_waits_again() -> None:
    """Who was told may wait anew, and so may others once nobody waits."""
    loop = asyncio.get_running_loop()
    waits = Waits(WAIT_S, loop)
    first, second = Told(waits), Told()
    waits.expect(first)
    await asyncio.sleep(WAIT_S * 4)
    waits.expect(second)
    await asyncio.sleep(WAIT_S * 3)

    assert [2, 1] == [len(first.told_s), len(second.told_s)]


async def test_stopped() -> None:
    """After its end nobody is told, and heads may still arrive."""
    waits = Waits(WAIT_S, asyncio.get_running_loop())
    told = Told()
    waits.expect(told)
    waits.stop()
    await asyncio.sleep(WAIT_S * 3)
    waits.arrived(told)

    assert [] == told.told_s
