"""Waits that share a timer."""

from __future__ import annotations

import asyncio

from sidecar.proxy.waits import Waits

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
