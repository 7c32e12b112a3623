"""Buying credit at Venice."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.money import Usdc
from sidecar.sandbox import Outcome, SandboxOptions
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO, VendorOptions, VeniceOptions
from tests.unit.sandbox.client import Answer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import (
    OTHER,
    TOP_UP,
    Customer,
    flat,
)
from tests.world.fakes import FakeClock
from tests.world.payment_builder import STRANGER, Build, decode, encode

CAPTURED = json.loads(
    (Path(__file__).parents[3] / "conformance/vectors/venice-js.json").read_text("utf-8")
)["scenarios"]
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


async def test_terms(customer: Customer) -> None:
    """A bare top-up is a 402 with two rails at the minimum, body and header alike."""
    answer = await customer.buyer.send("POST", TOP_UP)
    evm, solana = answer.json["accepts"]

    assert 402 == answer.status
    assert answer.json == decode(answer.headers["PAYMENT-REQUIRED"])
    assert {"x402Version", "accepts"} == answer.json.keys()
    assert {
        "scheme": "exact",
        "network": "eip155:84532",
        "amount": "5000000",
        "asset": "0x036cbd53842c5426634e7929541ec2318f3dcf7e",
        "payTo": customer.buyer.sandbox.pay_to,
        "maxTimeoutSeconds": 300,
        "extra": {"name": "USDC", "version": "2"},
    } == evm
    assert SOLANA_PAY_TO == solana["payTo"]
    assert {"name", "version", "feePayer"} == solana["extra"].keys()


@pytest.mark.parametrize("name", ["PAYMENT-SIGNATURE", "X-402-Payment", "X-PAYMENT"])
async def test_flat(customer: Customer, name: str) -> None:
    """The SDK's flat payment is taken under any of its three names, and credited to its payer."""
    answer = await customer.pay(name=name)
    (top_up,) = account(customer).top_ups
    data = answer.json["data"]

    assert 200 == answer.status
    assert customer.wallet.address.lower() == data["walletAddress"]
    assert (10, 10, True) == (data["amountCredited"], data["newBalance"], answer.json["success"])
    assert (TEN, Decimal(10), "eip155:84532") == (top_up.amount, top_up.credited, top_up.network)
    assert {
        "success": True,
        "network": "eip155:84532",
        "payer": customer.wallet.address,
        "transaction": top_up.transaction,
    } == decode(answer.headers["PAYMENT-RESPONSE"])
    assert top_up.transaction == customer.buyer.books.settlements[0].transaction
    assert TEN == customer.buyer.books.settled_total == account(customer).paid
    assert 200 == (await customer.chat()).status


async def test_network_in_full(customer: Customer) -> None:
    """The flat payment may name its network as CAIP-2 does."""
    document = flat(customer.build.payload(), "eip155:84532")

    assert 200 == (await present(customer, document)).status


async def test_canonical(customer: Customer) -> None:
    """A v2 payment with the whole entry is taken, for any amount from the minimum on."""
    required = await terms(customer)
    answer = await present(customer, customer.build.v2(required))

    assert 200 == answer.status
    assert TEN == account(customer).paid


async def test_captured_client(shop: Open) -> None:
    """What Venice's own client sent, paid to whom it was paid, is taken."""
    sent = CAPTURED["topUp10"][1]
    header = dict(sent["headers"])["X-402-Payment"]
    authorization = sent["decoded_headers"][0]["decoded"]["payload"]["authorization"]
    clock = FakeClock(datetime.fromtimestamp(int(authorization["validBefore"]) - 299, UTC))
    buyer = await shop(SandboxOptions(network="eip155:8453", pay_to=authorization["to"]), clock)
    answer = await buyer.send("POST", TOP_UP, None, {"X-402-Payment": header})

    assert (200, 10) == (answer.status, answer.json["data"]["amountCredited"])


async def test_somebody_elses_payment(customer: Customer) -> None:
    """The credit goes to the payer in the signature, whoever brings it."""
    other = Customer(customer.buyer, OTHER)
    await customer.pay(other.build)

    assert (Decimal(0), Decimal(10)) == (account(customer).balance, account(other).balance)


