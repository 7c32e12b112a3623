"""Nonces that every process with the same key makes alike: the second lock against paying twice.

The ledger keeps a purchase from being paid twice. Replicas whose ledgers have parted (one was
lost, put back from a backup, or promoted without its last rows) would each pay. Where both sign
under one nonce, the token takes either authorization and never the other, whatever their payees,
amounts and validities (EIP-3009).

A nonce tells a stranger nothing: it is an HMAC under a secret that only the key gives. The secret
gives neither the key nor a signature, so a signer may hand it to the proxy that asks it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re

from sidecar.errors import WalletError

_SECRET = re.compile(r"[0-9a-f]{64}", re.ASCII)
# Never changed: a replica of another version would make other nonces of the same purchase.
_DOMAIN = b"x402-sidecar: the nonces of purchases"


class NonceSecret:
    """What one key's nonces are made with."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        assert len(secret) == 32
        self._secret = secret

    @classmethod
    def of(cls, private_key: bytes) -> NonceSecret:
        """The one of this key."""
        return cls(hmac.digest(private_key, _DOMAIN, hashlib.sha256))

    @classmethod
    def parse(cls, text: object) -> NonceSecret:
        """The one that ``text`` writes. WalletError when it is none; it is not in the message."""
        if not isinstance(text, str) or _SECRET.fullmatch(text) is None:
            raise WalletError("not a secret for nonces: 64 hexadecimal digits")
        return cls(bytes.fromhex(text))

    def reveal(self) -> str:
        """The secret itself, in hexadecimal."""
        return self._secret.hex()

    def __repr__(self) -> str:
        return "NonceSecret(***)"

    def nonce(self, network: str, purchase: str, since: int, ordinal: int) -> bytes:
        """The 32 bytes of the payment that is this purchase's ``ordinal``-th since then."""
        # JSON keeps the parts apart. On another network it is another nonce, or whoever reads
        # both chains would see that the two were for one purchase.
        parts = json.dumps([network, purchase, since, ordinal])
        return hmac.digest(self._secret, parts.encode(), hashlib.sha256)
