"""Requests of the fast lane that are over: told of together, and never late for who asks."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from sidecar.payments.served import Together
from sidecar.proxy.calls import Call
from sidecar.proxy.endings import ALIKE_MAX, Endings
from tests.world.fakes import FakeClock

WELL = (200, "relayed", "")
WITHIN_S = 0.02
LONG_S = 60.0


class Heard:
    """What was told, in so many pieces."""

    def __init__(self, told_within_s: float) -> None:
        self.told: list[Together] = []
        self.clock = FakeClock()
        self.endings = Endings(self.clock.monotonic_s, self.told.append, told_within_s)
        route, caller = SimpleNamespace(name="up"), SimpleNamespace(name="app")
        words: dict[str, Any] = {"method": "GET", "path": "/", "ended": None, "ending": None}
        self.call = cast(Call, SimpleNamespace(route=route, caller=caller, **words))

    def note(self, request_id: str, end: tuple[int, str, str] = WELL) -> None:
        """A request of a second and a half, a second of which was its upstream's, ends."""
        began_s = self.clock.monotonic_s()
        self.clock.advance(1.5)
        self.endings.note(self.call, request_id, began_s, 1.0, end)

    def ids(self) -> list[list[str]]:
        """The requests that each piece told of."""
        return [[each[0] for ended in one.values() for each in ended] for one in self.told]


async def test_together() -> None:
    """Requests that end within a moment are told of once, each with its own times and end."""
    heard = Heard(WITHIN_S)
    heard.note("a")
    heard.note("b", (502, "relayed", "cut"))
    await asyncio.sleep(0)
    heard.note("c")
    before = list(heard.told)
    await asyncio.sleep(3 * WITHIN_S)
    heard.note("d")
    await asyncio.sleep(3 * WITHIN_S)

    assert [] == before
    assert [["a", "c", "b"], ["d"]] == heard.ids()
    assert [(200, ""), (502, "cut")] == [(end.status, end.detail) for end in heard.told[0]]
    assert [("a", 1.5, 1.0, 1.5), ("c", 1.5, 1.0, 4.5)] == next(iter(heard.told[0].values()))


async def test_many_of_a_kind() -> None:
    """As many of a kind as are told of together are not kept for longer, but for the turn."""
    heard = Heard(LONG_S)
    for number in range(ALIKE_MAX):
        heard.note(f"r{number}")
    in_its_turn = list(heard.told)
    await asyncio.sleep(0.01)

    assert [] == in_its_turn
    assert [[f"r{number}" for number in range(ALIKE_MAX)]] == heard.ids()


async def test_asked() -> None:
    """Whoever asks hears of all that have ended, and nobody hears of one twice."""
    heard = Heard(WITHIN_S)
    heard.note("a")
    heard.endings.tell()
    at_once = heard.ids()
    heard.endings.tell()
    await asyncio.sleep(3 * WITHIN_S)

    assert [["a"]] == at_once == heard.ids()


async def test_no_moment() -> None:
    """Who is given no moment hears in the turn after the end, once its answer was written."""
    heard = Heard(0.0)
    heard.note("a")
    in_its_turn = list(heard.told)
    await asyncio.sleep(0.01)

    assert [] == in_its_turn
    assert [["a"]] == heard.ids()
