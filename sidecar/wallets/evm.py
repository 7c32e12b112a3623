"""An EVM key that signs sign-ins, EIP-3009 transfers and EIP-2612 Permits, and nothing else.

The EIP-712 digest is made here from typed values and our own row for the token: a server chooses
no byte of it but the payee and the amount, and those were checked by the policy.
Signatures are deterministic (RFC 6979), with low s and v of 27 or 28: the same authorization
gives the same bytes after a restart.

A Permit lets the payee take up to its value, at any time once it was used: it counts in full.
On the wire it looks like a transfer whose nonce is the Permit's number (thirdweb's dialect).
Source: EIP-712, EIP-3009, EIP-2612, x402.md 2.1, providers.md 3.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from coincurve import PrivateKey
from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found]  # it is C

from sidecar.chains import is_evm
from sidecar.errors import WalletError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.siwx import SignInMessage
from sidecar.wallets import KeyHolder
from sidecar.wallets.eip712 import (
    checksum_address,
    permit_digest,
    token_of,
    transfer_digest,
)
from sidecar.wallets.keccak import keccak256
from sidecar.wallets.nonces import NonceSecret
from sidecar.wallets.permit import PermitNumbers, next_number
from sidecar.x402.encode import TransferPayload
from sidecar.x402.select import PERMIT, primary_type
from sidecar.x402.types import Authorization, PaymentRequirements

_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_NONCE = re.compile(r"0x([0-9a-f]{64})", re.ASCII)
# What is signed, by the names that it has on the wire.
_FIELDS = ("from", "to", "value", "validAfter", "validBefore", "nonce")
_of_transfer = itemgetter(*_FIELDS)
_signed = itemgetter(*_FIELDS, "asset")
# By the recovery id that goes with a signature.
_V = ("1b", "1c")
# What the library signs into, and with which function it makes nonces: its own (RFC 6979).
_INTO = tuple(
    map(ffi.typeof, ("secp256k1_ecdsa_recoverable_signature *", "unsigned char[64]", "int *"))
)
_RFC_6979 = ffi.NULL


def parse_private_key(text: str) -> bytes:
    """A private key as people keep it: 64 hexadecimal digits, with or without 0x.

    WalletError when it is not one; what it says never holds any of ``text``.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise WalletError("not a private key: it must be 64 hexadecimal digits, 0x before or not")
    return bytes.fromhex(match[1])


class EvmAccount:
    """An address, and what it may give its signature for: all of a wallet but the key.

    ``rpc_urls`` say by network where to ask for a Permit's number.
    """

    __slots__ = ("_numbers", "_rpc_urls", "address")

    def __init__(self, address: str, rpc_urls: Mapping[str, str] = MappingProxyType({})) -> None:
        """WalletError when it is no address."""
        self.address = checksum_address(address)
        self._rpc_urls = rpc_urls
        self._numbers = PermitNumbers()

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> Generator[HttpRequest, HttpResponse, Authorization]:
        """See ``PaymentSigner``. Expiry is cut to whole seconds, as the chain counts.

        A transfer asks the chain nothing: its nonce is ``nonce``, which is random. A Permit's is
        the chain's next number, and WalletBusyError while an earlier Permit has that.
        """
        assert at.tzinfo is not None
        asset = token_of(requirements.network, requirements.asset)
        until = int(at.timestamp()) + validity_s
        fields = {
            "from": self.address,
            # Some facilitators refuse an address that is not in EIP-55's case.
            "to": checksum_address(requirements.pay_to),
            "value": str(amount.atomic),
            # Never "a while ago": with zero, a clock that is ahead of the chain's is no matter.
            "validAfter": "0",
            "validBefore": str(until),
            "nonce": "0x" + nonce.hex(),
            "asset": asset.address,
        }
        number = None
        if _wants_permit(requirements):
            url = self._rpc_urls.get(asset.network)
            if url is None:
                raise WalletError(
                    "a Permit takes a number from its chain, and no RPC endpoint is configured: "
                    f"set chains.{asset.network}.rpc"
                )
            number, since = yield from next_number(url, asset, self.address)
            fields |= {
                "nonce": f"0x{number:064x}",
                "primaryType": PERMIT,
                # Not signed: where to look for what became of it.
                "sinceBlock": str(since),
            }
        expires_at = datetime.fromtimestamp(until, UTC)
        authorization = Authorization(asset.network, _identity(fields), expires_at, fields)
        # What could not be signed must not be written down either.
        object.__setattr__(authorization, "drawn", (self, self.digest(authorization)))
        if number is not None:
            # The last thing, in one step: of two that asked at once only one gets the number.
            self._numbers.give(asset, number, at)
        return authorization

    def to_sign(self, authorization: Authorization) -> bytes:
        """``digest``, to be signed now: a Permit's number is out from here on."""
        drawer, digest = authorization.drawn or (None, b"")
        if drawer is not self:
            digest = self.digest(authorization)
        fields = authorization.fields
        if "primaryType" in fields:
            asset = token_of(authorization.network, fields["asset"])
            self._numbers.signed(asset, int(fields["nonce"], 16), authorization.expires_at)
        return digest

    def digest(self, authorization: Authorization) -> bytes:
        """What is signed, made from fields that are checked here, wherever they come from.

        WalletError when it is not this account's to sign.
        """
        fields, expires_at = authorization.fields, int(authorization.expires_at.timestamp())
        try:
            payer, payee, value, after, before, nonce, token = _signed(fields)
        except KeyError:
            raise WalletError("an authorization that lacks a field") from None
        if payer != self.address:
            raise WalletError(f"a transfer from {payer}, and this is {self.address}")
        if payee == self.address:
            raise WalletError("a payment to ourselves")
        number = _NONCE.fullmatch(nonce)
        if number is None or _identity(fields) != authorization.identity:
            raise WalletError("a nonce that is not this authorization's 32 bytes")
        if after != "0" or before != str(expires_at):
            raise WalletError("a validity that is not this authorization's")
        parties, unique = (payer, payee), bytes.fromhex(number[1])
        match fields.get("primaryType"):
            case None:
                return transfer_digest(
                    authorization.network, token, parties, value, expires_at, unique
                )
            case "Permit":
                return permit_digest(
                    authorization.network, token, parties, value, unique, expires_at
                )
            case _:
                raise WalletError("an authorization of a kind that we do not sign")


