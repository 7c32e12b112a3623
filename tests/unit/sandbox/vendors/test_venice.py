"""Calls at Venice: who is let in, what is served, what it costs."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from sidecar.clock import SystemClock
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import VendorOptions, VeniceOptions
from tests.unit.sandbox.client import Answer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import (
    CHAT,
    OTHER,
    VENICE,
    Customer,
    Solana,
    chat_body,
)
from tests.world.fakes import FakeClock
from tests.world.payment_builder import decode, encode


def options(usd: str = "1", **more: Any) -> SandboxOptions:
    """A sandbox whose wallets have so much at Venice."""
    venice = VeniceOptions(starting_balance_usd=Decimal(usd))
    return SandboxOptions(vendors=VendorOptions(venice=venice), **more)


@pytest.fixture
async def customer(shop: Open) -> Customer:
    """A wallet with a dollar."""
    return Customer(await shop(options()))


def account(customer: Customer) -> Account:
    return customer.buyer.sandbox.vendors.venice.account(customer.wallet.address)


def events(answer: Answer) -> list[Any]:
    """The events of a stream, as JSON; the last is [DONE]."""
    *events, done, nothing = answer.body.split(b"\n\n")
    assert (b"data: [DONE]", b"") == (done, nothing)
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


async def test_models_are_free(customer: Customer) -> None:
    """The list of models needs no credential."""
    answer = await customer.buyer.send("GET", f"{VENICE}/models")

    assert (200, "list") == (answer.status, answer.json["object"])


async def test_call(customer: Customer) -> None:
    """A call is served, tells its cost, and is charged afterwards, exactly."""
    answer = await customer.chat()
    (charged,) = account(customer).charges

    assert 200 == answer.status
    assert {"usd": 0.001, "diem": 0.0} == answer.json["cost"]
    assert "The sandbox heard: Hello" == answer.json["choices"][0]["message"]["content"]
    assert Decimal("0.999") == account(customer).balance == charged.balance_after
    assert (Decimal("0.001"), CHAT) == (charged.amount, charged.path)
    assert (answer.json["id"], "kimi-k2-5") == (charged.request_id, charged.model)
    assert "X-Balance-Remaining" not in answer.headers


async def test_stream(customer: Customer) -> None:
    """A stream ends with a chunk that has no choices, but usage and cost, whatever was asked."""
    answer = await customer.chat(stream=True)
    *chunks, trailer = events(answer)

    assert "text/event-stream" == answer.headers["Content-Type"]
    assert ([], {"usd": 0.001, "diem": 0.0}) == (trailer["choices"], trailer["cost"])
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} == trailer["usage"].keys()
    assert not any("usage" in chunk or "cost" in chunk for chunk in chunks)
    assert "stop" == chunks[-1]["choices"][0]["finish_reason"]
    assert 1 == account(customer).served


async def test_embeddings(customer: Customer) -> None:
    """Embeddings are charged, and tell no cost."""
    body = json.dumps({"model": "e", "input": "x", "encoding_format": "base64"}).encode()
    answer = await customer.send("POST", f"{VENICE}/embeddings", body)

    assert 200 == answer.status
    assert "cost" not in answer.json
    assert Decimal("0.999") == account(customer).balance


@pytest.mark.parametrize("wallet", [OTHER, Solana()])
async def test_wallets_are_apart(customer: Customer, wallet: Any) -> None:
    """Each wallet has an account of its own."""
    other = Customer(customer.buyer, wallet)
    await other.chat()

    assert (0, 1) == (account(customer).served, account(other).served)


async def test_unknown_field(customer: Customer) -> None:
    """A field at the top that Venice does not know is a 400, not charged."""
    answer = await customer.chat(metadata={}, x_sidecar=True)

    assert 400 == answer.status
    assert ["metadata", "x_sidecar"] == list(answer.json["details"])
    assert (0, [400]) == (
        account(customer).served,
        [refused.status for refused in account(customer).refusals],
    )


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model": "x"}'])
async def test_no_sense(customer: Customer, body: bytes) -> None:
    """A request that makes no sense is a 400, not charged."""
    answer = await customer.send("POST", CHAT, body)

    assert (400, 0) == (answer.status, account(customer).served)


@pytest.mark.parametrize("name", ["PAYMENT-SIGNATURE", "X-402-Payment", "X-PAYMENT"])
async def test_payment_header(customer: Customer, name: str) -> None:
    """A payment with a call is refused before anything else is looked at."""
    answer = await customer.buyer.send("POST", CHAT, chat_body(), {name: "e30="})

    assert (400, "PAYMENT_HEADER_NOT_ACCEPTED") == (answer.status, answer.json["code"])


async def test_discovery(customer: Customer) -> None:
    """Without any credential the 402 says how to get one, in body and header alike."""
    answer = await customer.buyer.send("POST", CHAT, chat_body())
    challenge = answer.json["extensions"]["sign-in-with-x"]

    assert 402 == answer.status
    assert answer.json == decode(answer.headers["PAYMENT-REQUIRED"])
    assert "Authentication required" == answer.json["error"]
    assert {"apiKey", "x402Wallet"} == answer.json["authOptions"].keys()
    assert [("eip155:84532", "10000000"), ("solana", "10000000")] == [
        (entry["network"], entry["amount"]) for entry in answer.json["accepts"]
    ]
    assert customer.domain == challenge["info"]["domain"]


async def test_out_of_credit(shop: Open) -> None:
    """Below ten cents a call is a 402 whose header is not its body."""
    customer = Customer(await shop(options("0.09")))
    answer = await customer.chat()
    header = decode(answer.headers["PAYMENT-REQUIRED"])
    sandbox = customer.buyer.sandbox

    assert 402 == answer.status
    assert ("PAYMENT_REQUIRED", "insufficient_balance") == (
        answer.json["code"],
        answer.json["reason"],
    )
    assert (0.09, 0.1, 5, 10) == tuple(
        answer.json[name]
        for name in (
            "currentBalanceUsd",
            "minimumBalanceUsd",
            "minimumTopUpUsd",
            "suggestedTopUpUsd",
        )
    )
    assert sandbox.pay_to == answer.json["topUpInstructions"]["receiverWallet"]
    assert {"x402Version", "error", "resource", "accepts", "extensions"} == header.keys()
    assert ["PAYMENT_REQUIRED"] == [refused.code for refused in account(customer).refusals]


async def test_ten_cents_are_enough(shop: Open) -> None:
    """At ten cents a call is served, and the next one is not."""
    customer = Customer(await shop(options("0.10")))

    assert [200, 402] == [(await customer.chat()).status, (await customer.chat()).status]


async def test_short_of_price(shop: Open) -> None:
    """With ten cents, but less than the price, the 402 is the plain one."""
    venice = VeniceOptions(starting_balance_usd=Decimal("0.2"), price_usd=Decimal("0.3"))
    customer = Customer(await shop(SandboxOptions(vendors=VendorOptions(venice=venice))))
    answer = await customer.chat()

    assert 402 == answer.status
    assert ["error"] == list(answer.json)
    assert answer.json["error"].startswith("Insufficient USD or Diem balance")
    assert "PAYMENT-REQUIRED" not in answer.headers


async def test_diem(customer: Customer) -> None:
    """On demand calls are answered 402 whatever the wallet has."""
    customer.buyer.sandbox.vendors.conduct.add("venice", Misdeed.DIEM_402, times=2)
    statuses = [(await customer.chat()).status for _ in range(3)]

    assert [402, 402, 200] == statuses


async def test_in_flight(shop: Open) -> None:
    """A sixth call of one wallet at a time is refused; another wallet's is not."""
    buyer = await shop(options(handler_delay_s=0.3), SystemClock())
    one, two = Customer(buyer), Customer(buyer, OTHER)
    answers = await asyncio.gather(*(one.chat() for _ in range(7)), two.chat())

    assert [200] * 6 + [429] * 2 == sorted(answer.status for answer in answers)
    assert 200 == answers[-1].status
    assert {"X402_CONCURRENCY_LIMIT"} == {
        answer.json["code"] for answer in answers if answer.status == 429
    }
    assert (5, 5, 0) == (account(one).in_flight_seen, account(one).served, account(one).in_flight)


