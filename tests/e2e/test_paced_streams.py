"""Events of a stream are never held back: the seller writes each after the app has the last.

The seller, in the test's own process, writes the next piece only once the app has said that it
has read the one before; the sidecars between them are processes. A piece that is held until the
next one comes would stop the stream, and two that came as one would show as one read. Nothing
here is timed but a stream that stands still. ``test_paced_streams_nginx`` paces by the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.paced_app import HELD_S, as_written, listen
from tests.e2e.paced_cases import CASES, LAST, Case, chunk, events
from tests.e2e.paced_relay import FAULTS, relaying
from tests.e2e.paced_seller import PacedSeller
from tests.e2e.paced_world import DIRECT, SIDECARS, PacedWorld, paced_world

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT_ONCE = 32


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PacedWorld]:
    """One seller and two sidecars for all tests."""
    async with paced_world(tmp_path_factory.mktemp("paced")) as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("way", [*DIRECT, *SIDECARS])
async def test_each_by_itself(world: PacedWorld, way: str, case: Case) -> None:
    """What the seller wrote by itself reaches the app by itself, before it writes more."""
    settled = len(world.seller.shop.books.settlements)
    play, course = await world.course(way, case)

    assert as_written(play) == course.told()
    assert play.costs == len(world.seller.shop.books.settlements) - settled


@pytest.mark.parametrize("way", SIDECARS)
async def test_many_at_once(world: PacedWorld, way: str) -> None:
    """It does so for 32 streams of all kinds at once, each paced by its own app."""
    cases = [CASES[number % len(CASES)] for number in range(AT_ONCE)]
    settled = len(world.seller.shop.books.settlements)
    heard = await asyncio.gather(*(world.course(way, case) for case in cases))
    paid = sum(play.costs for play, _ in heard)

    assert [as_written(play) for play, _ in heard] == [course.told() for _, course in heard]
    assert paid == len(world.seller.shop.books.settlements) - settled


# What a faulty relay holds back never comes.
FAULTY_HELD_S = 0.5


@pytest.mark.parametrize("fault", ["none", *FAULTS])
async def test_faulty_relay(fault: str) -> None:
    """These checks find a relay that holds back, gathers or changes what it passes on."""
    case = Case("of six", (*map(chunk, events(6)), LAST))
    async with PacedSeller().open() as seller, relaying(seller.port, fault) as door:
        play = seller.announce(case)
        course = await listen(door, play, held_s=HELD_S if fault == "none" else FAULTY_HELD_S)

    assert (fault == "none") is (as_written(play) == course.told())
