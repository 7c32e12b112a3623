"""Sign-In-With-X by recorded vectors: Venice, Nodit and the official SDK, on EVM and Solana."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from nacl.signing import VerifyKey

from sidecar import base58
from sidecar.chains import SOLANA
from sidecar.siwx import SignIn, SignInMessage
from sidecar.siwx.envelope import HEADER, message_header, read_structured_header, structured_header
from sidecar.siwx.times import iso_milliseconds, iso_seconds
from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.wallets.solana import SolanaWallet
from tests.conformance.recorded import load

VECTORS = load("vectors.json")
SIWX: dict[str, Any] = VECTORS["siwx"]
NETWORKS = {"evm": "eip155:8453", "solana": SOLANA}
ADDRESSES = {"evm": VECTORS["address"], "solana": VECTORS["solana_address"]}
NAMES = ["venice_evm", "venice_solana", "nodit_evm", "nodit_solana"]


def written(name: str) -> SignInMessage:
    """The message of a vector, from typed fields."""
    vendor, chain = name.split("_")
    if vendor == "venice":
        return SignInMessage(
            domain="api.venice.ai",
            address=ADDRESSES[chain],
            uri="https://api.venice.ai/api/v1/chat/completions",
            network=NETWORKS[chain],
            nonce="0123456789abcdef",
            issued_at=iso_milliseconds(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            statement="Sign in to Venice AI",
            expiration_time=iso_milliseconds(datetime(2026, 1, 2, 3, 9, 5, tzinfo=UTC)),
        )
    return SignInMessage(
        domain="x402.nodit.io",
        address=ADDRESSES[chain],
        uri="https://x402.nodit.io",
        network=NETWORKS[chain],
        nonce="a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4",
        issued_at=iso_seconds(datetime(2025, 1, 1, tzinfo=UTC)),
        statement="Sign in to x402.nodit.io",
        expiration_time=iso_seconds(datetime(2025, 1, 1, 0, 10, tzinfo=UTC)),
    )


def recorded(name: str) -> tuple[str, str]:
    """The text and the signature of a vector."""
    fields = SIWX[name].get("payload") or SIWX[name]["body"]
    return fields["message"], fields["signature"]


WALLETS: dict[str, SignIn] = {
    NETWORKS["evm"]: EvmWallet(parse_private_key(VECTORS["private_key"])),
    SOLANA: SolanaWallet(bytes.fromhex(VECTORS["solana_seed_hex"]), {}),
}


def signature_of(message: SignInMessage) -> str:
    """Our signature with the recorded key of the message's chain."""
    return WALLETS[message.network].sign_in(message)


def decoded(value: str) -> Any:
    """What a header's value holds."""
    return json.loads(base64.b64decode(value, validate=True))


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str) -> None:
    """The text of each vendor's sign-in is the recorded one, to the byte, and is read back."""
    text, _ = recorded(name)

    assert text == written(name).text()
    assert written(name) == SignInMessage.parse(text)


@pytest.mark.parametrize("name", NAMES)
def test_signature(name: str) -> None:
    """Each text is signed with the recorded bytes."""
    _, signature = recorded(name)

    assert signature == signature_of(written(name))


@pytest.mark.parametrize("name", ["venice_solana", "nodit_solana"])
def test_recorded_key(name: str) -> None:
    """The recorded signatures on Solana are those of the recorded address over our text."""
    _, recorded_signature = recorded(name)
    address, signature = base58.decode(ADDRESSES["solana"]), base58.decode(recorded_signature)
    assert address is not None
    assert signature is not None
    text = written(name).text().encode()

    assert text == VerifyKey(address).verify(text, signature)


@pytest.mark.parametrize("name", ["venice_evm", "venice_solana"])
def test_message_header(name: str) -> None:
    """Venice's header is the recorded one, to the byte."""
    message = written(name)
    value = message_header(message, signature_of(message))

    assert SIWX[name]["payload"] == decoded(value)
    assert SIWX[name]["header_value"] == value
    assert SIWX[name]["header"] == HEADER


def test_structured_header() -> None:
    """The extension's header says what the official SDK's says, and its header is read as ours."""
    vector = SIWX["x402_sdk_structured_evm"]
    message = written("venice_evm")
    signature = signature_of(message)

    assert vector["payload"] == decoded(structured_header(message, signature))
    assert (message, signature) == read_structured_header(vector["header_value"])