async def test_balance_header(shop: Open) -> None:
    """The balance header, which Venice documents, is sent where the options say so."""
    venice = VeniceOptions(starting_balance_usd=Decimal("4.23"), balance_header=True)
    customer = Customer(await shop(SandboxOptions(vendors=VendorOptions(venice=venice))))

    assert "4.230000" == (await customer.chat()).headers["X-Balance-Remaining"]


async def test_chunks_arrive_one_by_one(shop: Open) -> None:
    """A stream is written chunk by chunk, with chunk_delay_s between."""
    customer = Customer(await shop(options(chunk_delay_s=0.5)))
    before = customer.buyer.clock.monotonic_s()
    answer = await customer.chat(stream=True)
    after = customer.buyer.clock.monotonic_s()

    assert 0.5 * answer.body.count(b"\n\n") == after - before


async def test_full_books(shop: Open) -> None:
    """A vendor with full books serves nobody."""
    # Two keys, a wallet, and two records for each call.
    customer = Customer(await shop(options(records_max=7)))
    statuses = [(await customer.chat()).status for _ in range(3)]

    assert [200, 200, 503] == statuses


async def test_sign_in_wins_over_a_key(customer: Customer) -> None:
    """With a sign-in and an API key the wallet is charged."""
    await customer.send("POST", CHAT, chat_body(), Authorization="Bearer venice-inference-key")

    assert 1 == account(customer).served


async def test_payments_at_vendors_are_not_strays(customer: Customer) -> None:
    """What a vendor refuses is in the vendor's books, and is no stray of the seller's."""
    payment = encode(customer.build.payload())
    await customer.buyer.send("POST", CHAT, chat_body(), {"PAYMENT-SIGNATURE": payment})

    assert () == customer.buyer.books.presentations
    assert isinstance(customer.buyer.clock, FakeClock)
