"""Nodit's sign-in and payment, by recorded vectors."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from solders.keypair import Keypair

from sidecar.http import HttpResponse
from sidecar.money import Usdc
from sidecar.providers.base import Credential, Occasion
from sidecar.providers.nodit import Nodit
from sidecar.siwx import SignIn, SignInMessage
from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.types import PaymentRequired
from tests.conformance.recorded import load

VECTORS = load("vectors.json")
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
NEW_YEAR = Occasion(
    datetime(2025, 1, 1, tzinfo=UTC), bytes.fromhex("a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4" + "00" * 16)
)


class SolanaKey:
    """A wallet that signs sign-ins with Solana's own library."""

    def __init__(self, seed: bytes) -> None:
        self._keys = Keypair.from_seed(seed)
        self.address = str(self._keys.pubkey())

    def sign_in(self, message: SignInMessage) -> str:
        return str(self._keys.sign_message(message.text().encode()))


@pytest.mark.parametrize(
    ("vector", "signer", "network"),
    [
        ("nodit_evm", EvmWallet(parse_private_key(VECTORS["private_key"])), "eip155:8453"),
        ("nodit_solana", SolanaKey(bytes.fromhex(VECTORS["solana_seed_hex"])), SOLANA),
    ],
)
def test_sign_in(vector: str, signer: SignIn, network: str) -> None:
    """The request for a token is the recorded one, on either chain."""
    recorded = VECTORS["siwx"][vector]
    request = next(Nodit("https://x402.nodit.io", signer, network).sign_in(NEW_YEAR))

    assert recorded["request"] == f"{request.method} {request.url}"
    assert recorded["body"] == json.loads(request.body)


def test_payment() -> None:
    """The payment of a charge is the recorded v2 header, which has the resource in it."""
    recorded: dict[str, Any] = VECTORS["payment_headers"][
        "x402_v2_shape (resource+accepted; nodit, generic)"
    ]
    decoded = recorded["decoded"]
    challenge = {"x402Version": 2, "accepts": [decoded["accepted"]]}
    header = base64.b64encode(json.dumps(challenge).encode()).decode()
    nodit = Nodit("https://x402.nodit.io", EvmWallet(b"\x11" * 32), "eip155:8453")
    amount = Usdc(int(decoded["accepted"]["amount"]))
    terms = nodit.terms("", HttpResponse(402, (("payment-required", header),)), amount)
    assert isinstance(terms, PaymentRequired)

    envelope = envelope_for(terms, terms.accepts[0], "pay_" + "0" * 32)
    name, value = payment_header(envelope, decoded["payload"])

    assert "PAYMENT-SIGNATURE" == name
    assert decoded == json.loads(base64.b64decode(value, validate=True))


def test_charge() -> None:
    """The charge is the documented request: the token, JSON, and the amount as text."""
    nodit = Nodit("https://x402.nodit.io", EvmWallet(b"\x11" * 32), "eip155:8453")
    credential = Credential((("Authorization", "Bearer <JWT>"),))
    charge = nodit.charge("", credential, Usdc(1_000_000))

    assert {"amount": "1000000"} == json.loads(charge.body)
    assert "https://x402.nodit.io/credit/charge" == charge.url
    assert {
        "Authorization": "Bearer <JWT>",
        "Content-Type": "application/json",
    } == dict(charge.headers)
