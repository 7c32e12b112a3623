"""EIP-712 and EIP-191 by recorded vectors, and against eth_account as a second opinion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from coincurve import PublicKey
from Crypto.Hash import keccak
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.chains import ASSETS, Asset, is_evm, usdc_on
from sidecar.http import Exchange, HttpResponse
from sidecar.money import Usdc
from sidecar.rpc import evm
from sidecar.siwx import SignInMessage
from sidecar.wallets.eip712 import domain_separator
from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.x402.types import Authorization, PaymentRequirements
from tests.conformance.recorded import load

VECTORS = load("vectors.json")
EIP712 = VECTORS["eip712"]
TRANSFER = EIP712["TransferWithAuthorization"]
PERMIT = EIP712["Permit"]
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
EVM_ASSETS = [asset for asset in ASSETS if is_evm(asset.network)]
RPC_URLS = {asset.network: "http://127.0.0.1:8545" for asset in EVM_ASSETS}
VALIDITY_S = 60
TYPES = {
    "TransferWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ]
}
PERMIT_TYPES = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}


def answered(result: object) -> HttpResponse:
    """A node's answer."""
    return HttpResponse(200, (), json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())


def authorize(
    wallet: EvmWallet,
    asset: Asset,
    pay_to: str,
    value: int,
    nonce: bytes,
    expires_at: int,
    *,
    permit: bool = False,
) -> Authorization:
    """The authorization that the wallet makes of this; a Permit has its number from the chain."""
    requirements = PaymentRequirements(
        scheme="upto" if permit else "exact",
        network=asset.network,
        asset=asset.address,
        amount=str(value),
        pay_to=pay_to,
        max_timeout_seconds=VALIDITY_S,
        extra={"primaryType": "Permit"} if permit else {},
        original={},
    )
    at = datetime.fromtimestamp(expires_at, UTC) - timedelta(seconds=VALIDITY_S)
    exchange: Exchange[Authorization] = wallet.authorize(
        requirements, Usdc(value), nonce, at, VALIDITY_S
    )
    answers = [f"0x{nonce.hex()}", {"number": "0x1", "timestamp": "0x1"}] if permit else []
    try:
        next(exchange)
        for answer in answers:
            exchange.send(answered(answer))
    except StopIteration as done:
        authorization: Authorization = done.value
    return authorization


def typed_data(asset: Asset, fields: Mapping[str, str], *, permit: bool = False) -> Any:
    """The same transfer, or the same Permit, as eth_account reads it."""
    domain = {
        "name": asset.domain_name,
        "version": asset.domain_version,
        "chainId": asset.chain_id,
        "verifyingContract": asset.address,
    }
    if permit:
        message: dict[str, Any] = {
            "owner": fields["from"],
            "spender": fields["to"],
            "value": int(fields["value"]),
            "nonce": int(fields["nonce"], 16),
            "deadline": int(fields["validBefore"]),
        }
        return encode_typed_data(domain, PERMIT_TYPES, message)
    message = {
        "from": fields["from"],
        "to": fields["to"],
        "value": int(fields["value"]),
        "validAfter": int(fields["validAfter"]),
        "validBefore": int(fields["validBefore"]),
        "nonce": bytes.fromhex(fields["nonce"][2:]),
    }
    return encode_typed_data(domain, TYPES, message)


def test_address() -> None:
    """The recorded key has the recorded address."""
    assert VECTORS["address"] == EvmWallet(parse_private_key(VECTORS["private_key"])).address


def test_domain_separator() -> None:
    """The domain separator of USDC on Base is the recorded one, which its contract has too."""
    assert EIP712["domain_separator"] == "0x" + domain_separator(usdc_on("eip155:8453")).hex()


def signed(vector: str) -> dict[str, Any]:
    """The recorded transfer or Permit, signed by us with the recorded key."""
    wallet = EvmWallet(parse_private_key(VECTORS["private_key"]), RPC_URLS)
    permit = vector == "Permit"
    if permit:
        recorded = PERMIT["message"]
        payee, nonce = recorded["spender"], recorded["nonce"].to_bytes(32, "big")
        expires_at = recorded["deadline"]
    else:
        recorded = TRANSFER["authorization"]
        payee, nonce = recorded["to"], bytes.fromhex(recorded["nonce"][2:])
        expires_at = int(recorded["validBefore"])
    authorization = authorize(
        wallet,
        usdc_on("eip155:8453"),
        payee,
        int(recorded["value"]),
        nonce,
        expires_at,
        permit=permit,
    )
    return wallet.sign(authorization)


