"""Every rule of verification: a payment with one thing wrong is refused, and nothing moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_keys.backends import get_backend

from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.conftest import Open
from tests.world.payment_builder import PAYER, STRANGER, Build

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
EVM = "invalid_exact_evm_"
NO_MATCH = "No matching payment requirements"
SIGNATURE = EVM + "payload_signature"


async def test_good_payment(buyer: Buyer) -> None:
    """A good payment is settled once, answered, and its receipt names the transaction."""
    answer = await buyer.pay()

    (settlement,) = buyer.books.settlements
    assert 200 == answer.status
    assert {
        "success": True,
        "payer": PAYER.address,
        "transaction": settlement.transaction,
        "network": "eip155:84532",
    } == answer.receipt
    assert ("settled", "") == buyer.last
    assert "private" == answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": 9_999}, EVM + "payload_authorization_value_mismatch"),
        ({"value": 10_001}, EVM + "payload_authorization_value_mismatch"),
        ({"to": STRANGER.address}, EVM + "payload_recipient_mismatch"),
        ({"signer": STRANGER}, SIGNATURE),
        ({"domain": {"name": "USD Coin"}}, SIGNATURE),
        ({"domain": {"version": "1"}}, SIGNATURE),
        ({"domain": {"chainId": 8453}}, SIGNATURE),
        ({"domain": {"verifyingContract": STRANGER.address}}, SIGNATURE),
        ({"payer": PAYER.address.lower()}, EVM + "transaction_simulation_failed"),
        ({"to": Build(0).to.lower()}, EVM + "transaction_simulation_failed"),
        ({"valid_for_s": 5}, EVM + "payload_authorization_valid_before"),
        ({"valid_for_s": 601}, EVM + "payload_authorization_valid_before"),
        ({"valid_for_s": 315_360_000}, EVM + "payload_authorization_valid_before"),
    ],
)
async def test_refused(buyer: Buyer, change: dict[str, Any], reason: str) -> None:
    """One field off, correctly signed or not, is a new 402 with the facilitator's reason."""
    answer = await buyer.pay(replace(buyer.build, **change))

    assert (402, reason) == (answer.status, answer.required["error"])
    assert ("refused", reason) == buyer.last
    assert () == buyer.books.settlements


@pytest.mark.parametrize("valid_for_s", [6, 600])
async def test_edges_of_validity(buyer: Buyer, valid_for_s: int) -> None:
    """Six seconds are just enough, ten minutes just not too long."""
    answer = await buyer.pay(replace(buyer.build, valid_for_s=valid_for_s))

    assert 200 == answer.status


async def test_not_yet_valid(buyer: Buyer) -> None:
    """An authorization that begins in a second is refused by the facilitator."""
    answer = await buyer.pay(replace(buyer.build, valid_after=buyer.now_s + 1))

    assert EVM + "payload_authorization_valid_after" == answer.required["error"]


async def test_valid_from_this_second(buyer: Buyer) -> None:
    """validAfter == now passes the facilitator, and the contract wants later: nothing moves."""
    answer = await buyer.pay(replace(buyer.build, valid_after=buyer.now_s))

    assert 402 == answer.status
    assert EVM + "payload_authorization_valid_after" == answer.receipt["errorReason"]
    assert () == buyer.books.settlements


async def test_valid_since_a_second(buyer: Buyer) -> None:
    """validAfter a second ago settles."""
    answer = await buyer.pay(replace(buyer.build, valid_after=buyer.now_s - 1))

    assert 200 == answer.status


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scheme", "upto"),
        ("network", "eip155:8453"),
        ("amount", "9999"),
        ("amount", 10_000),
        ("asset", "0x036cbd53842c5426634e7929541ec2318f3dcf7e"),
        ("payTo", Build(0).to.lower()),
        ("maxTimeoutSeconds", "300"),
        ("maxTimeoutSeconds", 300.0),
        ("maxTimeoutSeconds", True),
        ("extra", {"name": "USDC"}),
        ("extra", {"name": "USDC", "version": 2}),
        ("extra", None),
    ],
)
async def test_accepted_off(buyer: Buyer, key: str, value: object) -> None:
    """`accepted` has to be what was offered, type for type."""
    document = buyer.build.v2(await buyer.terms())
    document["accepted"][key] = value
    answer = await buyer.present(document)

    assert (402, NO_MATCH) == (answer.status, answer.required["error"])
    assert () == buyer.books.settlements


@pytest.mark.parametrize(
    "key", ["scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds", "extra"]
)
async def test_accepted_without(buyer: Buyer, key: str) -> None:
    """`accepted` has to have every key that was offered."""
    document = buyer.build.v2(await buyer.terms())
    del document["accepted"][key]

    assert NO_MATCH == (await buyer.present(document)).required["error"]


