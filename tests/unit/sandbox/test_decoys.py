"""Odd challenges: each is what it says, and whoever pays it finds out what it cost."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from sidecar.money import Usdc
from sidecar.sandbox import Fault, Moment, SandboxOptions
from sidecar.sandbox.decoys import FAKE_TOKEN, STRANGER
from tests.unit.sandbox.client import Answer, Buyer
from tests.unit.sandbox.conftest import Open

EVM = "invalid_exact_evm_"
FIRST_IS_ODD = {
    Fault.GATEWAY_BATCHED: EVM + "eip3009_not_supported",
    Fault.PERMIT2_ENTRY: EVM + "eip3009_not_supported",
    Fault.UPTO_ENTRY: "unsupported_scheme",
    Fault.UNKNOWN_NETWORK: "network_mismatch",
}


async def challenged(buyer: Buyer, fault: Fault) -> Answer:
    buyer.sandbox.faults.add(fault)
    answer = await buyer.send()
    assert 402 == answer.status
    return answer


@pytest.mark.parametrize("fault", FIRST_IS_ODD)
async def test_odd_entry_first(buyer: Buyer, fault: Fault) -> None:
    """The odd entry comes first; paid, it is refused; the honest one behind it is good."""
    required = (await challenged(buyer, fault)).required
    odd = replace(buyer.build, value=int(required["accepts"][0]["amount"]))
    refused = await buyer.present(odd.v2(required))
    paid = await buyer.present(buyer.build.v2(required, entry=1))

    assert 2 == len(required["accepts"])
    assert (402, FIRST_IS_ODD[fault]) == (refused.status, refused.required["error"])
    assert 200 == paid.status


async def test_v1_knows_the_entry_by_its_payment(shop: Open) -> None:
    """In v1 the payee and the value say which entry was taken."""
    buyer = await shop(SandboxOptions(x402_version=1))
    required = (await challenged(buyer, Fault.PERMIT2_ENTRY)).required
    odd = replace(buyer.build, value=1_000)

    assert (
        "Invalid payment: " + EVM + "eip3009_not_supported"
        == (await buyer.present(odd.v1(required))).json["error"]
    )
    assert 200 == (await buyer.present(buyer.build.v1(required, entry=1))).status


async def test_nothing_payable(buyer: Buyer) -> None:
    """All four odd entries, and no honest one."""
    required = (await challenged(buyer, Fault.NOTHING_PAYABLE)).required

    assert ["exact", "exact", "upto", "exact"] == [one["scheme"] for one in required["accepts"]]


@pytest.mark.parametrize("x402_version", [1, 2])
async def test_too_expensive(shop: Open, x402_version: int) -> None:
    """A thousand times the price; who pays it has paid it."""
    buyer = await shop(SandboxOptions(x402_version=x402_version))
    required = (await challenged(buyer, Fault.TOO_EXPENSIVE)).required
    build = replace(buyer.build, value=10_000_000)
    answer = await buyer.present(build.v2(required) if x402_version == 2 else build.v1(required))

    assert 200 == answer.status
    assert Usdc.parse("10.00 USDC") == buyer.books.settled_total


async def test_other_payee(buyer: Buyer) -> None:
    """Somebody else is to be paid; who pays has paid them."""
    required = (await challenged(buyer, Fault.OTHER_PAYEE)).required
    answer = await buyer.present(replace(buyer.build, to=STRANGER).v2(required))

    assert STRANGER == required["accepts"][0]["payTo"]
    assert 200 == answer.status
    assert STRANGER == buyer.books.settlements[0].payee


async def test_wrong_domain_name(buyer: Buyer) -> None:
    """The wrong name is offered; only a signature over the token's true domain is good."""
    required = (await challenged(buyer, Fault.WRONG_DOMAIN_NAME)).required
    name = required["accepts"][0]["extra"]["name"]
    fooled = await buyer.present(replace(buyer.build, domain={"name": name}).v2(required))
    right = await buyer.present(buyer.build.v2(required))

    assert "USD Coin" == name
    assert EVM + "payload_signature" == fooled.required["error"]
    assert 200 == right.status


