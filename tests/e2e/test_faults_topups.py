"""Every misdeed of a vendor that sells credit, on both chains, however the app tries.

Counted at the vendor: at most one top-up for one need. A sample of the misdeeds on each pair of
vendor and chain; SIDECAR_FAULTS=all takes them all, in every way of trying.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from sidecar.money import Usdc
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed
from tests.e2e.test_vendors import CALL
from tests.world.market import Market, market

ALL = os.environ.get("SIDECAR_FAULTS") == "all"
SIDE_BY_SIDE = 12 if ALL else 4
ROUTES = ("venice", "venice-sol", "nodit", "nodit-sol")
PATHS = {
    "venice": ("/v1/chat/completions", CALL),
    "nodit": ("/credit/v1/ethereum/mainnet/blockchain/getBlockByHashOrNumber", {"block": "latest"}),
}
PRICES = {"venice": Usdc(10_000_000), "nodit": Usdc(1_000_000)}
# What an app may hear; 401 is a vendor's that takes none of our sign-ins.
HONEST = frozenset({200, 401, 402, 502, 503})
# What is not served in the end, because the vendor took the money for nothing.
HELD = frozenset({Misdeed.TOP_UP_TAKEN_BUT_402, Misdeed.TOP_UP_UNCREDITED})
SAMPLE = (
    Misdeed.TOP_UP_TAKEN_BUT_402,
    Misdeed.TOP_UP_REFUSED,
    Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE,
    Misdeed.BALANCE_UNREADABLE,
)
SECONDS = {Misdeed.TOP_UP_SLOW: 2.0, Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE: 1.0}


@dataclass(frozen=True, slots=True)
class Cell:
    """A misdeed, done so often, at one vendor by one chain, and how often the app tries."""

    misdeed: Misdeed
    times: int
    route: str
    tries: int

    @property
    def vendor(self) -> str:
        return self.route.removesuffix("-sol")


CELLS = [
    Cell(misdeed, times, route, tries)
    for misdeed in (Misdeed if ALL else SAMPLE)
    for times in ((1, 1000) if ALL else (1,))
    for route in ROUTES
    for tries in ((1, 3) if ALL else (3,))
]


@dataclass(frozen=True, slots=True)
class Ended:
    """What the app heard, what the vendor counted, and what the ledger holds."""

    cell: Cell
    heard: list[int]
    top_ups: int
    paid: Usdc
    rose: bool
    rows: int


async def tried(place: Market, cell: Cell) -> list[int]:
    """An app that tries whatever fails again, but for what says that it must not be."""
    path, document = PATHS[cell.vendor]
    url, heard = place.url(cell.route, path), []
    async with aiohttp.ClientSession(headers=place.headers) as session:
        for _ in range(cell.tries):
            async with session.post(url, json=document) as response:
                await response.read()
                heard.append(response.status)
                if response.status == 200 or response.headers.get("x-should-retry") == "false":
                    break
    return heard


async def ended(folder: Path, number: int, cell: Cell, slots: asyncio.Semaphore) -> Ended:
    """One cell, in a world of its own."""
    own = folder / str(number)
    own.mkdir()
    async with slots, market(own) as place:
        seconds = SECONDS.get(cell.misdeed, 0.0)
        place.sandbox.vendors.conduct.add(
            cell.vendor, cell.misdeed, times=cell.times, seconds=seconds
        )
        heard = await tried(place, cell)
        account = account_of(place, cell)
        rows = [row for row in await place.payments() if row.route == cell.route]
        return Ended(
            cell,
            heard,
            len(account.top_ups),
            account.paid,
            account.balance > 0,
            len([row for row in rows if row.authorization is not None]),
        )


def account_of(place: Market, cell: Cell) -> Account:
    """The account of the wallet that this cell's route pays with."""
    wallet = place.service._opened.wallets["sol" if cell.route.endswith("-sol") else "main"]
    vendors = place.sandbox.vendors
    books = vendors.venice if cell.vendor == "venice" else vendors.nodit
    return books.account(wallet.address)


async def test_at_most_one_top_up(tmp_path: Path) -> None:
    """Whatever the vendor does, and however the app tries: one top-up at most, and it is known."""
    slots = asyncio.Semaphore(SIDE_BY_SIDE)
    cells = await asyncio.gather(*(ended(tmp_path, n, c, slots) for n, c in enumerate(CELLS)))
    once = [PRICES[one.cell.vendor].atomic * one.top_ups == one.paid.atomic for one in cells]

    assert [] == [one for one in cells if one.top_ups > 1]
    assert all(once)
    # Nothing but what was written down was paid, and nothing was signed twice for one need.
    assert [] == [one for one in cells if one.rows > 1 or one.top_ups > one.rows]
    assert [] == [one for one in cells if not set(one.heard) <= HONEST]
    # Where the credit came, an app that tries again is served by it.
    assert [] == [one for one in cells if unserved(one)]


def unserved(one: Ended) -> bool:
    """Whether an app that tried three times was not served by credit that had come."""
    behaves = one.cell.times == 1 and one.cell.misdeed not in HELD
    return one.rose and behaves and one.cell.tries == 3 and one.heard[-1] != 200


@pytest.mark.parametrize("route", ROUTES)
async def test_taken_for_nothing(tmp_path: Path, route: str) -> None:
    """Money that was taken for nothing stays the last: four more calls buy no second top-up."""
    cell = Cell(Misdeed.TOP_UP_TAKEN_BUT_402, 1000, route, 1)
    async with market(tmp_path) as place:
        place.sandbox.vendors.conduct.add(cell.vendor, cell.misdeed, times=cell.times)
        heard = [await tried(place, cell) for _ in range(5)]
        account = account_of(place, cell)

    assert 1 == len(account.top_ups)
    assert not {200} & {status for one in heard for status in one}