def test_signature() -> None:
    """The recorded transfer is signed with the recorded bytes."""
    expected = {"signature": TRANSFER["signature"], "authorization": TRANSFER["authorization"]}
    assert expected == signed("TransferWithAuthorization")


def test_permit_signature() -> None:
    """The recorded Permit is signed with the recorded bytes, and written as they are recorded."""
    recorded = VECTORS["payment_headers"]["libertai_shape (raw JSON, NOT base64)"]

    assert PERMIT["signature"] == signed("Permit")["signature"]
    assert json.loads(recorded)["payload"] == signed("Permit")


@pytest.mark.parametrize("vector", ["TransferWithAuthorization", "Permit"])
def test_digest(vector: str) -> None:
    """What we signed is the recorded digest: with it, our signature gives the payer back."""
    signature = bytes.fromhex(signed(vector)["signature"][2:])
    recovered = PublicKey.from_signature_and_message(
        signature[:64] + bytes([signature[64] - 27]),
        bytes.fromhex(EIP712[vector]["digest"][2:]),
        hasher=None,
    )

    digest = keccak.new(digest_bits=256, data=recovered.format(compressed=False)[1:]).digest()
    assert VECTORS["address"].lower() == "0x" + digest[-20:].hex()


@settings(max_examples=60, deadline=None)
@given(
    key=st.integers(1, ORDER - 1),
    asset=st.sampled_from(EVM_ASSETS),
    payee=st.binary(min_size=20, max_size=20),
    value=st.integers(1, 10**31 - 1),
    nonce=st.binary(min_size=32, max_size=32),
    expires_at=st.integers(VALIDITY_S, 2**33),
    permit=st.booleans(),
)
def test_second_opinion(
    key: int, asset: Asset, payee: bytes, value: int, nonce: bytes, expires_at: int, permit: bool
) -> None:
    """Whatever is signed, eth_account signs the same transfer or Permit with the same bytes."""
    private_key = key.to_bytes(32, "big")
    wallet = EvmWallet(private_key, RPC_URLS)
    authorization = authorize(
        wallet, asset, "0x" + payee.hex(), value, nonce, expires_at, permit=permit
    )

    signed = Account.from_key(private_key).sign_message(
        typed_data(asset, authorization.fields, permit=permit)
    )

    assert Account.from_key(private_key).address == wallet.address
    assert "0x" + bytes(signed.signature).hex() == wallet.sign(authorization)["signature"]


@pytest.mark.parametrize("vector", ["venice_evm", "nodit_evm"])
def test_sign_in(vector: str) -> None:
    """The recorded sign-ins are signed with the recorded bytes, as by eth_account."""
    recorded = VECTORS["siwx"][vector]
    recorded = recorded.get("payload") or recorded["body"]
    message = SignInMessage.parse(recorded["message"])

    signature = EvmWallet(parse_private_key(VECTORS["private_key"])).sign_in(message)

    assert recorded["signature"] == signature
    theirs = Account.from_key(VECTORS["private_key"]).sign_message(
        encode_defunct(text=recorded["message"])
    )
    assert "0x" + bytes(theirs.signature).hex() == signature


@pytest.mark.parametrize(
    ("signature", "constant"),
    [
        ("AuthorizationUsed(address,bytes32)", evm.AUTHORIZATION_USED),
        ("AuthorizationCanceled(address,bytes32)", evm.AUTHORIZATION_CANCELED),
        ("Transfer(address,address,uint256)", evm.TRANSFER),
        ("authorizationState(address,bytes32)", evm.AUTHORIZATION_STATE),
        ("balanceOf(address)", evm.BALANCE_OF),
        ("nonces(address)", evm.NONCES),
        ("Approval(address,address,uint256)", evm.APPROVAL),
    ],
)
def test_constants(signature: str, constant: str) -> None:
    """The topics and selectors that are written down are the hashes of their signatures."""
    digest = keccak.new(digest_bits=256, data=signature.encode()).hexdigest()

    assert constant == "0x" + digest[: len(constant) - 2]
