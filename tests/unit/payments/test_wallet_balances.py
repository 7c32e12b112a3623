"""What wallets hold: asked of a chain's endpoints in turn; an old answer outlives a failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from sidecar.chains import SOLANA, usdc_on
from sidecar.errors import UpstreamError
from sidecar.http import Headers, HttpRequest, Reply
from sidecar.money import Usdc
from sidecar.payments.events import Event, WalletBalanceObserved
from sidecar.payments.wallet_balances import (
    STAGGER_S,
    Purse,
    WalletBalance,
    WalletBalances,
    evm_question,
    solana_question,
)
from tests.world.fakes import NOON, FakeClock

BASE, SEPOLIA = "eip155:8453", "eip155:84532"
ALICE = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
PURSE = Purse("main", ALICE, BASE)
FIRST, SECOND = "https://one.example/key", "https://two.example/key"


TOKEN_ACCOUNT = "7UX2i7SucgLMQcfZ75s3VXmZZY4YRUyJN9X1RgfMoDUi"
GENESIS = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"


@dataclass
class Node:
    """An endpoint of a chain, with one holder of USDC."""

    chain: int = 8453
    holds: int = 2_500_000
    fault: Exception | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, params: list[Any]) -> object:
        if self.fault is not None:
            raise self.fault
        if method == "eth_chainId":
            return hex(self.chain)
        assert method == "eth_call"
        assert params[0]["data"] == f"0x70a08231{'0' * 24}{ALICE[2:].lower()}"
        self.asked.append((params[0]["to"], "balanceOf"))
        return f"0x{self.holds:064x}"


@dataclass
class Cluster:
    """An endpoint of Solana, where one token account holds 1.25 USDC."""

    genesis: str = GENESIS

    def answer(self, method: str, params: list[Any]) -> object:
        if method == "getGenesisHash":
            return self.genesis
        assert (method, params[0]) == ("getTokenAccountBalance", TOKEN_ACCOUNT)
        return {"context": {"slot": 1}, "value": {"amount": "1250000", "decimals": 6}}


@dataclass
class Said:
    body: bytes
    status: int = 200
    headers: Headers = ()
    is_here: bool = True

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    def close(self) -> None: ...


class Nodes:
    """An upstream that reaches endpoints by their URLs."""

    def __init__(self, **nodes: Node | Cluster) -> None:
        self.by_url = nodes

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        question = json.loads(request.body)
        result = self.by_url[request.url].answer(question["method"], question["params"])
        return Said(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())


class World:
    """Wallets on Base, whose two endpoints a test can break."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.first, self.second = Node(), Node(holds=7)
        self.wallets = WalletBalances(
            Nodes(**{FIRST: self.first, SECOND: self.second}),
            {BASE: (evm_question(FIRST, BASE), evm_question(SECOND, BASE))},
            self.clock,
            self.events.append,
        )


@pytest.fixture
def world() -> World:
    return World()


async def test_read(world: World) -> None:
    """A purse is read at its network's first endpoint, from its network's USDC, and told of."""
    held = await world.wallets.read(PURSE)

    assert WalletBalance("main", BASE, Usdc(2_500_000), NOON) == held
    assert (held,) == world.wallets.known()
    assert [WalletBalanceObserved("main", BASE, Usdc(2_500_000), NOON)] == world.events
    assert [(usdc_on(BASE).address.lower(), "balanceOf")] == world.first.asked
    assert [] == world.second.asked


async def test_next_endpoint(world: World) -> None:
    """Where an endpoint fails, the next one is asked."""
    world.first.fault = UpstreamError("gone")
    held = await world.wallets.read(PURSE)

    assert held is not None
    assert Usdc(7) == held.amount


async def test_another_chain(world: World) -> None:
    """An endpoint of another chain is not believed."""
    world.first.chain = 84532
    held = await world.wallets.read(PURSE)

    assert held is not None
    assert Usdc(7) == held.amount
    assert [] == world.first.asked


async def test_failure(world: World) -> None:
    """Where no endpoint can say, the last balance stays as old as it is, and nothing is told."""
    await world.wallets.read(PURSE)
    world.first.fault = world.second.fault = UpstreamError("gone")
    world.clock.advance(60)

    assert None is await world.wallets.read(PURSE)
    assert [NOON] == [held.observed_at for held in world.wallets.known()]
    assert 1 == len(world.events)


async def test_newer(world: World) -> None:
    """A new reading takes the place of the old one."""
    await world.wallets.read(PURSE)
    world.first.holds = 1
    world.clock.advance(60)
    held = await world.wallets.read(PURSE)

    assert WalletBalance("main", BASE, Usdc(1), NOON + timedelta(seconds=60)) == held
    assert (held,) == world.wallets.known()


async def test_no_endpoint(world: World) -> None:
    """A network without endpoints has no balances."""
    assert None is await world.wallets.read(Purse("main", ALICE, SEPOLIA))
    assert () == world.wallets.known()


async def test_run(world: World) -> None:
    """Every purse is read on the interval, one after another, and a failure stops nothing."""
    purses = [PURSE, Purse("gone", ALICE, SEPOLIA), Purse("spare", ALICE, BASE)]
    task = asyncio.create_task(world.wallets.run(purses, 60))
    while len(world.events) < 4:
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    read = [
        (event.wallet, (event.observed_at - NOON).total_seconds())
        for event in world.events
        if isinstance(event, WalletBalanceObserved)
    ]
    again_s = 3 * STAGGER_S + 60

    assert [
        ("main", 0.0),
        ("spare", 2 * STAGGER_S),
        ("main", again_s),
        ("spare", again_s + 2 * STAGGER_S),
    ] == read[:4]


@pytest.mark.parametrize(("genesis", "amounts"), [(GENESIS, [Usdc(1_250_000)]), ("4" * 44, [])])
async def test_solana(genesis: str, amounts: list[Usdc]) -> None:
    """On Solana the wallet's token account is read, at an endpoint of that cluster only."""
    wallets = WalletBalances(
        Nodes(**{FIRST: Cluster(genesis)}),
        {SOLANA: [solana_question(FIRST, SOLANA)]},
        FakeClock(),
        lambda event: None,
    )
    await wallets.read(Purse("sol", TOKEN_ACCOUNT, SOLANA))

    assert amounts == [held.amount for held in wallets.known()]