class EvmWallet(KeyHolder):
    """One private key, and what it signs; ``rpc_urls`` as for its account."""

    __slots__ = ("_account", "_key", "_spare", "address")

    def __init__(
        self, private_key: bytes, rpc_urls: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """WalletError when these are not 32 bytes that make a secp256k1 key."""
        try:
            # The library would fill up a shorter one with zeros.
            if len(private_key) != 32:
                raise ValueError
            self._key = PrivateKey(private_key)
        except ValueError:
            # From None: a traceback must not lead to the bytes.
            raise WalletError("not a private key: zero, or out of the curve's range") from None
        # As many as threads have signed at once.
        self._spare: list[tuple[Any, Any, Any, Any]] = []
        public_key = self._key.public_key.format(compressed=False)
        self._account = EvmAccount("0x" + keccak256(public_key[1:])[-20:].hex(), rpc_urls)
        self.address = self._account.address

    def __repr__(self) -> str:
        return f"EvmWallet({self.address})"

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> Generator[HttpRequest, HttpResponse, Authorization]:
        """See ``EvmAccount.authorize``: no key is needed for it."""
        return self._account.authorize(requirements, amount, nonce, at, validity_s)

    def nonce_secret(self) -> NonceSecret:
        """What the nonces of this key's purchases are derived from."""
        return NonceSecret.of(self._key.secret)

    def sign_in(self, message: SignInMessage) -> str:
        """See ``siwx.SignIn``: EIP-191, as 0x-hex of 65 bytes."""
        if not is_evm(message.network):
            raise WalletError(f"a sign-in on {message.network}, and this is an EVM wallet")
        if message.address != self.address:
            raise WalletError(f"a sign-in of {message.address}, and this is {self.address}")
        text = message.text().encode()
        return self._sign(keccak256(b"\x19Ethereum Signed Message:\n%d" % len(text) + text))

    def sign(self, authorization: Authorization) -> dict[str, Any]:
        """The payload of ``exact`` and ``upto``. WalletError when it is not ours to sign."""
        # Of what is signed each word was read: none has a character that JSON would escape.
        signature = self._sign(self._account.to_sign(authorization))
        signed = zip(_FIELDS, _of_transfer(authorization.fields), strict=True)
        return TransferPayload(signature=signature, authorization=dict(signed))

    def _sign(self, digest: bytes) -> str:
        # As the library's ``sign_recoverable`` does, without the objects that it makes each time:
        # the key goes to the same function of C. What it signs into is a thread's own meanwhile.
        assert len(digest) == 32
        try:
            signature, compact, recovery_id, read = self._spare.pop()
        except IndexError:
            signature, compact, recovery_id = map(ffi.new, _INTO)
            read = ffi.buffer(compact)
        key = self._key
        context = key.context.ctx
        made = lib.secp256k1_ecdsa_sign_recoverable(
            context, signature, digest, key.secret, _RFC_6979, ffi.NULL
        )
        assert made == 1
        lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(
            context, compact, recovery_id, signature
        )
        # 2 and 3 mean that r passed the group's order: as likely as guessing the key.
        parity = recovery_id[0]
        assert 0 <= parity < 2
        written = f"0x{read[:].hex()}{_V[parity]}"
        self._spare.append((signature, compact, recovery_id, read))
        return written


def _wants_permit(requirements: PaymentRequirements) -> bool:
    """Whether this is paid by a Permit; else by a transfer. WalletError when by neither."""
    kind = primary_type(requirements.extra)
    # Under exact the payee is promised the amount, which a Permit does not give.
    if kind is None or requirements.scheme not in ("exact", "upto"):
        raise WalletError("a payment of a kind that we do not sign")
    if kind == PERMIT and requirements.scheme == "exact":
        raise WalletError("an exact payment by a Permit")
    return kind == PERMIT


def _identity(fields: Mapping[str, str]) -> str:
    """What the chain knows it by: a transfer by its nonce, a Permit by who, for whom and when."""
    if "primaryType" not in fields:
        return fields["nonce"]
    return f"permit:{fields['from']}:{fields['to']}:{int(fields['nonce'], 16)}"
