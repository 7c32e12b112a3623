"""The vendors' office, over HTTP; and what is told and counted there."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from sidecar.sandbox.vendors.conduct import Conduct, Misdeed
from tests.unit.sandbox.client import Answer, Buyer
from tests.unit.sandbox.vendors.wallets import Customer


async def post(buyer: Buyer, path: str, document: object) -> Answer:
    return await buyer.send("POST", f"/sandbox/vendors/{path}", json.dumps(document).encode())


async def test_books(buyer: Buyer) -> None:
    """Everything that was counted is there as JSON."""
    customer = Customer(buyer)
    await customer.chat()
    await customer.pay()
    await customer.chat()
    books = (await buyer.send("GET", "/sandbox/vendors")).json
    account = books["venice"]["accounts"][customer.wallet.address.lower()]

    assert {"venice", "nodit"} <= books.keys()
    assert ("9.999", "10.00 USDC", 1, 1) == (
        account["balance"],
        account["paid"],
        account["served"],
        account["in_flight_seen"],
    )
    assert (2, 1, 1, "PAYMENT_REQUIRED") == (
        len(account["sign_ins"]),
        len(account["top_ups"]),
        len(account["charges"]),
        account["refusals"][0]["code"],
    )
    assert "10.00 USDC" == account["top_ups"][0]["amount"]


async def test_faults(buyer: Buyer) -> None:
    """Every misdeed is listed, can be ordered, and taken back."""
    listed = (await buyer.send("GET", "/sandbox/vendors/faults")).json
    wanted = {"fault": "top_up_slow", "times": 2, "seconds": 1.5}
    told = await post(buyer, "venice/faults", wanted)
    conduct = buyer.sandbox.vendors.conduct
    order = conduct.take("venice", Misdeed.TOP_UP_SLOW)
    await buyer.send("DELETE", "/sandbox/vendors/faults")

    assert {misdeed.value for misdeed in Misdeed} == listed.keys()
    assert wanted == told.json
    assert order is not None
    assert 1.5 == order.seconds
    assert conduct.take("venice", Misdeed.TOP_UP_SLOW) is None


@pytest.mark.parametrize(
    "document",
    [
        {"fault": "unheard_of"},
        {"fault": "top_up_409", "times": 0},
        {"fault": "top_up_409", "times": True},
        {"fault": "top_up_409", "seconds": -1},
        {"fault": "top_up_409", "seconds": "1"},
        {"fault": "top_up_409", "more": 1},
        [],
    ],
)
async def test_bad_order(buyer: Buyer, document: object) -> None:
    """An order that makes no sense is a 400."""
    assert 400 == (await post(buyer, "venice/faults", document)).status


async def test_unknown_vendor(buyer: Buyer) -> None:
    """A vendor that nobody plays is a 404."""
    assert 404 == (await post(buyer, "acme/faults", {"fault": "top_up_409"})).status
    assert 404 == (await post(buyer, "acme/accounts/me", {"balance": "1"})).status
    assert 400 == (await buyer.send("POST", "/sandbox/vendors/venice/faults", b"{")).status


async def test_set_balance(buyer: Buyer) -> None:
    """A balance can be set, to rehearse with little or with much."""
    customer = Customer(buyer)
    holder = customer.wallet.address.lower()
    answer = await post(buyer, f"venice/accounts/{holder}", {"balance": "0.05"})

    assert {"holder": holder, "balance": "0.05"} == answer.json
    assert Decimal("0.05") == buyer.sandbox.vendors.venice.account(holder).balance
    assert 402 == (await customer.chat()).status


@pytest.mark.parametrize("balance", [1, "x", "NaN", "Infinity", "1" * 31, None])
async def test_bad_balance(buyer: Buyer, balance: object) -> None:
    """A balance is a finite decimal in a string."""
    assert 400 == (await post(buyer, "venice/accounts/me", {"balance": balance})).status


async def test_start_text(buyer: Buyer) -> None:
    """The start text says where the vendors are."""
    text = (await buyer.send("GET", "/")).body.decode()

    for path in ("/venice/api", "/nodit", "/sandbox/vendors", "/rpc/solana"):
        assert buyer.sandbox.url + path in text


async def test_solana_rpc(buyer: Buyer) -> None:
    """The sandbox's Solana answers at its own endpoint."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getHealth"}).encode()
    answer = await buyer.send("POST", "/rpc/solana", body)

    assert buyer.sandbox.solana_rpc_url == buyer.sandbox.url + "/rpc/solana"
    assert "ok" == answer.json["result"]


def test_orders_belong_to_a_vendor() -> None:
    """An order is taken by its vendor, for its misdeed, so many times."""
    conduct = Conduct()
    conduct.add("venice", Misdeed.TOP_UP_409, times=2)

    assert conduct.take("nodit", Misdeed.TOP_UP_409) is None
    assert conduct.take("venice", Misdeed.TOP_UP_REFUSED) is None
    assert conduct.take("venice", Misdeed.TOP_UP_409) is not None
    assert conduct.take("venice", Misdeed.TOP_UP_409) is not None
    assert conduct.take("venice", Misdeed.TOP_UP_409) is None
