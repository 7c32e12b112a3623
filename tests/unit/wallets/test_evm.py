"""The EVM wallet: the transfers it signs, what it refuses, and that its key stays inside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from coincurve import PrivateKey, PublicKey
from eth_account import Account
from eth_account.messages import encode_defunct

from sidecar.chains import SOLANA, usdc_on
from sidecar.errors import WalletError
from sidecar.http import Exchange
from sidecar.money import Usdc
from sidecar.siwx import SignIn, SignInMessage
from sidecar.wallets import PaymentSigner
from sidecar.wallets.eip712 import checksum_address
from sidecar.wallets.evm import EvmAccount, EvmWallet, parse_private_key
from sidecar.x402.encode import payment_header
from sidecar.x402.types import Authorization, PaymentRequirements

KEY = bytes.fromhex("23743fd5295575c10513b10004d6fbdc35365878a5cd99b396629fb5b0e65fd1")
ADDRESS = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
BASE = usdc_on("eip155:8453")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
NONCE = b"\xab" * 32
AT = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
VALIDITY_S = 300
REQUIREMENTS = PaymentRequirements(
    scheme="exact",
    network="eip155:8453",
    asset=BASE.address.lower(),
    amount="10000000",
    pay_to=PAYEE.lower(),
    max_timeout_seconds=300,
    extra={"name": "Somebody Else's Coin", "version": "9"},
    original={},
)


def value_of(exchange: Exchange[Authorization]) -> Authorization:
    """What a conversation that asks nothing returns."""
    with pytest.raises(StopIteration) as done:
        next(exchange)
    result: Authorization = done.value.value
    return result


def authorization() -> Authorization:
    """Ten USDC on Base, ready to be signed."""
    wallet = EvmWallet(KEY)
    return value_of(wallet.authorize(REQUIREMENTS, Usdc(10_000_000), NONCE, AT, VALIDITY_S))


def with_fields(**changed: str) -> Authorization:
    """The same authorization, with fields that somebody has changed."""
    known = authorization()
    return replace(known, fields={**known.fields, **changed})


def test_authorize() -> None:
    """An authorization has our token and checksums, and expires at a whole second."""
    nonce = "0x" + "ab" * 32
    expected = Authorization(
        network="eip155:8453",
        identity=nonce,
        expires_at=datetime(2026, 1, 2, 3, 9, 5, tzinfo=UTC),
        fields={
            "from": ADDRESS,
            "to": PAYEE,
            "value": "10000000",
            "validAfter": "0",
            "validBefore": "1767323345",
            "nonce": nonce,
            "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
        },
    )
    assert expected == authorization()


@pytest.mark.parametrize("extra", [{}, {"primaryType": "TransferWithAuthorization"}])
def test_upto_transfer(extra: dict[str, Any]) -> None:
    """Under upto a transfer is authorized as under exact: for all of the amount."""
    upto = replace(REQUIREMENTS, scheme="upto", extra=extra)
    exchange = EvmWallet(KEY).authorize(upto, Usdc(10_000_000), NONCE, AT, VALIDITY_S)

    assert authorization() == value_of(exchange)


def test_whole_seconds() -> None:
    """The expiry that is written down is the one that is signed, to the second."""
    known = authorization()

    assert (AT + timedelta(seconds=VALIDITY_S)).replace(microsecond=0) == known.expires_at
    assert str(int(known.expires_at.timestamp())) == known.fields["validBefore"]


def test_sign() -> None:
    """The payload holds the transfer's six fields and a signature of 65 bytes."""
    payload = EvmWallet(KEY).sign(authorization())

    fields = dict(authorization().fields)
    del fields["asset"]
    assert ["signature", "authorization"] == list(payload)
    assert fields == payload["authorization"]
    assert 132 == len(payload["signature"])


def test_header() -> None:
    """What a wallet signs goes into the header byte for byte as JSON writes it."""
    payload = EvmWallet(KEY).sign(authorization())
    envelope = {"header": "PAYMENT-SIGNATURE", "encoding": "json", "document": {"x402Version": 2}}
    document = {"x402Version": 2, "payload": dict(payload)}

    _, text = payment_header(envelope, payload)

    assert json.dumps(document, separators=(",", ":")) == text
    assert payment_header(envelope, dict(payload)) == payment_header(envelope, payload)


def test_same_bytes() -> None:
    """The same authorization is signed with the same bytes, by a wallet made anew."""
    assert EvmWallet(KEY).sign(authorization()) == EvmWallet(KEY).sign(authorization())


def test_as_the_library_signs() -> None:
    """A signature is what the library gives for it, whatever any thread signed before."""
    wallet, account, key = EvmWallet(KEY), EvmAccount(ADDRESS), PrivateKey(KEY)
    nonces = [hashlib.sha256(bytes([number])).digest() for number in range(64)]
    drawn = [
        value_of(account.authorize(REQUIREMENTS, Usdc(1), nonce, AT, 60)) for nonce in nonces
    ] * 8
    raw = [key.sign_recoverable(account.digest(each), hasher=None) for each in drawn]
    expected = [f"0x{each[:64].hex()}{27 + each[64]:02x}" for each in raw]

    assert expected == [wallet.sign(each)["signature"] for each in drawn]
    with ThreadPoolExecutor(8) as threads:
        assert expected == [each["signature"] for each in threads.map(wallet.sign, drawn)]


