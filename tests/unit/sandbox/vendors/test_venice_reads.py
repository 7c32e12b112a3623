"""What a wallet reads at Venice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import VendorOptions, VeniceOptions
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.vendors.wallets import OTHER, VENICE, Customer, Solana


@pytest.fixture
async def customer(shop: Open) -> Customer:
    """A wallet with a dollar."""
    venice = VeniceOptions(starting_balance_usd=Decimal(1))
    return Customer(await shop(SandboxOptions(vendors=VendorOptions(venice=venice))))


async def test_balance(customer: Customer) -> None:
    """A wallet reads its own balance, in dollars."""
    answer = await customer.balance()

    assert {
        "success": True,
        "data": {
            "walletAddress": customer.wallet.address.lower(),
            "balanceUsd": 1,
            "canConsume": True,
            "minimumTopUpUsd": 5,
            "suggestedTopUpUsd": 10,
        },
    } == answer.json


async def test_poor(buyer: Buyer) -> None:
    """A wallet with less than ten cents cannot consume."""
    data = (await Customer(buyer).balance()).json["data"]

    assert (0, False) == (data["balanceUsd"], data["canConsume"])


async def test_diem(shop: Open) -> None:
    """DIEM of a linked account is told beside the dollars."""
    venice = VeniceOptions(diem_usd=Decimal("5.25"))
    customer = Customer(await shop(SandboxOptions(vendors=VendorOptions(venice=venice))))

    assert 5.25 == (await customer.balance()).json["data"]["diemBalanceUsd"]


async def test_solana(customer: Customer) -> None:
    """A Solana wallet reads its own, in its own spelling."""
    solana = Customer(customer.buyer, Solana())

    assert Solana().address == (await solana.balance()).json["data"]["walletAddress"]


@pytest.mark.parametrize(
    ("wallet", "expected"), [(OTHER.address, 403), (Solana().address, 403), ("me", 400)]
)
async def test_other_wallet(customer: Customer, wallet: str, expected: int) -> None:
    """Nobody reads another wallet's."""
    answer = await customer.send("GET", f"{VENICE}/x402/balance/{wallet}")

    assert expected == answer.status


async def test_lower_case(customer: Customer) -> None:
    """The address in the path may be in any case."""
    path = f"{VENICE}/x402/balance/{customer.wallet.address.lower()}"

    assert 200 == (await customer.send("GET", path)).status


async def test_unsigned(customer: Customer) -> None:
    """Without a sign-in it is a 401, as the published schema has it."""
    path = f"{VENICE}/x402/balance/{customer.wallet.address}"

    assert 401 == (await customer.buyer.send("GET", path)).status


async def test_rate(customer: Customer) -> None:
    """Thirty readings in any minute; the next is a 429 until the first is a minute old."""
    statuses = []
    for _ in range(31):
        statuses.append((await customer.balance()).status)
        customer.buyer.clock.advance(1)
    customer.buyer.clock.advance(28)
    early = (await customer.balance()).status
    customer.buyer.clock.advance(1)

    assert [200] * 30 + [429] == statuses
    assert (429, 200) == (early, (await customer.balance()).status)


async def test_unreadable(customer: Customer) -> None:
    """On demand the balance is not to be read, once."""
    customer.buyer.sandbox.vendors.conduct.add("venice", Misdeed.BALANCE_UNREADABLE)
    first, second = await customer.balance(), await customer.balance()

    assert "text/html" in first.headers["Content-Type"]
    assert 1 == second.json["data"]["balanceUsd"]


async def test_transactions(customer: Customer) -> None:
    """Top-ups and charges, the newest first, each with the balance after it."""
    await customer.pay()
    said = (await customer.chat()).json
    path = f"{VENICE}/x402/transactions/{customer.wallet.address}"
    data = (await customer.send("GET", f"{path}?limit=10&offset=0")).json["data"]
    charge, top_up = data["transactions"]

    assert 10.999 == data["currentBalance"]
    assert ("CHARGE", -0.001, 10.999, said["id"], "kimi-k2-5") == (
        charge["type"],
        charge["amount"],
        charge["balanceAfter"],
        charge["requestId"],
        charge["modelId"],
    )
    assert ("TOP_UP", 10, 11) == (top_up["type"], top_up["amount"], top_up["balanceAfter"])
    assert {"limit": 10, "offset": 0, "hasMore": False} == data["pagination"]


async def test_pages(customer: Customer) -> None:
    """Transactions come in pages of at most a hundred."""
    for _ in range(3):
        await customer.chat()
    path = f"{VENICE}/x402/transactions/{customer.wallet.address}"
    data = (await customer.send("GET", f"{path}?limit=1&offset=1")).json["data"]

    assert (1, True) == (len(data["transactions"]), data["pagination"]["hasMore"])
    assert 0.998 == data["transactions"][0]["balanceAfter"]
    for wrong in ("limit=101", "limit=0", "limit=x", "offset=-1"):
        assert 400 == (await customer.send("GET", f"{path}?{wrong}")).status
