"""Where the cells of the battery of seller faults are played: sellers, vendors and sidecars.

The plain seller plays many cells at once: its address says which. A vendor's account is one for
all that its wallet does, so there each cell has a world of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from sidecar.ledger.sqlite import SqliteLedger
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed
from tests.e2e.fault_cells import Cell, Ended, Place, World, state_of
from tests.e2e.fault_clients import Ask, Way, chat, post, tried
from tests.world.market import Market, market
from tests.world.running import EVM, SOLANA, Running, running

SAID = "what is it"
SELLER_CALLS_MAX = 24
VENDOR_WORLDS_MAX = 12
ROWS_MAX = 10_000
# Longer than the slowest of the late settlements takes, once its app was answered.
LATE_S = 1.5
LOOKS = 150
LOOK_S = 0.1
SECONDS = {Misdeed.TOP_UP_SLOW: 2.0, Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE: 1.0}
BLOCK_PATH = "/ethereum/mainnet/blockchain/getBlockByHashOrNumber"


def options_of(world: World, place: Place) -> SandboxOptions:
    """The plain seller of this world."""
    return SandboxOptions(
        evm=not place.on_solana,
        solana=place.on_solana,
        # Without an RPC endpoint nobody else can tell a recent one.
        solana_blockhash=place.on_solana and not world.with_rpc,
        replays=world.replays,
        # Else what a busy machine sent too late would be taken for delivered.
        replays_delivered=world.replays,
        hang_max_s=20,
        slow_head_s=6,
    )


async def at_seller(folder: Path, world: World, place: Place, cells: Sequence[Cell]) -> list[Ended]:
    """All cells at one seller, and a sidecar before it."""
    folder.mkdir()
    slots = asyncio.Semaphore(SELLER_CALLS_MAX)
    async with running(
        folder,
        options_of(world, place),
        with_rpc=world.with_rpc,
        budget="50.00 USDC",
        response_wait_s=4,
        rail=SOLANA if place.on_solana else EVM,
    ) as town:
        # Its honest payee is the first, and so the one that is pinned.
        await tried(Way.ONE_TRY, town.base_url, chat("sandbox", "first"), {})

        async def heard(cell: Cell) -> int:
            async with slots:
                query = dict(parse_qsl(query_of(cell)))
                return await tried(cell.way, town.base_url, chat("sandbox", SAID), query)

        statuses = await asyncio.gather(*(heard(cell) for cell in cells))
        await _come_to_rest(town, world)
        settled = settlements(town.sandbox)
        seen = {
            _hex(one.nonce): _query_in(one.purchase.path)
            for one in town.sandbox.books.authorizations
        }
    rows = SqliteLedger.read(folder / "ledger.db", None, ROWS_MAX)
    states: dict[str, list[str]] = {}
    for row in rows:
        if row.authorization is not None:
            name = seen[_hex(row.authorization.identity)]
            states.setdefault(name, []).append(state_of(row))
    return [
        Ended(cell, status, settled[query_of(cell)], tuple(states.get(query_of(cell), ())))
        for cell, status in zip(cells, statuses, strict=True)
    ]


def query_of(cell: Cell) -> str:
    """What tells the seller how to behave, and names the cell in its books."""
    return f"fault={cell.mode}:{cell.times}&way={cell.way.name.lower()}"


def settlements(sandbox: Sandbox) -> Counter[str]:
    """How often each cell was paid for, by the chain and the seller's own books."""
    return Counter(_query_in(one.path) for one in sandbox.books.settlements)


def _query_in(target: str) -> str:
    return unquote(urlsplit(target).query)


async def _come_to_rest(town: Running, world: World) -> None:
    """Wait for what settles late, and until the ledger knows of all that did, if it can."""
    await asyncio.sleep(LATE_S)
    for _ in range(LOOKS if world.with_rpc else 0):
        rows = SqliteLedger.read(town.folder / "ledger.db", None, ROWS_MAX)
        doubted = [row.authorization for row in rows if state_of(row) == "in doubt"]
        settled = {_hex(one.nonce) for one in town.sandbox.books.settlements}
        if not any(one is not None and _hex(one.identity) in settled for one in doubted):
            break
        await asyncio.sleep(LOOK_S)


def _hex(identity: str) -> str:
    """The identity of an authorization as either of us may spell it."""
    return identity.removeprefix("0x").lower()


async def at_vendors(folder: Path, cells: Sequence[Cell]) -> list[Ended]:
    """Each cell at its vendor, in a world of its own."""
    folder.mkdir()
    slots = asyncio.Semaphore(VENDOR_WORLDS_MAX)

    async def ended(number: int, cell: Cell) -> Ended:
        async with slots:
            return await at_vendor(folder / str(number), cell)

    return await asyncio.gather(*(ended(number, cell) for number, cell in enumerate(cells)))


async def at_vendor(folder: Path, cell: Cell, calls: int = 1) -> Ended:
    """One cell; so many calls one after another, and what the last of them heard."""
    folder.mkdir()
    assert isinstance(cell.mode, Misdeed)
    vendor = cell.place.vendor
    route = f"{vendor}-sol" if cell.place.on_solana else vendor
    async with market(folder) as town:
        town.sandbox.vendors.conduct.add(
            vendor, cell.mode, times=cell.times, seconds=SECONDS.get(cell.mode, 0.0)
        )
        base_url, ask = call_of(town, vendor, route)
        for _ in range(calls):
            heard = await tried(cell.way, base_url, ask, {})
        top_ups = account_of(town, cell.place).top_ups
        # The mark of a top-up comes after the answer; what settled in doubt, by the chain.
        for _ in range(LOOKS if top_ups else 1):
            await asyncio.sleep(LOOK_S)
            rows = [row for row in await town.payments() if row.route == route]
            states = tuple(state_of(row) for row in rows if row.authorization is not None)
            if "in doubt" not in states:
                break
    return Ended(cell, heard, len(top_ups), states)


def call_of(town: Market, vendor: str, route: str) -> tuple[str, Ask]:
    """Where the app is pointed to, and what it asks for there."""
    if vendor == "venice":
        return town.url(route), chat("sandbox-small", SAID)
    return town.url(route, "/credit/v1"), post(BLOCK_PATH, {"block": "latest"})


def account_of(town: Market, place: Place) -> Account:
    """The account of the wallet that pays there."""
    wallet = town.service._opened.wallets["sol" if place.on_solana else "main"]
    vendors = town.sandbox.vendors
    books = vendors.venice if place.vendor == "venice" else vendors.nodit
    return books.account(wallet.address)
