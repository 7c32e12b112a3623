"""Streams that a clock paces, through the sidecars and through nginx side by side in one run.

What is compared is exact but for the gaps: the bytes in their order, and which of the seller's
writes came as one. A gap is held against nginx's of the same moment, and by the seller's own.
``paced_clock`` says how; ``test_paced_streams`` paces by the app's reading instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.paced_app import Door, as_written
from tests.e2e.paced_cases import CASES, Case
from tests.e2e.paced_clock import CLOCKED, GAPS_MS, Run, side_by_side
from tests.e2e.paced_relay import relaying
from tests.e2e.paced_seller import PacedSeller
from tests.e2e.paced_world import SIDECARS, PacedWorld, paced_world
from tests.world.nginx import nginx

pytestmark = pytest.mark.asyncio(loop_scope="module")
NGINX = ("nginx", "nginx, secure")
RUNS_MAX = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PacedWorld]:
    """The seller, the sidecars, and nginx in front of either of its ports."""
    folder = tmp_path_factory.mktemp("paced")
    async with paced_world(folder) as running:
        seller = running.seller
        with (
            _nginx(folder / "plain", f"http://127.0.0.1:{seller.port}") as plain,
            _nginx(folder / "secure", f"https://127.0.0.1:{seller.tls_port}") as secure,
        ):
            running.doors.update(zip(NGINX, (plain, secure), strict=True))
            yield running


@contextmanager
def _nginx(folder: Path, origin: str) -> Iterator[Door]:
    folder.mkdir()
    with nginx(folder, origin) as port:
        yield Door(port)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("way", NGINX)
async def test_nginx_itself(world: PacedWorld, way: str, case: Case) -> None:
    """What is asked of the sidecar in ``test_paced_streams`` is what nginx does."""
    play, course = await world.course(way, case)

    assert as_written(play) == course.told()


async def test_beside_nginx(world: PacedWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """No event is merged that nginx keeps apart, and events come no later than through nginx."""
    ways = ("direct", *NGINX, *SIDECARS)
    doors = [(world.doors[way], way.startswith("paid")) for way in ways]
    unlike = set(SIDECARS)
    for number in range(RUNS_MAX):
        found = dict(zip(ways, await side_by_side(world.seller, doors), strict=True))

        assert [(200, CLOCKED.body, True)] * len(ways) == [
            run.course.told()[:3] for run in found.values()
        ]
        unlike -= {way for way in unlike if found[way].is_like(found[_beside(way)])}
        with capsys.disabled():
            print(f"\nrun {number + 1}")
            for way, run in found.items():
                print(_line(way, run))
        if not unlike:
            break

    assert set() == unlike


def _beside(way: str) -> str:
    return NGINX["secure" in way]


def _line(way: str, run: Run) -> str:
    return (
        f"  {way:22} {run.lag_ms():6.2f} ms from seller to app, {run.late():2} late, "
        f"{len(run.merged()):2} merged; {len(run.course.reads):2} reads of {len(GAPS_MS) - 1}"
    )


async def test_gathering_relay() -> None:
    """This comparison finds a relay that gathers for 45 ms, and none in one that does not."""
    like: set[str] = set()
    async with (
        PacedSeller().open() as seller,
        relaying(seller.port, "none") as at_once,
        relaying(seller.port, "gathers for a while") as gathering,
    ):
        doors = [(door, False) for door in (Door(seller.port), at_once, gathering)]
        for _ in range(RUNS_MAX):
            direct, *relayed = await side_by_side(seller, doors)
            pairs = zip(("at once", "gathering"), relayed, strict=True)
            like |= {name for name, run in pairs if run.is_like(direct)}
            if like:
                break

    assert {"at once"} == like
