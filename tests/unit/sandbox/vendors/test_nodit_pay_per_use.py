"""Nodit by the call."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sidecar.clock import SystemClock
from sidecar.money import Usdc
from sidecar.sandbox.vendors.conduct import Misdeed
from tests.unit.sandbox.client import Answer, Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import Customer
from tests.world.payment_builder import Build, decode, encode

BLOCK = "/nodit/pay-per-use/v1/ethereum/mainnet/blockchain/getBlockByHashOrNumber"
NODE = "/nodit/pay-per-use/ethereum/mainnet/json-rpc"
RPC = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}


async def ask(buyer: Buyer, path: str = BLOCK, document: object = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({} if document is None else document).encode()
    return await buyer.send("POST", path, body, named)


async def terms(buyer: Buyer, path: str = BLOCK, document: object = None) -> dict[str, Any]:
    answer = await ask(buyer, path, document)
    assert (402, {}) == (answer.status, answer.json)
    return decode(answer.headers["PAYMENT-REQUIRED"])


def build(buyer: Buyer, **changed: Any) -> Build:
    made = replace(Customer(buyer).build, value=1_000, valid_for_s=60)
    return replace(made, **changed)


async def pay(buyer: Buyer, document: object, path: str = BLOCK) -> Answer:
    return await ask(buyer, path, PAYMENT_SIGNATURE=encode(document))


async def test_terms(buyer: Buyer) -> None:
    """Every 402 has an acceptId of its own for each entry."""
    first, second = await terms(buyer), await terms(buyer)
    entries = [entry for found in (first, second) for entry in found["accepts"]]

    assert 4 == len({entry["extra"]["acceptId"] for entry in entries})
    assert {("1000", 60, "ppu")} == {
        (entry["amount"], entry["maxTimeoutSeconds"], entry["extra"]["mode"]) for entry in entries
    }


async def test_paid(buyer: Buyer) -> None:
    """A paid call is answered with a receipt, and leaves no credit."""
    answer = await pay(buyer, build(buyer).v2(await terms(buyer)))
    account = buyer.sandbox.vendors.nodit.account(build(buyer).payer)

    assert 200 == answer.status
    assert "getBlockByHashOrNumber" == answer.json["operation"]
    assert buyer.books.settlements[0].transaction == answer.receipt["transaction"]
    assert (Usdc(1_000), 1, Decimal(0)) == (account.paid, account.served, account.balance)


async def test_batch(buyer: Buyer) -> None:
    """A batch costs the sum of its calls where that is more than the minimum."""
    small = await terms(buyer, NODE, [RPC] * 10)
    large = await terms(buyer, NODE, [RPC] * 11)

    assert ("1000", "1100") == (small["accepts"][0]["amount"], large["accepts"][0]["amount"])


async def test_accept_id_once(buyer: Buyer) -> None:
    """An acceptId buys one call, also for another payment."""
    required = await terms(buyer)
    first = await pay(buyer, build(buyer, nonce="0x" + "01" * 32).v2(required))
    second = await pay(buyer, build(buyer, nonce="0x" + "02" * 32).v2(required))

    assert [200, 402] == [first.status, second.status]
    assert 1 == len(buyer.books.settlements)


async def test_payment_once(buyer: Buyer) -> None:
    """A payment buys one call, also with another acceptId."""
    first = await pay(buyer, build(buyer).v2(await terms(buyer)))
    second = await pay(buyer, build(buyer).v2(await terms(buyer)))

    assert [200, 402] == [first.status, second.status]


async def test_for_its_own_request(buyer: Buyer) -> None:
    """An acceptId is good for the request that it was made for."""
    required = await terms(buyer, NODE, RPC)

    assert 402 == (await pay(buyer, build(buyer).v2(required))).status


async def test_accept_id_ends(buyer: Buyer) -> None:
    """An acceptId is good for five minutes."""
    required = await terms(buyer)
    buyer.clock.advance(299)
    early = await pay(buyer, build(buyer).v2(required))
    required = await terms(buyer)
    buyer.clock.advance(300)
    late = await pay(buyer, build(buyer, nonce="0x" + "02" * 32).v2(required))

    assert [200, 402] == [early.status, late.status]


@pytest.mark.parametrize("changed", [{"acceptId": "0" * 32}, {"mode": "credit"}, {"more": "1"}])
async def test_echo(buyer: Buyer, changed: dict[str, str]) -> None:
    """The entry comes back whole, acceptId and all."""
    document = build(buyer).v2(await terms(buyer))
    document["accepted"]["extra"] |= changed

    assert 402 == (await pay(buyer, document)).status
    assert () == buyer.books.settlements


@pytest.mark.parametrize("changed", [{"value": 999}, {"valid_for_s": 66}, {"valid_for_s": 5}])
async def test_bad_payment(buyer: Buyer, changed: dict[str, Any]) -> None:
    """A bad payment is a new 402 with the reason, and the same acceptId is still good."""
    required = await terms(buyer)
    bad = await pay(buyer, build(buyer, **changed).v2(required))

    assert 402 == bad.status
    assert decode(bad.headers["PAYMENT-REQUIRED"])["error"].startswith("invalid_exact_evm")
    assert 200 == (await pay(buyer, build(buyer).v2(required))).status


async def test_refused(buyer: Buyer) -> None:
    """A body that makes no sense is a 400, as is a payment under another name."""
    assert 400 == (await ask(buyer, document=[])).status
    assert 400 == (await ask(buyer, X_PAYMENT="e30=")).status
    assert 402 == (await ask(buyer, PAYMENT_SIGNATURE="e30=")).status


@pytest.mark.parametrize(
    ("misdeed", "status", "moved"),
    [
        (Misdeed.TOP_UP_REFUSED, 402, 0),
        (Misdeed.TOP_UP_409, 409, 0),
        (Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE, 504, 1),
    ],
)
async def test_misconduct(buyer: Buyer, misdeed: Misdeed, status: int, moved: int) -> None:
    """Misdeeds strike payments by the call, too."""
    buyer.sandbox.vendors.conduct.add("nodit", misdeed)
    answer = await pay(buyer, build(buyer).v2(await terms(buyer)))

    assert (status, moved) == (answer.status, len(buyer.books.settlements))


async def test_two_at_a_time(shop: Open) -> None:
    """Two payments with one acceptId at a time buy one call."""
    buyer = await shop(None, SystemClock())
    buyer.sandbox.vendors.conduct.add("nodit", Misdeed.TOP_UP_SLOW, seconds=0.3, times=2)
    required = await terms(buyer)
    payments = [build(buyer, nonce=f"0x{number:064x}").v2(required) for number in (1, 2)]
    answers = await asyncio.gather(*(pay(buyer, payment) for payment in payments))

    assert [200, 402] == sorted(answer.status for answer in answers)
    assert 1 == len(buyer.books.settlements)