def test_no_signature() -> None:
    """Where none is made, none is given out, and not the one that was made before."""
    wallet = EvmWallet(KEY)
    wallet.sign(authorization())
    # No key, so that the library refuses it.
    wallet._key.secret = bytes(32)

    with pytest.raises(AssertionError):
        wallet.sign(authorization())


def test_drawn_by_another() -> None:
    """What one wallet drew up another does not sign, although its digest is there already."""
    with pytest.raises(WalletError):
        EvmWallet(bytes(31) + b"\7").sign(authorization())


def test_as_if_stored() -> None:
    """What a wallet drew up is signed as when it comes back from a ledger, and is equal to it."""
    wallet = EvmWallet(KEY)
    drawn = value_of(wallet.authorize(REQUIREMENTS, Usdc(10_000_000), NONCE, AT, VALIDITY_S))
    stored = replace(drawn)

    assert drawn.drawn is not None
    assert stored.drawn is None
    assert drawn == stored
    assert wallet.sign(stored) == wallet.sign(drawn)


def test_changed_since() -> None:
    """What was changed after it was drawn up is looked at again: nothing of its digest is left."""
    wallet = EvmWallet(KEY)
    drawn = value_of(wallet.authorize(REQUIREMENTS, Usdc(10_000_000), NONCE, AT, VALIDITY_S))
    changed = replace(drawn, fields={**drawn.fields, "value": "20000000"})
    wrong = replace(drawn, fields={**drawn.fields, "validBefore": "1"})

    assert wallet.sign(drawn)["signature"] != wallet.sign(changed)["signature"]
    with pytest.raises(WalletError):
        wallet.sign(wrong)


def test_low_s_and_v() -> None:
    """Signatures have an s in the lower half, and a v of 27 or 28."""
    wallet = EvmWallet(KEY)
    recoveries = set()
    for number in range(32):
        nonce = hashlib.sha256(bytes([number])).digest()
        signed = wallet.sign(value_of(wallet.authorize(REQUIREMENTS, Usdc(1), nonce, AT, 60)))
        signature = bytes.fromhex(signed["signature"][2:])
        assert int.from_bytes(signature[32:64], "big") <= ORDER // 2
        recoveries.add(signature[64])

    assert {27, 28} == recoveries


@pytest.mark.parametrize(
    ("changed", "amount", "nonce"),
    [
        ({"network": "eip155:1514"}, 1, NONCE),
        ({"network": SOLANA, "asset": usdc_on(SOLANA).address}, 1, NONCE),
        ({"scheme": "batch-settlement"}, 1, NONCE),
        ({"extra": {"primaryType": "ReceiveWithAuthorization"}}, 1, NONCE),
        ({"extra": {"primaryType": "Permit"}}, 1, NONCE),
        ({"asset": PAYEE}, 1, NONCE),
        ({"pay_to": ADDRESS.lower()}, 1, NONCE),
        ({"pay_to": "vitalik.eth"}, 1, NONCE),
        ({}, 0, NONCE),
        ({}, 1, NONCE[:31]),
        ({}, 1, NONCE + b"\x00"),
    ],
)
def test_not_authorized(changed: dict[str, Any], amount: int, nonce: bytes) -> None:
    """What could not be signed is not authorized either."""
    exchange = EvmWallet(KEY).authorize(
        replace(REQUIREMENTS, **changed), Usdc(amount), nonce, AT, VALIDITY_S
    )

    with pytest.raises(WalletError):
        next(exchange)


def test_naive_time() -> None:
    """A time without a time zone is a bug."""
    exchange = EvmWallet(KEY).authorize(
        REQUIREMENTS, Usdc(1), NONCE, AT.replace(tzinfo=None), VALIDITY_S
    )

    with pytest.raises(AssertionError):
        next(exchange)


@pytest.mark.parametrize(
    "odd",
    [
        replace(authorization(), fields={}),
        replace(authorization(), network="eip155:1"),
        replace(authorization(), network="base"),
        replace(authorization(), network=SOLANA),
        replace(authorization(), identity="0x" + "cd" * 32),
        replace(authorization(), expires_at=datetime(2036, 1, 1, tzinfo=UTC)),
        with_fields(**{"from": PAYEE}),
        with_fields(**{"from": ADDRESS.lower()}),
        with_fields(to="0x"),
        with_fields(to=PAYEE.lower()),
        with_fields(to=ADDRESS),
        with_fields(value="0"),
        with_fields(value="1e9"),
        with_fields(value="-1"),
        with_fields(validAfter="1"),
        with_fields(validBefore="9999999999"),
        with_fields(validBefore="01767323345"),
        with_fields(nonce="0x"),
        with_fields(nonce="0x" + "AB" * 32),
        with_fields(asset=PAYEE),
        with_fields(primaryType="Permit"),
        with_fields(primaryType="TransferWithAuthorization"),
    ],
)
def test_not_signed(odd: Authorization) -> None:
    """At the signing point every field is looked at again, whatever the ledger gave back."""
    with pytest.raises(WalletError):
        EvmWallet(KEY).sign(odd)


