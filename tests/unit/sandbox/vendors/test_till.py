"""The till, as Venice has it: over Solana, and misbehaving."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from sidecar.clock import SystemClock
from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO, VendorOptions, VeniceOptions
from tests.unit.sandbox.client import Answer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import (
    TOP_UP,
    Customer,
    Solana,
    flat,
    solana_transaction,
)
from tests.world.payment_builder import decode, encode

TEN = Usdc(10_000_000)


def options(**more: Any) -> SandboxOptions:
    venice = VeniceOptions(top_ups_per_minute=1_000, **more)
    return SandboxOptions(vendors=VendorOptions(venice=venice))


@pytest.fixture
async def customer(shop: Open) -> Customer:
    return Customer(await shop(options()))


def account(customer: Customer) -> Account:
    return customer.buyer.sandbox.vendors.venice.account(customer.wallet.address)


def told(customer: Customer, misdeed: Misdeed, **more: Any) -> None:
    customer.buyer.sandbox.vendors.conduct.add("venice", misdeed, **more)


async def terms(customer: Customer) -> dict[str, Any]:
    answer = await customer.buyer.send("POST", TOP_UP)
    assert 402 == answer.status
    return decode(answer.headers["PAYMENT-REQUIRED"])


async def present(customer: Customer, document: object, **more: str) -> Answer:
    headers = {"PAYMENT-SIGNATURE": encode(document), **more}
    return await customer.buyer.send("POST", TOP_UP, None, headers)


async def test_solana(customer: Customer) -> None:
    """A Solana payment is settled on the sandbox's Solana, and credited to its owner."""
    payer = Customer(customer.buyer, Solana())
    ledger = customer.buyer.sandbox.solana
    transaction = solana_transaction(ledger, Solana(), SOLANA_PAY_TO, 7_000_000)
    document = flat({"transaction": transaction}, "solana-devnet")
    answer = await present(customer, document)
    again = await present(customer, document)
    (top_up,) = account(payer).top_ups

    assert (200, 7) == (answer.status, answer.json["data"]["newBalance"])
    assert payer.wallet.address == answer.json["data"]["walletAddress"]
    assert answer.json == again.json
    assert 7_000_000 == ledger.balance(SOLANA_PAY_TO)
    assert (payer.wallet.network, Usdc(7_000_000)) == (top_up.network, top_up.amount)
    assert 200 == (await payer.chat()).status


async def test_solana_canonical(customer: Customer) -> None:
    """The v2 shape is taken, too."""
    required = await terms(customer)
    transaction = solana_transaction(
        customer.buyer.sandbox.solana, Solana(), SOLANA_PAY_TO, 5_000_000
    )
    document = {
        "x402Version": 2,
        "accepted": required["accepts"][1],
        "payload": {"transaction": transaction},
    }

    assert 200 == (await present(customer, document)).status


@pytest.mark.parametrize(("amount", "pay_to"), [(4_999_999, SOLANA_PAY_TO), (5_000_000, None)])
async def test_solana_refused(customer: Customer, amount: int, pay_to: str | None) -> None:
    """Too little, or to somebody else, is refused."""
    ledger = customer.buyer.sandbox.solana
    transaction = solana_transaction(ledger, Solana(), pay_to or Solana().address, amount)
    answer = await present(customer, flat({"transaction": transaction}, "solana-devnet"))

    assert (400, "PAYMENT_VERIFICATION_FAILED") == (answer.status, answer.json["error"])


async def test_taken_but_402(customer: Customer) -> None:
    """On demand the money is taken and the vendor says that settling failed, every time."""
    told(customer, Misdeed.TOP_UP_TAKEN_BUT_402)
    build = customer.build
    answers = [await customer.pay(build), await customer.pay(build)]

    assert [(402, "SETTLEMENT_FAILED")] * 2 == [
        (answer.status, answer.json["error"]) for answer in answers
    ]
    assert (TEN, Decimal(0)) == (account(customer).paid, account(customer).balance)
    assert 402 == (await customer.chat()).status


async def test_uncredited(customer: Customer) -> None:
    """On demand the money is taken, the answer is good, and nothing is credited."""
    told(customer, Misdeed.TOP_UP_UNCREDITED)
    answer = await customer.pay()

    assert (200, 10, 0) == (
        answer.status,
        answer.json["data"]["amountCredited"],
        answer.json["data"]["newBalance"],
    )
    assert (TEN, Decimal(0)) == (account(customer).paid, account(customer).balance)
    assert 402 == (await customer.chat()).status


async def test_refused_on_demand(customer: Customer) -> None:
    """On demand settling fails so many times, and then the same payment is good."""
    told(customer, Misdeed.TOP_UP_REFUSED, times=2)
    build = customer.build
    statuses = [(await customer.pay(build)).status for _ in range(3)]

    assert [402, 402, 200] == statuses
    assert 1 == len(customer.buyer.books.settlements)


async def test_409_on_demand(customer: Customer) -> None:
    """On demand a payment is called in progress; nothing moved, and it is good when it returns."""
    told(customer, Misdeed.TOP_UP_409)
    build = customer.build
    first = await customer.pay(build)
    moved = customer.buyer.books.settlements
    second = await customer.pay(build)

    assert (409, "PAYMENT_IN_PROGRESS", ()) == (first.status, first.json["error"], moved)
    assert 200 == second.status


async def test_503_on_demand(customer: Customer) -> None:
    """On demand nothing is for sale."""
    told(customer, Misdeed.TOP_UP_NOT_CONFIGURED)
    answer = await customer.pay()

    assert (503, "X402_NOT_CONFIGURED") == (answer.status, answer.json["error"])


@pytest.mark.parametrize("seconds", [0, 60])
async def test_timeout_after_settle(customer: Customer, seconds: int) -> None:
    """On demand a payment settles, the answer is 504, and the credit comes then or later."""
    told(customer, Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE, seconds=seconds)
    build = customer.build
    first = await customer.pay(build)
    early = await customer.pay(build)
    before = account(customer).balance
    customer.buyer.clock.advance(seconds)
    late = await customer.pay(build)

    assert (504, "SETTLEMENT_TIMEOUT") == (first.status, first.json["error"])
    assert (409 if seconds else 200) == early.status
    assert Decimal(0 if seconds else 10) == before
    assert (200, Decimal(10)) == (late.status, account(customer).balance)
    assert 1 == len(account(customer).top_ups) == len(customer.buyer.books.settlements)


async def test_slow(shop: Open) -> None:
    """While a slow payment is being settled, the same one is in progress, and counted once."""
    customer = Customer(await shop(options(), SystemClock()))
    told(customer, Misdeed.TOP_UP_SLOW, seconds=0.3)
    build = customer.build
    first = asyncio.create_task(customer.pay(build))
    await asyncio.sleep(0.1)
    second = await customer.pay(build)

    assert (409, 200) == (second.status, (await first).status)
    assert Decimal(10) == account(customer).balance
