"""Nodit: the API, paid from credit."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import NoditOptions, VendorOptions
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.member import (
    BALANCE,
    BLOCK,
    NODE,
    RPC,
    Member,
    told,
)
from tests.unit.sandbox.vendors.wallets import (
    Customer,
)
from tests.world.payment_builder import decode


@pytest.fixture
async def member(buyer: Buyer) -> Member:
    """A wallet that is signed in and has no credit."""
    return await Member(Customer(buyer)).sign_in()


@pytest.fixture
async def rich(shop: Open) -> Member:
    """A wallet that is signed in and has credit for ten calls."""
    nodit = NoditOptions(starting_credit=1_000)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit)))
    return await Member(Customer(buyer)).sign_in()


async def test_call(rich: Member) -> None:
    """A call is answered, and its price is taken from the credit, as a whole number."""
    answer = await rich.send(BLOCK, {"block": "latest"})

    assert (200, "getBlockByHashOrNumber") == (answer.status, answer.json["operation"])
    assert {"balance": 900} == (await rich.send(BALANCE)).json
    assert (Decimal(100), BLOCK) == (rich.account.charges[0].amount, rich.account.charges[0].path)


async def test_json_rpc(rich: Member) -> None:
    """JSON-RPC is answered by id; a batch costs what its calls cost."""
    one = await rich.send(NODE, RPC)
    two = await rich.send(NODE, [RPC, RPC | {"id": 2}])

    assert 1 == one.json["id"]
    assert [1, 2] == [answer["id"] for answer in two.json]
    assert {"balance": 700} == (await rich.send(BALANCE)).json


@pytest.mark.parametrize("document", [[], [1], {"method": "x"}, "x"])
async def test_no_sense(rich: Member, document: object) -> None:
    """What makes no sense is a 400, and costs nothing."""
    assert 400 == (await rich.send(NODE, document)).status
    assert {"balance": 1_000} == (await rich.send(BALANCE)).json


async def test_web3_body(rich: Member) -> None:
    """A web3 call has an object for its body."""
    assert 400 == (await rich.send(BLOCK, [])).status


async def test_out_of_credit(member: Member) -> None:
    """Without credit a call is a 402 with the terms in its header."""
    answer = await member.send(BLOCK, {})
    required = decode(answer.headers["PAYMENT-REQUIRED"])

    assert 402 == answer.status
    assert ["10000", "10000"] == [entry["amount"] for entry in required["accepts"]]
    assert "accepts" not in answer.json
    assert ["INSUFFICIENT_CREDIT"] == [refused.code for refused in member.account.refusals]


async def test_exact_credit(shop: Open) -> None:
    """Credit for just one call is enough for it."""
    nodit = NoditOptions(starting_credit=100)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit)))
    member = await Member(Customer(buyer)).sign_in()

    assert [200, 402] == [
        (await member.send(BLOCK, {})).status,
        (await member.send(BLOCK, {})).status,
    ]


async def test_last_credit(shop: Open) -> None:
    """Credit is spent to its end and no further."""
    nodit = NoditOptions(starting_credit=199)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(nodit=nodit), handler_delay_s=0.1))
    member = await Member(Customer(buyer)).sign_in()
    answers = await asyncio.gather(*(member.send(BLOCK, {}) for _ in range(2)))

    assert [200, 402] == sorted(answer.status for answer in answers)
    assert Decimal(99) == member.account.balance


async def test_payment_with_a_call(rich: Member) -> None:
    """A payment belongs to a charge, not to a call."""
    assert 400 == (await rich.send(BLOCK, {}, PAYMENT_SIGNATURE="e30=")).status
    assert 400 == (await rich.send(BLOCK, {}, X_PAYMENT="e30=")).status


async def test_402_on_demand(rich: Member) -> None:
    """On demand a call is a 402 whatever the credit is."""
    told(rich, Misdeed.DIEM_402)

    assert [402, 200] == [(await rich.send(BLOCK, {})).status, (await rich.send(BLOCK, {})).status]


async def test_unreadable_balance(member: Member) -> None:
    """On demand the balance is not to be read, once."""
    told(member, Misdeed.BALANCE_UNREADABLE)

    assert "text/html" in (await member.send(BALANCE)).headers["Content-Type"]
    assert {"balance": 0} == (await member.send(BALANCE)).json


async def test_healthcheck(buyer: Buyer) -> None:
    """The health check is for everybody."""
    assert 200 == (await buyer.send("GET", "/nodit/healthcheck")).status
