"""What the official client sent, beside what we send for the same challenge."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from eth_account import Account

from sidecar.chains import find_asset
from sidecar.http import HttpResponse
from sidecar.policy import Allowed, Policy, choose
from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.x402.codec import read_payment_required
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.receipt import read_settlement
from sidecar.x402.select import candidates
from sidecar.x402.types import Authorization, SettlementResponse
from tests.conformance.recorded import load
from tests.conformance.test_eip712_vectors import typed_data

SCENARIOS = load("x402-openai-py.json")["scenarios"]
WALLET = EvmWallet(parse_private_key(load("vectors.json")["private_key"]))
NONCE = b"\x5a" * 32


def theirs(scenario: str) -> tuple[str, dict[str, Any]]:
    """The payment header that the official client sent: its name, and what is in it."""
    name, value = SCENARIOS[scenario][1]["headers"][-1]
    document: dict[str, Any] = json.loads(base64.b64decode(value, validate=True))
    return name, document


def ours(scenario: str) -> tuple[str, dict[str, Any]]:
    """The payment header that we send when we get the same 402."""
    recorded = SCENARIOS[scenario][0]["response"]
    refusal = HttpResponse(
        402, tuple(recorded["headers"].items()), json.dumps(recorded["body"]).encode()
    )
    required = read_payment_required(refusal)
    assert required is not None
    offers = candidates(required)
    allowed = choose(offers, Policy(offers[0][0].amount, frozenset({"eip155:8453"}), frozenset()))
    assert isinstance(allowed, Allowed)
    candidate = allowed.candidate
    exchange = WALLET.authorize(
        candidate.requirements,
        candidate.amount,
        NONCE,
        datetime.fromtimestamp(1_795_224_621, UTC),
    )
    with pytest.raises(StopIteration) as done:
        next(exchange)
    authorization: Authorization = done.value.value
    name, value = payment_header(
        envelope_for(required, candidate.requirements, "pay_" + "0" * 32),
        WALLET.sign(authorization),
    )
    document: dict[str, Any] = json.loads(base64.b64decode(value, validate=True))
    return name, document


def shape(value: Any) -> Any:
    """The keys and types of a document, without what is in it; hexadecimal by its length."""
    match value:
        case dict():
            return {key: shape(child) for key, child in value.items()}
        case str() if value.startswith("0x"):
            return f"hex of {len(value)}"
        case str() if value.isdecimal():
            return "decimal"
        case _:
            return type(value).__name__


@pytest.mark.parametrize("scenario", ["v1", "v2"])
def test_same_shape(scenario: str) -> None:
    """Our header has the official one's name, keys and types, at every level."""
    assert theirs(scenario)[0] == ours(scenario)[0]
    assert shape(theirs(scenario)[1]) == shape(ours(scenario)[1])


@pytest.mark.parametrize("scenario", ["v1", "v2"])
def test_same_words(scenario: str) -> None:
    """But for nonce, validity and signature, our header says what the official one says."""
    documents = theirs(scenario)[1], ours(scenario)[1]
    for document in documents:
        del document["payload"]["signature"]
        for name in ("nonce", "validAfter", "validBefore"):
            del document["payload"]["authorization"][name]

    assert documents[0] == documents[1]


@pytest.mark.parametrize("scenario", ["v1", "v2"])
@pytest.mark.parametrize("sent", [theirs, ours])
def test_recovers(scenario: str, sent: Any) -> None:
    """Either signature gives the payer back, under USDC's own domain."""
    payload = sent(scenario)[1]["payload"]
    asset = find_asset("eip155:8453", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")
    assert asset is not None

    recovered = Account.recover_message(
        typed_data(asset, payload["authorization"]), signature=payload["signature"]
    )

    assert WALLET.address == payload["authorization"]["from"] == recovered


@pytest.mark.parametrize("scenario", ["v1", "v2"])
def test_receipt(scenario: str) -> None:
    """The recorded receipt is read."""
    headers = tuple(SCENARIOS[scenario][1]["response"]["headers"].items())

    assert SettlementResponse(True, "0x" + "ab" * 32, "eip155:8453", "") == read_settlement(headers)