async def test_fake_asset(buyer: Buyer) -> None:
    """Another token that says it is USDC; it cannot be paid with here."""
    required = (await challenged(buyer, Fault.FAKE_ASSET)).required
    answer = await buyer.present(buyer.build.v2(required))

    assert (FAKE_TOKEN, "USDC") == (
        required["accepts"][0]["asset"],
        required["accepts"][0]["extra"]["name"],
    )
    assert EVM + "eip3009_not_supported" == answer.required["error"]


async def test_ten_years(buyer: Buyer) -> None:
    """Ten years are offered; signing them is refused, a clamped cheque is good."""
    required = (await challenged(buyer, Fault.TEN_YEAR_VALIDITY)).required
    seconds = required["accepts"][0]["maxTimeoutSeconds"]
    fooled = await buyer.present(replace(buyer.build, valid_for_s=seconds).v2(required))

    assert 315_360_000 == seconds
    assert EVM + "payload_authorization_valid_before" == fooled.required["error"]
    assert 200 == (await buyer.present(buyer.build.v2(required))).status


async def test_odd_amounts(buyer: Buyer) -> None:
    """An amount can be a number, or below zero."""
    number = (await challenged(buyer, Fault.NUMBER_AMOUNT)).required
    negative = (await challenged(buyer, Fault.NEGATIVE_AMOUNT)).required

    assert 10_000 == number["accepts"][0]["amount"]
    assert "-10000" == negative["accepts"][0]["amount"]


async def test_large_challenges(shop: Open) -> None:
    """A thousand entries, or four mebibytes of body."""
    buyer = await shop(SandboxOptions(challenge_in_body=True))
    many = await challenged(buyer, Fault.THOUSAND_ACCEPTS)
    huge = await challenged(buyer, Fault.HUGE_402)

    assert 1_000 == len(many.required["accepts"])
    assert 4 * 2**20 < len(huge.body)
    assert 1 == len(huge.required["accepts"])


@pytest.mark.parametrize(
    ("x402_version", "name"), [(1, "X-PAYMENT-REQUIRED"), (2, "PAYMENT-REQUIRED")]
)
async def test_garbage(shop: Open, x402_version: int, name: str) -> None:
    """A challenge that is neither base64 nor JSON."""
    buyer = await shop(SandboxOptions(x402_version=x402_version))
    answer = await challenged(buyer, Fault.GARBAGE_402)

    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(answer.headers[name], validate=True)
    assert answer.body.startswith(b"<html>")


async def test_bare(buyer: Buyer) -> None:
    """A 402 without a challenge."""
    answer = await challenged(buyer, Fault.BARE_402)

    assert "PAYMENT-REQUIRED" not in answer.headers
    assert "accepts" not in answer.json


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.moment is Moment.CHALLENGE])
async def test_once(shop: Open, fault: Fault) -> None:
    """After one odd challenge the seller is honest again, and takes payment for the honest one."""
    buyer = await shop(SandboxOptions(challenge_in_body=True))
    odd = await challenged(buyer, fault)
    honest = await buyer.send()

    assert odd.body != honest.body
    assert 200 == (await buyer.pay()).status


async def test_an_offer_is_for_its_purchase(buyer: Buyer) -> None:
    """What was offered for one purchase is not taken for another."""
    required = (await challenged(buyer, Fault.OTHER_PAYEE)).required
    document = replace(buyer.build, to=STRANGER).v2(required)

    assert (
        "No matching payment requirements"
        == (await buyer.present(document, path="/v1/paid?other")).required["error"]
    )


async def test_old_offers_are_forgotten(shop: Open) -> None:
    """Odd offers are remembered for so many purchases; the honest one always holds."""
    buyer = await shop(SandboxOptions(decoys_max=1))
    first = (await challenged(buyer, Fault.OTHER_PAYEE)).required
    buyer.sandbox.faults.add(Fault.OTHER_PAYEE)
    await buyer.send(path="/v1/paid?other")
    answer = await buyer.present(replace(buyer.build, to=STRANGER).v2(first))

    assert "No matching payment requirements" == answer.required["error"]
    assert 200 == (await buyer.pay()).status
