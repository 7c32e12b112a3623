"""Nodit: charges."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO, NoditOptions, VendorOptions
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.member import (
    AMOUNT,
    BALANCE,
    BLOCK,
    CHARGE,
    Member,
    told,
)
from tests.unit.sandbox.vendors.wallets import (
    OTHER,
    Customer,
    Solana,
    solana_transaction,
)
from tests.world.payment_builder import decode


@pytest.fixture
async def member(buyer: Buyer) -> Member:
    """A wallet that is signed in and has no credit."""
    return await Member(Customer(buyer)).sign_in()


async def test_terms(member: Member) -> None:
    """A bare charge is a 402 whose terms stand in the header alone."""
    answer = await member.send(CHARGE, {"amount": "1000000"})
    evm, solana = decode(answer.headers["PAYMENT-REQUIRED"])["accepts"]

    assert (402, {}) == (answer.status, answer.json)
    assert {
        "network": "eip155:84532",
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "payTo": member.buyer.sandbox.pay_to,
        "amount": "1000000",
        "maxTimeoutSeconds": 3600,
        "scheme": "exact",
        "extra": {"name": "USDC", "version": "2"},
    } == evm
    assert {"name", "version", "feePayer"} == solana["extra"].keys()
    assert "maxTimeoutSeconds" not in solana


async def test_charge(member: Member) -> None:
    """A charge buys credit, which then pays for calls."""
    answer = await member.charge()
    (top_up,) = member.account.top_ups

    assert 200 == answer.status
    assert {
        "balance": AMOUNT,
        "paymentResponse": {"txHash": top_up.transaction},
    } == answer.json
    assert (Usdc(AMOUNT), Decimal(AMOUNT)) == (top_up.amount, top_up.credited)
    assert 200 == (await member.send(BLOCK, {})).status
    assert {"balance": AMOUNT - 100} == (await member.send(BALANCE)).json


async def test_mainnet_domain(shop: Open) -> None:
    """On Base the terms say "USDC", and only a signature over "USD Coin" is good."""
    buyer = await shop(SandboxOptions(network="eip155:8453"))
    member = Member(Customer(buyer))
    answer = await member.auth(replace(member.text, chain_id="8453"))
    member.token = answer.json["accessToken"]
    naive = await member.charge(replace(member.build, domain={"name": "USDC"}))
    right = await member.charge()

    assert "USDC" == (await member.terms())["accepts"][0]["extra"]["name"]
    assert (402, 200) == (naive.status, right.status)


async def test_documented_resource(member: Member) -> None:
    """The resource may also be named as the documents name it."""
    document = await member.document()
    document["resource"]["url"] = "https://x402.nodit.io/credit/charge"

    assert 200 == (await member.present(document)).status


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": 1000000}, "INVALID_ARGUMENT"),
        ({"amount": "1.0"}, "INVALID_ARGUMENT"),
        ({"amount": "0"}, "INVALID_ARGUMENT"),
        ({}, "INVALID_ARGUMENT"),
        ({"amount": "1000000", "more": 1}, "INVALID_ARGUMENT"),
        ({"amount": "9999"}, "AMOUNT_TOO_LOW"),
    ],
)
async def test_bad_amount(member: Member, body: object, code: str) -> None:
    """The amount is atomic units in a string, and at least the minimum."""
    answer = await member.send(CHARGE, body)

    assert (400, code) == (answer.status, answer.json["code"])


async def test_minimum(member: Member) -> None:
    """The minimum itself is enough."""
    assert 200 == (await member.charge(replace(member.build, value=10_000))).status


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """The document without what is at this path."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    *folders, name = path
    place = changed
    for folder in folders:
        place = place[folder]
    del place[name]
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda document: without(document, "accepted", "maxTimeoutSeconds"),
        lambda document: without(document, "accepted", "extra", "version"),
        lambda document: without(document, "accepted"),
        lambda document: without(document, "resource"),
        lambda document: without(document, "resource", "description"),
        lambda document: document | {"accepted": document["accepted"] | {"more": 1}},
        lambda document: document | {"accepted": document["accepted"] | {"amount": "10000"}},
        lambda document: document | {"resource": document["resource"] | {"url": "https://a/b"}},
        lambda document: document | {"x402Version": 1},
        lambda document: document | {"payload": {"transaction": "AA=="}},
        lambda document: {
            "x402Version": 2,
            "scheme": "exact",
            "network": "eip155:84532",
            "payload": document["payload"],
        },
        lambda document: [],
    ],
)
async def test_malformed(member: Member, change: Callable[[Any], object]) -> None:
    """A payment that drops or changes anything of what it was told is a 400; nothing moves."""
    answer = await member.present(change(await member.document()))

    assert (400, "INVALID_PAYMENT") == (answer.status, answer.json["code"])
    assert () == member.buyer.books.settlements