async def test_extra_kept(shop: Open) -> None:
    """A key of `extra` that means nothing to the client has to come back; one more may."""
    buyer = await shop(SandboxOptions(extra={"offer": {"id": 7}}))
    document = buyer.build.v2(await buyer.terms())
    dropped = buyer.build.v2(await buyer.terms())
    document["accepted"]["extra"]["own"] = 1
    del dropped["accepted"]["extra"]["offer"]

    assert NO_MATCH == (await buyer.present(dropped)).required["error"]
    assert 200 == (await buyer.present(document)).status


def _high_s(signature: str) -> str:
    raw = bytes.fromhex(signature[2:])
    s = ORDER - int.from_bytes(raw[32:64])
    return "0x" + (raw[:32] + s.to_bytes(32) + bytes([55 - raw[64]])).hex()


def _low_v(signature: str) -> str:
    raw = bytes.fromhex(signature[2:])
    return "0x" + (raw[:64] + bytes([raw[64] - 27])).hex()


def _zero_r(signature: str) -> str:
    return "0x" + "00" * 32 + signature[66:]


@pytest.mark.parametrize("change", [_high_s, _low_v, _zero_r])
async def test_signature_form(buyer: Buyer, change: Callable[[str], str]) -> None:
    """A signature of the payer in a form that the contract refuses is refused."""
    document = buyer.build.v2(await buyer.terms())
    document["payload"]["signature"] = change(document["payload"]["signature"])

    assert SIGNATURE == (await buyer.present(document)).required["error"]


async def test_balance(shop: Open) -> None:
    """The payer needs the price: one unit less is refused, the price itself is enough."""
    buyer = await shop(SandboxOptions(starting_balance=Usdc(9_999)))
    poor = await buyer.pay()
    buyer.sandbox.chain.set_balance(PAYER.address, Usdc(10_000))
    rich = await buyer.pay()

    assert EVM + "insufficient_balance" == poor.required["error"]
    assert 200 == rich.status
    assert Usdc(0) == buyer.sandbox.chain.balance(PAYER.address, buyer.sandbox.chain.head())


async def test_nonce_used(shop: Open) -> None:
    """Where the seller does not replay, a settled authorization is refused for good."""
    buyer = await shop(SandboxOptions(replays=False))
    await buyer.pay()
    again = await buyer.pay()

    assert (402, EVM + "nonce_already_used") == (again.status, again.required["error"])
    assert 1 == len(buyer.books.settlements)


async def test_nonce_of_another_payer(buyer: Buyer) -> None:
    """A nonce belongs to its payer: two payers may use the same one."""
    first = await buyer.pay()
    second = await buyer.pay(replace(buyer.build, signer=STRANGER, payer=STRANGER.address))

    assert [200, 200] == [first.status, second.status]
    assert 2 == len(buyer.books.settlements)


async def test_nonce_spelled_otherwise(shop: Open) -> None:
    """The case of a nonce's digits does not make it another nonce."""
    buyer = await shop(SandboxOptions(replays=False))
    await buyer.pay()
    again = await buyer.pay(replace(buyer.build, nonce="0x" + "AB" * 32))

    assert EVM + "nonce_already_used" == again.required["error"]


async def test_lower_case_terms(shop: Open) -> None:
    """Terms in lower case are echoed so, and the authorization is checksummed all the same."""
    buyer = await shop(SandboxOptions(pay_to=Build(0).to.lower()))
    good = await buyer.pay()
    lower = replace(buyer.build.number(2), to=Build(0).to.lower())

    assert Build(0).to.lower() == (await buyer.terms())["accepts"][0]["payTo"]
    assert 200 == good.status
    assert EVM + "transaction_simulation_failed" == (await buyer.pay(lower)).required["error"]


async def test_expired_in_the_handler(shop: Open) -> None:
    """An authorization that runs out while the handler works does not settle."""
    buyer = await shop(SandboxOptions(handler_delay_s=8))
    answer = await buyer.pay(replace(buyer.build, valid_for_s=8))

    assert 402 == answer.status
    assert {
        "success": False,
        "errorReason": EVM + "payload_authorization_valid_before",
        "payer": PAYER.address,
        "transaction": "",
        "network": "eip155:84532",
    } == answer.receipt
    assert "PAYMENT-REQUIRED" not in answer.headers
    assert ("reverted", EVM + "payload_authorization_valid_before") == buyer.last


@pytest.mark.parametrize("network", ["eip155:8453", "eip155:42161"])
async def test_other_networks(shop: Open, network: str) -> None:
    """Each network has its own domain: a payment for it settles."""
    buyer = await shop(SandboxOptions(network=network))

    assert 200 == (await buyer.pay()).status


def test_signatures_are_checked_in_c() -> None:
    """eth_account runs on coincurve here: in pure Python each payment would take 4 ms."""
    assert "CoinCurveECCBackend" == type(get_backend()).__name__
    assert PAYER.address == Account.from_key("0x" + "11" * 32).address
