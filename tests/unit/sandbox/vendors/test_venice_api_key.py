"""Venice by API key."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.options import ApiKey, VendorOptions, VeniceOptions
from tests.unit.sandbox.client import Answer, Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import (
    CHAT,
    VENICE,
    chat_body,
)


async def with_key(buyer: Buyer, key: str, path: str = "", method: str = "GET") -> Answer:
    body = chat_body() if method == "POST" else None
    return await buyer.send(method, VENICE + path, body, {"Authorization": f"Bearer {key}"})


async def test_key_balance(buyer: Buyer) -> None:
    """An admin key reads the balance of its owner."""
    answer = await with_key(buyer, "venice-admin-key", "/billing/balance")

    assert {
        "canConsume": True,
        "consumptionCurrency": "USD",
        "balances": {"diem": None, "usd": 10},
        "diemEpochAllocation": 0,
    } == answer.json


async def test_inference_key_balance(buyer: Buyer) -> None:
    """An inference key may not, and that is a 401 of its own; the rate limits it may read."""
    refused = await with_key(buyer, "venice-inference-key", "/billing/balance")
    limits = await with_key(buyer, "venice-inference-key", "/api_keys/rate_limits")

    assert (401, {"error": "Admin API key required"}) == (refused.status, refused.json)
    assert {"USD": 10} == limits.json["data"]["balances"]
    assert "10" == limits.headers["x-venice-balance-usd"]


@pytest.mark.parametrize("path", ["/billing/balance", "/api_keys/rate_limits"])
async def test_no_key(buyer: Buyer, path: str) -> None:
    """Without any key it is the 402 for those who have no credential; with a bad one, 401."""
    bare = await buyer.send("GET", VENICE + path)
    bad = await with_key(buyer, "sk-of-another-vendor", path)

    assert (402, "Authentication required") == (bare.status, bare.json["error"])
    assert (401, {"error": "Authentication failed"}) == (bad.status, bad.json)


async def test_key_call(buyer: Buyer) -> None:
    """A call by key tells the balance before it, and takes its price from it."""
    answers = [
        await with_key(buyer, "venice-inference-key", "/chat/completions", "POST") for _ in range(2)
    ]
    holder = buyer.sandbox.vendors.venice.keys.holder("venice-inference-key")

    assert ["10", "9.999"] == [answer.headers["x-venice-balance-usd"] for answer in answers]
    assert 0.001 == answers[0].json["cost"]["usd"]
    assert (2, Decimal("9.998")) == (holder.account.served, holder.usd)
    assert holder.usd == holder.account.balance


async def test_key_currencies(shop: Open) -> None:
    """DIEM is spent before dollars; with neither, the plain 402; over the key's limit, another."""
    keys = {
        "diem": ApiKey(usd=Decimal("0.001"), diem=Decimal("0.001")),
        "limited": ApiKey(spend_limit_usd=Decimal("0.001")),
        "poor": ApiKey(usd=None),
    }
    venice = VeniceOptions(keys=keys)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(venice=venice)))

    async def calls(key: str, count: int) -> list[Answer]:
        return [await with_key(buyer, key, "/chat/completions", "POST") for _ in range(count)]

    diem, limited, poor = await calls("diem", 3), await calls("limited", 2), await calls("poor", 1)

    assert [200, 200, 402] == [answer.status for answer in diem]
    assert ["0.001", "0.000"] == [answer.headers["x-venice-balance-diem"] for answer in diem[:2]]
    assert "0.000" == diem[2].headers["x-venice-balance-usd"]
    assert diem[2].json["error"].startswith("Insufficient USD or Diem balance")
    assert limited[1].json["error"].startswith("API key USD spend limit exceeded")
    assert [402] == [answer.status for answer in poor]
    assert "PAYMENT-REQUIRED" not in poor[0].headers


async def test_key_bad_request(buyer: Buyer) -> None:
    """A request that makes no sense costs a key nothing."""
    headers = {"Authorization": "Bearer venice-inference-key"}
    answer = await buyer.send("POST", CHAT, b"{}", headers)
    holder = buyer.sandbox.vendors.venice.keys.holder("venice-inference-key")

    assert (400, Decimal(10)) == (answer.status, holder.usd)
