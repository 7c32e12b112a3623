"""Permits are good once, at the owner's next nonce, and leave what was not taken of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.chains import usdc_on
from sidecar.money import Usdc
from sidecar.sandbox import PAY_TO, Chain, Reverted, Settled
from sidecar.sandbox.chain import INSUFFICIENT
from sidecar.sandbox.permits import (
    OVER_ALLOWANCE,
    PERMIT_EXPIRED,
    PERMIT_NONCE,
    Permit,
    Pull,
)
from tests.unit.sandbox.client import Buyer
from tests.world.fakes import NOON, FakeClock

OWNER = "0x" + "Aa" * 20
SPENDER = "0x" + "bB" * 20
PAYEE = "0x" + "cC" * 20
NOW_S = int(NOON.timestamp())
START = 1_000_000


def pull(nonce: int = 0, *, value: int = 900, amount: int = 300, life_s: int = 60) -> Pull:
    return Pull(Permit(OWNER, SPENDER, value, nonce, NOW_S + life_s), PAYEE, amount)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def chain(clock: FakeClock) -> Chain:
    """A chain on which everybody starts with one USDC."""
    return Chain(
        usdc_on("eip155:84532"),
        clock,
        starting_balance=Usdc(START),
        payee=PAY_TO,
        finality_s=2,
    )


def state(chain: Chain) -> tuple[int, int, int, int]:
    """The owner's nonce, the allowance left, and what owner and payee hold."""
    head = chain.head()
    return (
        chain.nonce(OWNER, head),
        chain.allowance(OWNER, SPENDER, head),
        chain.balance(OWNER, head).atomic,
        chain.balance(PAYEE, head).atomic,
    )


def test_pull(chain: Chain) -> None:
    """A pull uses the nonce, moves what it takes, and leaves the rest allowed."""
    settled = chain.pull(pull())

    assert isinstance(settled, Settled)
    assert (1, 600, START - 300, START + 300) == state(chain)
    assert (settled.transaction,) == chain.transfers()
    assert settled.transaction == chain.find(settled.transaction.hash)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (pull(1), PERMIT_NONCE),
        (pull(amount=901), OVER_ALLOWANCE),
        (pull(life_s=-1), PERMIT_EXPIRED),
        (pull(value=2 * START, amount=START + 1), INSUFFICIENT),
    ],
)
def test_refused(chain: Chain, bad: Pull, reason: str) -> None:
    """What the token refuses changes nothing, and leaves the nonce to be used."""
    assert Reverted(reason) == chain.pull(bad)
    assert (0, 0, START, START) == state(chain)
    assert isinstance(chain.pull(pull()), Settled)


def test_deadline_included(chain: Chain) -> None:
    """A permit is good in the very second of its deadline."""
    assert isinstance(chain.pull(pull(life_s=0)), Settled)


def test_once(chain: Chain) -> None:
    """The same permit works once; the next overwrites what was left."""
    chain.pull(pull())

    assert Reverted(PERMIT_NONCE) == chain.pull(pull())
    assert isinstance(chain.pull(pull(1, value=50, amount=50)), Settled)
    assert (2, 0, START - 350, START + 350) == state(chain)


def test_promised(chain: Chain, clock: FakeClock) -> None:
    """A pull that was promised lands when it is due, and says what became of it."""
    good, late = chain.promise(pull(), delay_s=3), chain.promise(pull(), delay_s=4)
    early = (good.outcome, chain.nonce(OWNER, chain.head()))
    clock.advance(10)
    chain.head()

    assert (None, 0) == early
    assert isinstance(good.outcome, Settled)
    assert NOW_S + 3 == good.outcome.transaction.block.timestamp
    assert Reverted(PERMIT_NONCE) == late.outcome


def test_past_blocks(chain: Chain, clock: FakeClock) -> None:
    """Nonce, allowance and balance are as of the block that is asked for."""
    before = chain.head()
    clock.advance(5)
    chain.pull(pull())

    assert (0, 0) == (chain.nonce(OWNER, before), chain.allowance(OWNER, SPENDER, before))
    assert 0 == chain.allowance(OWNER, PAYEE, chain.head())
    assert 0 == chain.nonce(PAYEE, chain.head())
    assert Usdc(START) == chain.balance(OWNER, before)


def test_no_authorization(chain: Chain) -> None:
    """A permit's nonce is none of an EIP-3009 authorization's."""
    chain.pull(pull())

    assert chain.use_of(OWNER, "0x" + "0" * 64) is None


# --- over JSON-RPC ---


def word(value: str | int) -> str:
    digits = f"{value:x}" if isinstance(value, int) else value.removeprefix("0x").lower()
    return digits.rjust(64, "0")


async def rpc(buyer: Buyer, method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    answer = (await buyer.send("POST", "/rpc", body.encode())).json
    return answer["result"] if "result" in answer else answer["error"]["code"]


async def call(buyer: Buyer, data: str, tag: str = "latest") -> Any:
    to = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
    return await rpc(buyer, "eth_call", {"to": to, "data": data}, tag)


async def test_rpc_state(buyer: Buyer) -> None:
    """nonces(owner) and allowance(owner, spender) are read as from any token."""
    nonces, allowance = "0x7ecebe00" + word(OWNER), "0xdd62ed3e" + word(OWNER) + word(SPENDER)
    buyer.sandbox.chain.pull(pull())

    assert "0x" + word(1) == await call(buyer, nonces)
    assert "0x" + word(0) == await call(buyer, nonces, "finalized")
    assert "0x" + word(600) == await call(buyer, allowance)
    buyer.clock.advance(2)
    assert "0x" + word(1) == await call(buyer, nonces, "finalized")
    assert 3 == await call(buyer, "0x7ecebe00")
    assert 3 == await call(buyer, allowance[:-2])


async def test_rpc_logs(buyer: Buyer) -> None:
    """A pull leaves Approval, of all that was permitted, and Transfer, of what was taken."""
    settled = buyer.sandbox.chain.pull(pull())
    assert isinstance(settled, Settled)
    approval, transfer = await rpc(
        buyer, "eth_getLogs", {"fromBlock": "safe", "toBlock": "latest", "topics": []}
    )
    receipt = await rpc(buyer, "eth_getTransactionReceipt", settled.transaction.hash)

    assert [
        "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
        "0x" + word(OWNER),
        "0x" + word(SPENDER),
    ] == approval["topics"]
    assert [
        "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        "0x" + word(OWNER),
        "0x" + word(PAYEE),
    ] == transfer["topics"]
    assert (900, 300) == (int(approval["data"], 16), int(transfer["data"], 16))
    assert [approval, transfer] == receipt["logs"]
