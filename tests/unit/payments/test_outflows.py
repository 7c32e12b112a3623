"""What left a wallet is read whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sidecar.chains import SOLANA_DEVNET, usdc_on
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.payments.outflows import (
    PAGE_ENTRIES,
    PAGES_MAX,
    SPANS_MAX,
    Mark,
    Outflow,
    evm_outflows,
    mark_near,
    solana_outflows,
)
from sidecar.sandbox.chain import Chain, Transfer
from sidecar.sandbox.node import Node
from sidecar.wallets.solana import SolanaWallet
from tests.world.exchanges import answered, hold, question_in
from tests.world.fakes import NOON, FakeClock

URL = "http://127.0.0.1:8545"
BASE = usdc_on("eip155:84532")
PAYER = "0x" + "11" * 20
PAYEE = "0xbA75b619192eC89Dcf3d91F0224766c730d70eF6"
HOUR = timedelta(hours=1)
MINT = usdc_on(SOLANA_DEVNET)
WALLET = SolanaWallet(bytes(range(32)), {})
ACCOUNT = WALLET.usdc_account(SOLANA_DEVNET)


class EvmWorld:
    """A chain with transfers on it."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON - 3 * HOUR)
        self.chain = Chain(
            BASE, self.clock, starting_balance=Usdc(1_000_000), payee=PAYEE, finality_s=2
        )
        self.clock.set_wall(NOON)
        self.node = Node(self.chain, logs_range_max=2_000)

    def pay(self, value: int, nonce: int, payer: str = PAYER) -> str:
        ends_at = int(self.clock.now().timestamp()) + 60
        word = f"0x{nonce:064x}"
        settled = self.chain.settle(Transfer(payer, PAYEE, value, 0, ends_at, word))
        self.clock.advance(60)
        return settled.transaction.hash  # type: ignore[union-attr]  # it settles

    def __call__(self, request: HttpRequest) -> HttpResponse:
        method, params = question_in(request)
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return answered(self.node.answer(question)["result"])

    def ask(self, **changes: Any) -> tuple[Outflow, ...]:
        return hold(evm_outflows(URL, BASE, PAYER, NOON, **changes), self)


def test_evm() -> None:
    """Every transfer from the address is told, of nobody else's, with its payee and amount."""
    world = EvmWorld()
    first, second = world.pay(100, 1), world.pay(250, 2)
    world.pay(999, 3, payer="0x" + "22" * 20)

    assert {
        Outflow(first, Usdc(100), PAYEE.lower()),
        Outflow(second, Usdc(250), PAYEE.lower()),
    } == {Outflow(each.transaction, each.amount, each.payee.lower()) for each in world.ask()}


def test_evm_since() -> None:
    """On a chain that is longer than a span, what is long before is left alone."""
    world = EvmWorld()
    world.clock.set_wall(NOON - HOUR)
    world.pay(100, 1)
    world.clock.set_wall(NOON + 10 * HOUR)
    late = world.pay(250, 2)
    found = hold(evm_outflows(URL, BASE, PAYER, NOON + 9 * HOUR), world)

    assert [late] == [each.transaction for each in found]


def test_evm_young() -> None:
    """A chain that fits into one span is read from its start."""
    world = EvmWorld()
    world.node = Node(world.chain, logs_range_max=10**9)
    paid = world.pay(100, 1)

    assert [paid] == [each.transaction for each in world.ask(span_blocks=10**9)]


def test_mark_on_a_young_chain() -> None:
    """On a chain too young to have a pace, a time is its start, whatever time it is."""

    def young(request: HttpRequest) -> HttpResponse:
        assert ("eth_getBlockByNumber", ["0x0", False]) == question_in(request)
        return answered({"number": "0x0", "timestamp": "0x5"})

    assert Mark(0, 5) == hold(mark_near(URL, BASE, 700, Mark(1_000, 900)), young)


def test_evm_too_long() -> None:
    """A time of too many blocks is refused, rather than read in part."""
    world = EvmWorld()
    world.clock.set_wall(NOON + 30 * HOUR)

    with pytest.raises(RemoteProtocolError, match=f"over {SPANS_MAX * 10} blocks"):
        world.ask(span_blocks=10)


