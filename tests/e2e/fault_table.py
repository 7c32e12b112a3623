"""The table of the battery of seller faults, in Markdown: what every app got, and what it paid.

python -m tests.e2e.fault_table    plays all of it, in about ten minutes, and prints it

Each entry is what the app heard at last, how often its purchase was paid for at the seller (on
the chain), and how the ledger has it in the end; "-" is a payment that was never signed.
Ends with 1 where anything is wrong with any of them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecar.sandbox.faults import Fault
from tests.e2e.fault_cells import (
    ALWAYS,
    SELLERS,
    USUAL,
    VENDORS,
    WORLDS,
    Ended,
    Place,
    World,
    every_fault,
    every_misdeed,
    wrongs,
)
from tests.e2e.fault_clients import BROKEN
from tests.e2e.fault_official import by_official_client
from tests.e2e.fault_worlds import at_seller, at_vendors

OFFICIAL = "official SDK, "


@dataclass(frozen=True, slots=True)
class Column:
    """All that was played in one way of trying, at one place."""

    name: str
    cells: tuple[Ended, ...]

    @property
    def payable(self) -> tuple[Ended, ...]:
        return tuple(one for one in self.cells if one.cell.is_payable)

    @property
    def served(self) -> int:
        """How many got what could be had."""
        return sum(one.served for one in self.payable)

    @property
    def doubles(self) -> int:
        """How many purchases were paid for more than once."""
        return sum(one.settled > 1 for one in self.cells)

    @property
    def extra(self) -> int:
        """The payments beyond the first of each."""
        return sum(max(0, one.settled - 1) for one in self.cells)


@dataclass(frozen=True, slots=True)
class Section:
    """One place in one world, by the way of trying."""

    place: Place
    world: World
    columns: tuple[Column, ...]

    @property
    def title(self) -> str:
        return str(self.place) if self.world == USUAL else f"{self.place} ({self.world})"

    @property
    def payable(self) -> int:
        return sum(len(column.payable) for column in self.columns)

    @property
    def served(self) -> int:
        return sum(column.served for column in self.columns)


def section(place: Place, world: World, cells: Iterable[Ended], prefix: str = "") -> Section:
    """The cells of this place, in columns."""
    found = [one for one in cells if one.cell.place is place]
    columns = (
        Column(prefix + way, tuple(one for one in found if one.cell.way is way))
        for way in place.ways
    )
    return Section(place, world, tuple(column for column in columns if column.cells))


def details(part: Section) -> str:
    """A row for each mode."""
    names = [column.name for column in part.columns]
    entries = {
        (_mode(one), column.name): _entry(one, column)
        for column in part.columns
        for one in column.cells
    }
    rows = [
        [mode, *(entries.get((mode, name), "") for name in names)]
        for mode in dict.fromkeys(mode for mode, _ in entries)
    ]
    return f"### {part.title}\n\n" + _markdown(["mode", *names], rows)


def totals(parts: Sequence[Section]) -> str:
    """A row for each column of each section, and their sum."""
    rows = [_total(part.title, column) for part in parts for column in part.columns]
    ours = [one for part in parts for one in part.columns if not one.name.startswith(OFFICIAL)]
    together = Column("all", tuple(cell for column in ours for cell in column.cells))
    rows.append(_total("sidecar", together))
    head = [
        "where",
        "app",
        "cells",
        "served of payable",
        "rate",
        "paid for more than once",
        "payments too many",
    ]
    return "### Totals\n\n" + _markdown(head, rows)


def _total(title: str, column: Column) -> list[str]:
    payable = len(column.payable)
    return [
        title,
        column.name,
        str(len(column.cells)),
        f"{column.served} of {payable}",
        f"{column.served / max(1, payable):.0%}",
        str(column.doubles),
        str(column.extra),
    ]


def _mode(one: Ended) -> str:
    always = not isinstance(one.cell.mode, Fault) and one.cell.times == ALWAYS
    return f"{one.cell.mode}, always" if always else str(one.cell.mode)


def _entry(one: Ended, column: Column) -> str:
    heard = "broken" if one.heard == BROKEN else str(one.heard)
    # Nobody but us keeps books.
    states = () if column.name.startswith(OFFICIAL) else one.states or ("-",)
    said = ", ".join([heard, str(one.settled), *states])
    return f"**{said}**" if one.settled > 1 else said


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


async def at_sellers(folder: Path) -> AsyncIterator[Section]:
    """Both chains in all worlds, one after another."""
    for number, world in enumerate(WORLDS):
        for place in SELLERS:
            own = folder / f"{place.name}-{number}"
            yield section(place, world, await at_seller(own, world, place, every_fault(place)))


async def play(folder: Path) -> AsyncIterator[Section]:
    """Everything, one place after another."""
    async for part in at_sellers(folder):
        yield part
    bought = await at_vendors(folder / "vendors", every_misdeed())
    for place in VENDORS:
        yield section(place, USUAL, bought)
    official = await by_official_client(tuple(Fault))
    yield section(Place.SELLER_EVM, USUAL, official, OFFICIAL)


async def shown(parts: AsyncIterator[Section]) -> list[str]:
    """Print each part as it comes, and the totals. Whatever is wrong with ours."""
    seen = []
    async for part in parts:
        seen.append(part)
        if part.world == USUAL:
            print(details(part), flush=True)
    print(totals(seen))
    return [
        wrong
        for part in seen
        for column in part.columns
        if not column.name.startswith(OFFICIAL)
        for wrong in wrongs(part.world, column.cells)
    ]


def main() -> int:
    """Play, print, judge."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(shown(play(Path(folder))))
    print("\n".join(found) or "Nothing is wrong.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
