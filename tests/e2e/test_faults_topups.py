"""Every misdeed of a vendor that sells credit, on both chains, however the app tries.

Counted at the vendor: at most one top-up for one need. The short form plays each misdeed, once
and always, at vendors, on chains and in ways that take turns; SIDECAR_FAULTS=all plays each of
them everywhere, in all ways, and prints the table (pytest -s).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.sandbox.vendors.conduct import Misdeed
from tests.e2e.fault_cells import (
    ALWAYS,
    USUAL,
    VENDORS,
    Cell,
    Place,
    every_misdeed,
    sampled_misdeeds,
    wrongs,
)
from tests.e2e.fault_clients import SERVED, Way
from tests.e2e.fault_table import details, section, totals
from tests.e2e.fault_worlds import at_vendor, at_vendors

ALL = os.environ.get("SIDECAR_FAULTS") == "all"


async def test_at_most_one_top_up(tmp_path: Path) -> None:
    """Whatever the vendor does, and however the app tries: one top-up at most, and it is known."""
    cells = every_misdeed() if ALL else sampled_misdeeds()
    ended = await at_vendors(tmp_path / "towns", cells)
    parts = [section(place, USUAL, ended) for place in VENDORS]
    print("\n" + "\n".join([*map(details, parts), totals(parts)]))

    assert [] == wrongs(USUAL, ended)
    assert set(Misdeed) == {one.cell.mode for one in ended}


def test_sample_is_whole() -> None:
    """Each misdeed, each vendor on each chain, and each way at each of them is in the sample."""
    cells = sampled_misdeeds()

    assert {(misdeed, times) for misdeed in Misdeed for times in (1, ALWAYS)} == {
        (cell.mode, cell.times) for cell in cells
    }
    assert {(place, way) for place in VENDORS for way in place.ways} == {
        (cell.place, cell.way) for cell in cells
    }


@pytest.mark.parametrize("place", VENDORS, ids=lambda place: place.name.lower())
async def test_taken_for_nothing(tmp_path: Path, place: Place) -> None:
    """Money that was taken for nothing stays the last: four more calls buy no second top-up."""
    cell = Cell(Misdeed.TOP_UP_TAKEN_BUT_402, ALWAYS, place, Way.ONE_TRY)
    ended = await at_vendor(tmp_path / "town", cell, calls=5)

    assert [] == wrongs(USUAL, [ended])
    assert (1, ("undelivered",)) == (ended.settled, ended.states)
    assert ended.heard != SERVED