def test_evm_other_chain() -> None:
    """An endpoint of another chain has nothing to say."""
    world = EvmWorld()
    base = usdc_on("eip155:8453")

    with pytest.raises(RemoteProtocolError, match="another chain"):
        hold(evm_outflows(URL, base, PAYER, NOON), world)


class SolanaWorld:
    """A history of token changes, newest first: seconds ago, change, failed."""

    genesis = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"

    def __init__(self, *history: tuple[float | None, int, bool]) -> None:
        self.history = history

    def __call__(self, request: HttpRequest) -> HttpResponse:
        method, params = question_in(request)
        match method:
            case "getGenesisHash":
                return answered(self.genesis)
            case "getEpochInfo":
                return answered({"absoluteSlot": 10_000, "blockHeight": 9_000})
            case "getSignaturesForAddress":
                return answered(self._page(params[1]))
            case _:
                return answered(self._transaction(params[0]))

    def _page(self, config: dict[str, Any]) -> list[dict[str, Any]]:
        start = self._at(config["before"]) + 1 if "before" in config else 0
        chosen = enumerate(self.history[start : start + config["limit"]], start)
        return [
            {
                "signature": self._signature(position),
                "slot": 9_000 - position,
                "err": {"InstructionError": [0, "Custom"]} if failed else None,
                "confirmationStatus": "finalized",
                "blockTime": None if ago is None else int(NOON.timestamp() - ago),
            }
            for position, (ago, _, failed) in chosen
        ]

    def _signature(self, position: int) -> str:
        return "5" * 84 + "".join("123456789A"[int(digit)] for digit in f"{position:04}")

    def _at(self, signature: str) -> int:
        return int("".join(str("123456789A".index(char)) for char in signature[-4:]))

    def _transaction(self, signature: str) -> dict[str, Any]:
        change = self.history[self._at(signature)][1]

        def held(amount: int) -> list[dict[str, Any]]:
            other = {"owner": "someone", "mint": MINT.address, "uiTokenAmount": {"amount": "7"}}
            ours = {"owner": WALLET.address, "mint": MINT.address}
            return [other, {**ours, "uiTokenAmount": {"amount": str(amount)}}]

        meta = {"preTokenBalances": held(10_000), "postTokenBalances": held(10_000 + change)}
        return {"meta": meta}

    def ask(self) -> tuple[Outflow, ...]:
        exchange = solana_outflows(URL, MINT, WALLET.address, ACCOUNT, NOON - HOUR)
        return hold(exchange, self)


def amounts(world: Callable[[HttpRequest], HttpResponse]) -> list[int]:
    assert isinstance(world, SolanaWorld)
    return [outflow.amount.atomic for outflow in world.ask()]


def test_solana() -> None:
    """What left the owner is told; what came, and what failed, is not."""
    world = SolanaWorld((10, -100, False), (20, 500, False), (30, -250, True), (40, -7, False))

    assert [100, 7] == amounts(world)


def test_solana_since() -> None:
    """The walk ends at the first entry that is too old; one without a time does not end it."""
    world = SolanaWorld((10, -1, False), (None, -2, False), (4_000, -4, False), (10, -8, False))

    assert [1, 2] == amounts(world)


def test_solana_pages() -> None:
    """A history of several pages is walked to its end."""
    world = SolanaWorld(*[(10, -1, False)] * (PAGE_ENTRIES + 3))

    assert [1] * (PAGE_ENTRIES + 3) == amounts(world)


def test_solana_too_long() -> None:
    """A history of too many pages is refused, rather than read in part."""
    world = SolanaWorld(*[(10, 0, True)] * (PAGE_ENTRIES * PAGES_MAX))

    with pytest.raises(RemoteProtocolError, match="too long"):
        world.ask()


def test_solana_other_cluster() -> None:
    """An endpoint of another cluster has nothing to say."""
    world = SolanaWorld()
    world.genesis = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"

    with pytest.raises(RemoteProtocolError, match="another chain"):
        world.ask()