async def test_only_once(customer: Customer) -> None:
    """A payment that comes again is answered as before and credited once."""
    build = customer.build
    first, second = await customer.pay(build), await customer.pay(build)

    assert (200, 200) == (first.status, second.status)
    assert first.json == second.json
    assert (1, Decimal(10)) == (len(account(customer).top_ups), account(customer).balance)
    assert [Outcome.SETTLED, Outcome.REPLAYED] == [
        seen.outcome for seen in customer.buyer.books.presentations
    ]
    assert 1 == len(customer.buyer.books.authorizations)


async def test_no_replays(shop: Open) -> None:
    """Where the options say so, it is refused instead."""
    customer = Customer(await shop(options(replays=False)))
    build = customer.build
    await customer.pay(build)
    second = await customer.pay(build)

    assert (400, "PAYMENT_VERIFICATION_FAILED") == (second.status, second.json["error"])


@pytest.mark.parametrize(
    ("kind", "document"),
    [("flat", "flat"), ("canonical", "canonical")],
)
async def test_shapes_can_be_closed(shop: Open, kind: str, document: str) -> None:
    """A shape that the options close is INVALID_PAYMENT_FORMAT, and nothing moves."""
    customer = Customer(await shop(options(**{f"{kind}_payments": False})))
    build = customer.build
    made = flat(build.payload()) if document == "flat" else build.v2(await terms(customer))
    answer = await present(customer, made)

    assert (400, "INVALID_PAYMENT_FORMAT") == (answer.status, answer.json["error"])
    assert () == customer.buyer.books.settlements


Change = Callable[[Build], object]


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("AMOUNT_TOO_LOW", lambda build: flat(replace(build, value=4_999_999).payload())),
        ("AMOUNT_TOO_HIGH", lambda build: flat(replace(build, value=10_000_000_001).payload())),
        ("UNSUPPORTED_NETWORK", lambda build: flat(build.payload(), "base")),
        ("UNSUPPORTED_NETWORK", lambda build: flat(build.payload(), "eip155:8453")),
        ("UNSUPPORTED_SCHEME", lambda build: flat(build.payload()) | {"scheme": "upto"}),
        (
            "INVALID_PAYMENT_RECIPIENT",
            lambda build: flat(replace(build, to=OTHER.address).payload()),
        ),
        ("INVALID_PAYMENT", lambda build: flat(build.payload(), "solana-devnet")),
        ("INVALID_PAYMENT", lambda build: flat({"transaction": "AA=="})),
        ("INVALID_PAYMENT_FORMAT", lambda build: flat(build.payload()) | {"x402Version": 1}),
        ("INVALID_PAYMENT_FORMAT", lambda build: flat(build.payload(), color="red")),
        ("INVALID_PAYMENT_FORMAT", lambda build: flat(build.payload() | {"color": "red"})),
        (
            "INVALID_PAYMENT_FORMAT",
            lambda build: flat(build.payload() | {"signature": build.payload()["signature"][2:]}),
        ),
        ("INVALID_PAYMENT_FORMAT", lambda build: "hello"),
        (
            "PAYMENT_VERIFICATION_FAILED",
            lambda build: flat(replace(build, signer=STRANGER).payload()),
        ),
        (
            "PAYMENT_VERIFICATION_FAILED",
            lambda build: flat(replace(build, domain={"name": "USD Coin"}).payload()),
        ),
        (
            "PAYMENT_VERIFICATION_FAILED",
            lambda build: flat(replace(build, valid_for_s=5).payload()),
        ),
        (
            "PAYMENT_VERIFICATION_FAILED",
            lambda build: flat(replace(build, valid_for_s=601).payload()),
        ),
        (
            "PAYMENT_VERIFICATION_FAILED",
            lambda build: flat(replace(build, valid_after=build.now_s + 1).payload()),
        ),
        (
            "PAYMENT_VERIFICATION_FAILED",
            lambda build: flat(replace(build, value=200_000_000).payload()),
        ),
        (
            "PAYMENT_VERIFICATION_FAILED",
            lambda build: flat(replace(build, to=build.to.lower()).payload()),
        ),
    ],
)
async def test_refused(customer: Customer, expected: str, change: Change) -> None:
    """A payment with one thing wrong is a 400 with the code for it, and nothing moves."""
    answer = await present(customer, change(customer.build))

    assert (400, expected) == (answer.status, answer.json["error"])
    assert () == customer.buyer.books.settlements
    assert [(400, expected)] == [
        (refused.status, refused.code)
        for refused in customer.buyer.sandbox.vendors.venice.books.refusals
    ]


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("UNSUPPORTED_TOKEN", {"asset": "0x" + "33" * 20}),
        ("INVALID_PAYMENT_RECIPIENT", {"payTo": OTHER.address}),
        ("INVALID_PAYMENT", {"amount": "10000000"}),
        ("INVALID_PAYMENT", {"maxTimeoutSeconds": 300.0}),
        ("INVALID_PAYMENT", {"extra": {}}),
        ("UNSUPPORTED_SCHEME", {"scheme": "upto"}),
    ],
)
async def test_canonical_refused(
    customer: Customer, expected: str, change: dict[str, object]
) -> None:
    """What was accepted must be what was offered, whole."""
    required = await terms(customer)
    document = customer.build.v2(required)
    document["accepted"] = document["accepted"] | change

    assert expected == (await present(customer, document)).json["error"]


