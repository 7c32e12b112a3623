"""An EVM key that signs EIP-3009 transfers, and nothing else.

The EIP-712 digest is made here from typed values and our own row for the token: a server chooses
no byte of it but the payee and the amount, and those were checked by the policy.
Signatures are deterministic (RFC 6979), with low s and v of 27 or 28: the same authorization
gives the same bytes after a restart. Source: EIP-712, EIP-3009, x402.md 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from coincurve import PrivateKey
from Crypto.Hash import keccak

from sidecar.chains import Asset, find_asset
from sidecar.errors import WalletError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.x402.types import Authorization, PaymentRequirements

_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_ADDRESS = re.compile(r"0x([0-9a-fA-F]{40})", re.ASCII)
_NONCE = re.compile(r"0x([0-9a-f]{64})", re.ASCII)
# What a transfer says, in the order of its EIP-712 type.
_FIELDS = ("from", "to", "value", "validAfter", "validBefore", "nonce")


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


_DOMAIN_TYPE = _keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_TRANSFER_TYPE = _keccak(
    b"TransferWithAuthorization(address from,address to,uint256 value,"
    b"uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)


@cache
def domain_separator(asset: Asset) -> bytes:
    """The EIP-712 domain separator of a token; computed once for each row that we have."""
    return _keccak(
        _DOMAIN_TYPE
        + _keccak(asset.domain_name.encode())
        + _keccak(asset.domain_version.encode())
        + asset.chain_id.to_bytes(32, "big")
        + _address_word(asset.address)
    )


@lru_cache(maxsize=1024)
def checksum_address(address: str) -> str:
    """The address in EIP-55's case. WalletError when it is none."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise WalletError("not an EVM address: 0x and 40 hexadecimal digits")
    digits = match[1].lower()
    marks = _keccak(digits.encode("ascii")).hex()
    cased = (
        digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False)
    )
    return "0x" + "".join(cased)


def parse_private_key(text: str) -> bytes:
    """A private key as people keep it: 64 hexadecimal digits, with or without 0x.

    WalletError when it is not one; what it says never holds any of ``text``.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise WalletError("not a private key: it must be 64 hexadecimal digits, 0x before or not")
    return bytes.fromhex(match[1])


class EvmWallet:
    """One private key, and the transfers that it signs."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        """WalletError when these are not 32 bytes that make a secp256k1 key."""
        try:
            # The library would fill up a shorter one with zeros.
            if len(private_key) != 32:
                raise ValueError
            self._key = PrivateKey(private_key)
        except ValueError:
            # From None: a traceback must not lead to the bytes.
            raise WalletError("not a private key: zero, or out of the curve's range") from None
        public_key = self._key.public_key.format(compressed=False)
        self.address = checksum_address("0x" + _keccak(public_key[1:])[-20:].hex())

    def __repr__(self) -> str:
        return f"EvmWallet({self.address})"

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        expires_at: datetime,
    ) -> Generator[HttpRequest, HttpResponse, Authorization]:
        """See ``PaymentSigner``. Expiry is cut to whole seconds, as the chain counts."""
        # EIP-3009 has nothing to ask a chain about: its nonces are random.
        yield from ()
        assert expires_at.tzinfo is not None
        asset = find_asset(requirements.network, requirements.asset)
        if asset is None:
            raise WalletError(f"no token of ours on {requirements.network} has this address")
        authorization = Authorization(
            network=asset.network,
            identity="0x" + nonce.hex(),
            expires_at=expires_at.replace(microsecond=0),
            fields={
                "from": self.address,
                # Some facilitators refuse an address that is not in EIP-55's case.
                "to": checksum_address(requirements.pay_to),
                "value": str(amount.atomic),
                # Never "a while ago": with zero, a clock that is ahead of the chain's is no matter.
                "validAfter": "0",
                "validBefore": str(int(expires_at.timestamp())),
                "nonce": "0x" + nonce.hex(),
                "asset": asset.address,
            },
        )
        # What could not be signed must not be written down either.
        self._digest(authorization)
        return authorization

    def sign(self, authorization: Authorization) -> dict[str, Any]:
        """The payload of scheme ``exact``. WalletError when the authorization is not ours."""
        digest = self._digest(authorization)
        signature = self._key.sign_recoverable(digest, hasher=None)
        recovery = signature[64]
        # 2 and 3 mean that r passed the group's order: as likely as guessing the key.
        assert recovery < 2
        fields = authorization.fields
        return {
            "signature": "0x" + signature[:64].hex() + bytes([27 + recovery]).hex(),
            "authorization": {name: fields[name] for name in _FIELDS},
        }

    def _digest(self, authorization: Authorization) -> bytes:
        """What is signed, made from fields that are checked here, wherever they come from."""
        fields = authorization.fields
        if not fields.keys() >= {*_FIELDS, "asset"}:
            raise WalletError("an authorization that lacks a field")
        if fields["from"] != self.address:
            raise WalletError(f"a transfer from {fields['from']}, and this is {self.address}")
        if fields["to"] != checksum_address(fields["to"]):
            raise WalletError("a payee whose address is not in EIP-55's case")
        asset = find_asset(authorization.network, fields["asset"])
        if asset is None:
            raise WalletError(f"no token of ours on {authorization.network} has this address")
        value = Usdc.from_wire(fields["value"])
        if value is None:
            raise WalletError("a transfer of something that is not an amount")
        nonce = _NONCE.fullmatch(fields["nonce"])
        if nonce is None or fields["nonce"] != authorization.identity:
            raise WalletError("a nonce that is not this authorization's 32 bytes")
        expires_at = int(authorization.expires_at.timestamp())
        if fields["validAfter"] != "0" or fields["validBefore"] != str(expires_at):
            raise WalletError("a validity that is not this authorization's")
        transfer = _keccak(
            _TRANSFER_TYPE
            + _address_word(self.address)
            + _address_word(fields["to"])
            + value.atomic.to_bytes(32, "big")
            + bytes(32)
            + expires_at.to_bytes(32, "big")
            + bytes.fromhex(nonce[1])
        )
        return _keccak(b"\x19\x01" + domain_separator(asset) + transfer)


def _address_word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])