def test_is_signer() -> None:
    """The wallet is what the money path asks for, and knows its own address."""
    signer: PaymentSigner = EvmWallet(KEY)

    assert ADDRESS == signer.address


def message(**changed: Any) -> SignInMessage:
    """A sign-in with this wallet, but for what is changed."""
    fields = {
        "domain": "seller.example",
        "address": ADDRESS,
        "uri": "https://seller.example/",
        "network": BASE.network,
        "nonce": "0123456789abcdef",
        "issued_at": "2026-01-02T03:04:05Z",
    }
    return SignInMessage(**{**fields, **changed})


def test_sign_in() -> None:
    """A sign-in is signed as EIP-191 has it, with the wallet's own key."""
    signer: SignIn = EvmWallet(KEY)
    text = message().text()

    signature = signer.sign_in(message())

    recovered = Account.recover_message(encode_defunct(text=text), signature=signature)
    assert ADDRESS == recovered == signer.address


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"address": PAYEE}, f"a sign-in of {PAYEE}, and this is {ADDRESS}"),
        ({"address": ADDRESS.lower()}, "a sign-in of 0xa78"),
        (
            {"network": SOLANA, "address": "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"},
            "this is an EVM wallet",
        ),
    ],
)
def test_not_signed_in(changed: dict[str, Any], reason: str) -> None:
    """A sign-in of somebody else, or on another kind of chain, is not signed."""
    with pytest.raises(WalletError, match=reason):
        EvmWallet(KEY).sign_in(message(**changed))


@pytest.mark.parametrize(
    "key",
    [b"", b"\x01", bytes(32), ORDER.to_bytes(32, "big"), b"\xff" * 32, bytes(31) + b"\x01\x01"],
)
def test_not_a_key(key: bytes) -> None:
    """Zero, the curve's order and beyond, and other lengths are not keys."""
    with pytest.raises(WalletError, match="not a private key"):
        EvmWallet(key)


@pytest.mark.parametrize("key", [1, ORDER - 1])
def test_edge_keys(key: int) -> None:
    """The smallest and the largest key make wallets."""
    public_key = PublicKey.from_secret(key.to_bytes(32, "big"))

    assert 65 == len(public_key.format(compressed=False))
    assert EvmWallet(key.to_bytes(32, "big")).address.startswith("0x")


def test_repr() -> None:
    """A wallet shows its address, and nothing of its key."""
    assert f"EvmWallet({ADDRESS})" == repr(EvmWallet(KEY))
    assert not hasattr(EvmWallet(KEY), "__dict__")


@pytest.mark.parametrize(
    "address",
    [  # EIP-55's own examples
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
)
def test_checksum(address: str) -> None:
    """An address in any case gets EIP-55's."""
    others = {address, address.lower(), "0x" + address[2:].upper()}

    assert {address} == {checksum_address(other) for other in others}


@pytest.mark.parametrize("address", ["", "0x", "0X" + "1" * 40, "1" * 40, "0x" + "g" * 40])
def test_no_checksum(address: str) -> None:
    """What is not an address has no checksum."""
    with pytest.raises(WalletError, match="not an EVM address"):
        checksum_address(address)


@pytest.mark.parametrize(
    "text", [KEY.hex(), "0x" + KEY.hex(), f"  0x{KEY.hex()}\r\n", KEY.hex().upper()]
)
def test_parse_key(text: str) -> None:
    """A key is read with 0x or without, in either case, whatever white space is around it."""
    assert KEY == parse_private_key(text)


@pytest.mark.parametrize(
    "text", ["", KEY.hex()[1:], KEY.hex() + "0", "0x0x" + KEY.hex(), "correct horse", "\u0661" * 64]
)
def test_not_a_key_text(text: str) -> None:
    """What is not a key is refused in words that hold nothing of it."""
    with pytest.raises(WalletError) as refused:
        parse_private_key(text)

    assert (
        "not a private key: it must be 64 hexadecimal digits, 0x before or not"
        == refused.value.diagnostics()
    )


def test_signs_for_each_network() -> None:
    """The same transfer on two networks has two signatures: the domain tells them apart."""
    wallet = EvmWallet(KEY)
    signatures = set()
    for network in ("eip155:8453", "eip155:84532"):
        there = replace(REQUIREMENTS, network=network, asset=usdc_on(network).address)
        signed: Mapping[str, Any] = wallet.sign(
            value_of(wallet.authorize(there, Usdc(1), NONCE, AT, VALIDITY_S))
        )
        signatures.add(signed["signature"])

    assert 2 == len(signatures)