async def test_two_payments(customer: Customer) -> None:
    """Two payment headers are refused."""
    header = encode(flat(customer.build.payload()))
    answer = await customer.buyer.send(
        "POST", TOP_UP, None, {"PAYMENT-SIGNATURE": header, "X-402-Payment": header}
    )

    assert "INVALID_PAYMENT_FORMAT" == answer.json["error"]


@pytest.mark.parametrize("header", ["e31=", "!", "", "e30", "bnVsbA==", "eyJ4NDAyVmVyc2lvbiI6Mn0="])
async def test_no_payment(customer: Customer, header: str) -> None:
    """What is not canonical base64 of a payment is INVALID_PAYMENT_FORMAT."""
    answer = await customer.buyer.send("POST", TOP_UP, None, {"X-PAYMENT": header})

    assert (400, "INVALID_PAYMENT_FORMAT") == (answer.status, answer.json["error"])


async def test_stray_bits(customer: Customer) -> None:
    """Base64 with stray bits stands for the same bytes, and is refused all the same."""
    made = flat(customer.build.payload())
    text = json.dumps(made)
    # A blank more or two make the base64 end in padding; a blank in JSON says nothing.
    padded = (base64.b64encode((text + " " * blanks).encode()).decode() for blanks in range(3))
    header = next(found for found in padded if found.endswith("="))
    padding = len(header) - len(header.rstrip("="))
    last = len(header) - padding - 1
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = header[:last] + alphabet[alphabet.index(header[last]) + 1] + header[last + 1 :]
    answer = await customer.buyer.send("POST", TOP_UP, None, {"PAYMENT-SIGNATURE": stray})

    assert padding
    assert (400, "INVALID_PAYMENT_FORMAT") == (answer.status, answer.json["error"])


async def test_no_body(customer: Customer) -> None:
    """A top-up has no body."""
    assert 400 == (await customer.buyer.send("POST", TOP_UP, b"{}")).status


async def test_rate(shop: Open) -> None:
    """Ten requests a minute; the eleventh is a 429, and a minute later it goes on."""
    customer = Customer(await shop())
    statuses = [(await customer.buyer.send("POST", TOP_UP)).status for _ in range(11)]
    customer.buyer.clock.advance(60)

    assert [402] * 10 + [429] == statuses
    assert 402 == (await customer.buyer.send("POST", TOP_UP)).status


async def test_chain_reverts(customer: Customer) -> None:
    """A payment that is good, and that the chain then refuses, is SETTLEMENT_FAILED."""
    build = customer.build
    told(customer, Misdeed.TOP_UP_SLOW, seconds=130)
    answer = await customer.pay(build)

    assert (402, "SETTLEMENT_FAILED") == (answer.status, answer.json["error"])
    assert 0 == account(customer).balance