@pytest.mark.parametrize(
    "changed",
    [
        {"value": 999_999},
        {"value": 1_000_001},
        {"to": OTHER.address},
        {"valid_for_s": 306},
        {"valid_for_s": 5},
        {"domain": {"version": "1"}},
    ],
)
async def test_bad_payment(member: Member, changed: dict[str, Any]) -> None:
    """A payment that is not good is a 402 with the reason in its terms; nothing moves."""
    build = replace(member.build, **changed)
    document = await member.document(replace(build, value=AMOUNT))
    document["payload"] = build.payload()
    answer = await member.present(document)

    assert (402, {}) == (answer.status, answer.json)
    assert decode(answer.headers["PAYMENT-REQUIRED"])["error"].startswith("invalid_exact_evm")
    assert () == member.buyer.books.settlements


async def test_other_header(member: Member) -> None:
    """A payment under a name of v1 is refused."""
    answer = await member.send(CHARGE, {"amount": "1000000"}, X_PAYMENT="e30=")

    assert 400 == answer.status


async def test_only_once(member: Member) -> None:
    """A payment that comes again is refused, and credited once."""
    document = await member.document()
    first, second = await member.present(document), await member.present(document)

    assert [200, 402] == [first.status, second.status]
    assert Decimal(AMOUNT) == member.account.balance


async def test_replays(shop: Open) -> None:
    """Where the options say so, it is answered as before."""
    nodit = NoditOptions(replays=True)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit)))
    member = await Member(Customer(buyer)).sign_in()
    document = await member.document()
    first, second = await member.present(document), await member.present(document)

    assert first.json == second.json
    assert 1 == len(member.account.top_ups)


async def test_solana(buyer: Buyer) -> None:
    """A Solana payment buys credit, too."""
    member = await Member(Customer(buyer, Solana())).sign_in()
    required = await member.terms(10_000)
    transaction = solana_transaction(buyer.sandbox.solana, Solana(), SOLANA_PAY_TO, 10_000)
    document = {
        "x402Version": 2,
        "resource": {
            "url": buyer.sandbox.url + CHARGE,
            "description": "Credit charge",
            "mimeType": "application/json",
        },
        "accepted": required["accepts"][1],
        "payload": {"transaction": transaction},
    }
    answer = await member.present(document, 10_000)

    assert (200, 10_000) == (answer.status, answer.json["balance"])


@pytest.mark.parametrize(
    ("misdeed", "status", "moved", "credited"),
    [
        (Misdeed.TOP_UP_TAKEN_BUT_402, 402, 1, 0),
        (Misdeed.TOP_UP_UNCREDITED, 200, 1, 0),
        (Misdeed.TOP_UP_REFUSED, 402, 0, 0),
        (Misdeed.TOP_UP_409, 409, 0, 0),
        (Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE, 504, 1, AMOUNT),
        (Misdeed.TOP_UP_SLOW, 200, 1, AMOUNT),
    ],
)
async def test_misconduct(
    member: Member, misdeed: Misdeed, status: int, moved: int, credited: int
) -> None:
    """Each misdeed takes or leaves the money as it says."""
    told(member, misdeed)
    answer = await member.charge()

    assert status == answer.status
    assert (moved, Decimal(credited)) == (
        len(member.buyer.books.settlements),
        member.account.balance,
    )
