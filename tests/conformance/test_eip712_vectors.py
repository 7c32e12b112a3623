"""EIP-712 by recorded vectors, and against eth_account as a second opinion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from coincurve import PublicKey
from Crypto.Hash import keccak
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import rpc
from sidecar.chains import ASSETS, Asset, usdc_on
from sidecar.http import Exchange
from sidecar.money import Usdc
from sidecar.wallets.evm import EvmWallet, domain_separator, parse_private_key
from sidecar.x402.types import Authorization, PaymentRequirements
from tests.conformance.recorded import load

VECTORS = load("vectors.json")
EIP712 = VECTORS["eip712"]
TRANSFER = EIP712["TransferWithAuthorization"]
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
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


def authorize(
    wallet: EvmWallet, asset: Asset, pay_to: str, value: int, nonce: bytes, expires_at: int
) -> Authorization:
    """The authorization that the wallet makes of this."""
    requirements = PaymentRequirements(
        scheme="exact",
        network=asset.network,
        asset=asset.address,
        amount=str(value),
        pay_to=pay_to,
        max_timeout_seconds=60,
        extra={},
        original={},
    )
    exchange: Exchange[Authorization] = wallet.authorize(
        requirements, Usdc(value), nonce, datetime.fromtimestamp(expires_at, UTC)
    )
    with pytest.raises(StopIteration) as done:
        next(exchange)
    authorization: Authorization = done.value.value
    return authorization


def typed_data(asset: Asset, fields: Mapping[str, str]) -> Any:
    """The same transfer as eth_account reads it."""
    domain = {
        "name": asset.domain_name,
        "version": asset.domain_version,
        "chainId": asset.chain_id,
        "verifyingContract": asset.address,
    }
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


def signed() -> dict[str, Any]:
    """The recorded transfer, signed by us with the recorded key."""
    recorded = TRANSFER["authorization"]
    wallet = EvmWallet(parse_private_key(VECTORS["private_key"]))
    authorization = authorize(
        wallet,
        usdc_on("eip155:8453"),
        recorded["to"],
        int(recorded["value"]),
        bytes.fromhex(recorded["nonce"][2:]),
        int(recorded["validBefore"]),
    )
    return wallet.sign(authorization)


def test_signature() -> None:
    """The recorded transfer is signed with the recorded bytes."""
    expected = {"signature": TRANSFER["signature"], "authorization": TRANSFER["authorization"]}
    assert expected == signed()


def test_digest() -> None:
    """What we signed is the recorded digest: with it, our signature gives the payer back."""
    signature = bytes.fromhex(signed()["signature"][2:])
    recovered = PublicKey.from_signature_and_message(
        signature[:64] + bytes([signature[64] - 27]),
        bytes.fromhex(TRANSFER["digest"][2:]),
        hasher=None,
    )

    digest = keccak.new(digest_bits=256, data=recovered.format(compressed=False)[1:]).digest()
    assert VECTORS["address"].lower() == "0x" + digest[-20:].hex()


@settings(max_examples=60, deadline=None)
@given(
    key=st.integers(1, ORDER - 1),
    asset=st.sampled_from(ASSETS),
    payee=st.binary(min_size=20, max_size=20),
    value=st.integers(1, 10**31 - 1),
    nonce=st.binary(min_size=32, max_size=32),
    expires_at=st.integers(0, 2**33),
)
def test_second_opinion(
    key: int, asset: Asset, payee: bytes, value: int, nonce: bytes, expires_at: int
) -> None:
    """Whatever is signed, eth_account signs the same transfer with the same bytes."""
    private_key = key.to_bytes(32, "big")
    wallet = EvmWallet(private_key)
    authorization = authorize(wallet, asset, "0x" + payee.hex(), value, nonce, expires_at)

    signed = Account.from_key(private_key).sign_message(typed_data(asset, authorization.fields))

    assert Account.from_key(private_key).address == wallet.address
    assert "0x" + bytes(signed.signature).hex() == wallet.sign(authorization)["signature"]


@pytest.mark.parametrize(
    ("signature", "constant"),
    [
        ("AuthorizationUsed(address,bytes32)", rpc.AUTHORIZATION_USED),
        ("AuthorizationCanceled(address,bytes32)", rpc.AUTHORIZATION_CANCELED),
        ("Transfer(address,address,uint256)", rpc.TRANSFER),
        ("authorizationState(address,bytes32)", rpc.AUTHORIZATION_STATE),
        ("balanceOf(address)", rpc.BALANCE_OF),
    ],
)
def test_constants(signature: str, constant: str) -> None:
    """The topics and selectors that are written down are the hashes of their signatures."""
    digest = keccak.new(digest_bits=256, data=signature.encode()).hexdigest()

    assert constant == "0x" + digest[: len(constant) - 2]
