"""What the 402 says, in both versions and in the dialects that the options ask for."""

from __future__ import annotations

import pytest

from sidecar.money import Usdc
from sidecar.sandbox import PAY_TO, SandboxOptions
from sidecar.sandbox.addresses import checksummed, keccak256
from tests.unit.sandbox.client import CHAT, chat
from tests.unit.sandbox.conftest import Open
from tests.world.payment_builder import PAYER, decode

ASSET = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
MISMATCH = "extension echo mismatch"
PAY_ID = "pay_" + "0" * 32


async def test_v2_challenge(shop: Open) -> None:
    """v2: the terms stand in PAYMENT-REQUIRED over the body {}, and are not to be stored."""
    buyer = await shop()
    answer = await buyer.send("POST", CHAT, chat("hello"))

    assert (402, b"{}") == (answer.status, answer.body)
    assert "no-store" == answer.headers["Cache-Control"]
    assert {
        "x402Version": 2,
        "error": "Payment required",
        "resource": {
            "url": buyer.sandbox.url + CHAT,
            "description": "A call to the sandbox seller",
            "mimeType": "application/json",
        },
        "accepts": [
            {
                "scheme": "exact",
                "network": "eip155:84532",
                "asset": ASSET,
                "amount": "10000",
                "payTo": PAY_TO,
                "maxTimeoutSeconds": 300,
                "extra": {"name": "USDC", "version": "2"},
            }
        ],
    } == answer.required


async def test_v1_challenge(shop: Open) -> None:
    """v1: the terms stand in the body, the network has its v1 name, the resource is inside."""
    buyer = await shop(SandboxOptions(x402_version=1))
    answer = await buyer.send()

    assert "PAYMENT-REQUIRED" not in answer.headers
    assert {
        "x402Version": 1,
        "error": "No X-PAYMENT header provided",
        "accepts": [
            {
                "scheme": "exact",
                "network": "base-sepolia",
                "maxAmountRequired": "10000",
                "resource": buyer.sandbox.url + "/v1/paid",
                "description": "A call to the sandbox seller",
                "mimeType": "application/json",
                "outputSchema": {"input": {"type": "http", "discoverable": True}, "output": None},
                "payTo": PAY_TO,
                "maxTimeoutSeconds": 300,
                "asset": ASSET,
                "extra": {"name": "USDC", "version": "2"},
            }
        ],
    } == answer.json


async def test_v1_payment(shop: Open) -> None:
    """v1: the receipt is X-PAYMENT-RESPONSE, with the explicit null of the official seller."""
    buyer = await shop(SandboxOptions(x402_version=1))
    answer = await buyer.pay()

    (settlement,) = buyer.books.settlements
    assert 200 == answer.status
    assert {
        "success": True,
        "payer": PAYER.address,
        "transaction": settlement.transaction,
        "network": "base-sepolia",
        "errorReason": None,
    } == decode(answer.headers["X-PAYMENT-RESPONSE"])
    assert "PAYMENT-RESPONSE" not in answer.headers


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"network": "base"}, "No matching payment requirements found"),
        ({"network": "eip155:84532"}, "No matching payment requirements found"),
        ({"scheme": "upto"}, "No matching payment requirements found"),
        ({"payload": {}}, "Invalid payment header format"),
    ],
)
async def test_v1_refusals(shop: Open, change: dict[str, object], error: str) -> None:
    """v1: a payment that does not fit is refused in the official v1 seller's words."""
    buyer = await shop(SandboxOptions(x402_version=1))
    answer = await buyer.present(buyer.build.v1(await buyer.terms()) | change)

    assert (402, error) == (answer.status, answer.json["error"])


async def test_v1_bad_signature(shop: Open) -> None:
    """v1: the facilitator's reason comes after "Invalid payment"."""
    buyer = await shop(SandboxOptions(x402_version=1, replays=False))
    await buyer.pay()
    again = await buyer.pay()

    assert "Invalid payment: invalid_exact_evm_nonce_already_used" == again.json["error"]


async def test_challenge_in_body(shop: Open) -> None:
    """The body dialect: a v2 document in the body and no header; v2 payments are taken."""
    buyer = await shop(SandboxOptions(challenge_in_body=True))
    answer = await buyer.send()

    assert "PAYMENT-REQUIRED" not in answer.headers
    assert 2 == answer.json["x402Version"]
    assert 200 == (await buyer.pay()).status


@pytest.mark.parametrize("version", [1, 2])
async def test_padding(shop: Open, version: int) -> None:
    """A challenge can be made as large as is wanted, and is paid like any other."""
    buyer = await shop(SandboxOptions(x402_version=version, challenge_padding_bytes=50_000))
    answer = await buyer.send()

    assert 50_000 < len(answer.headers.get("PAYMENT-REQUIRED", "")) + len(answer.body)
    assert 200 == (await buyer.pay()).status


async def test_extensions_echo(shop: Open) -> None:
    """Extensions may be left out of a payment, not sent back in part."""
    buyer = await shop(SandboxOptions(payment_identifier=True))
    required = await buyer.terms()
    declared = required["extensions"]
    part = {"payment-identifier": {"info": {"id": PAY_ID}}}
    whole = {"payment-identifier": {"info": {"required": False, "id": PAY_ID}}}

    async def error(build: int, extensions: object) -> tuple[int, str]:
        document = buyer.build.number(build).v2(required) | {"extensions": extensions}
        answer = await buyer.present(document)
        return answer.status, answer.required["error"] if answer.status == 402 else ""

    assert (402, MISMATCH) == await error(1, part)
    assert (402, MISMATCH) == await error(2, {"other": {}})
    assert (402, MISMATCH) == await error(3, {"payment-identifier": None})
    assert (402, MISMATCH) == await error(7, {"payment-identifier": {"info": None}})
    assert (200, "") == await error(4, whole)
    assert (200, "") == await error(5, declared)
    assert (200, "") == await error(6, {})


async def test_payment_identifier(shop: Open) -> None:
    """One id stands for one signed payload: the same again is fine, another is a 409."""
    buyer = await shop(SandboxOptions(payment_identifier=True, replays_delivered=True))
    required = await buyer.terms()

    async def status(build: int, identifier: str) -> int:
        info = {"required": False, "id": identifier}
        extensions = {"payment-identifier": {"info": info}}
        document = buyer.build.number(build).v2(required) | {"extensions": extensions}
        return (await buyer.present(document)).status

    assert [200, 200, 409, 400] == [
        await status(1, PAY_ID),
        await status(1, PAY_ID),
        await status(2, PAY_ID),
        await status(3, "short"),
    ]
    assert 1 == len(buyer.books.settlements)
    assert [PAY_ID, PAY_ID, PAY_ID, "short"] == [
        seen.identifier for seen in buyer.books.presentations
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"network": "eip155:31337"},
        {"network": "base"},
        {"x402_version": 3},
        {"network": "eip155:42161", "x402_version": 1},
        {"pay_to": "0x12"},
        {"price": Usdc(0)},
    ],
)
def test_options(options: dict[str, object]) -> None:
    """Options that no seller could have are refused at once."""
    with pytest.raises(ValueError, match=r"network|versions|name|address|price"):
        SandboxOptions(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_pay_to() -> None:
    """The payee is a hash, spelled as EIP-55 does: nobody holds its key."""
    digest = keccak256(b"x402-sidecar sandbox seller")

    assert checksummed("0x" + digest[12:].hex()) == PAY_TO
    assert checksummed(PAYER.address.lower()) == PAYER.address
