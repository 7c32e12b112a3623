"""Payments built with eth_account alone: good ones, and ones with exactly one thing wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from sidecar.chains import usdc_on
from sidecar.sandbox import PAY_TO

PAYER: LocalAccount = Account.from_key("0x" + "11" * 32)
STRANGER: LocalAccount = Account.from_key("0x" + "22" * 32)

FIELDS = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "validAfter", "type": "uint256"},
    {"name": "validBefore", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
]


@dataclass(frozen=True, slots=True)
class Build:
    """What goes into a payment. `replace` it to change one thing; the signature follows suit."""

    now_s: int
    signer: LocalAccount = field(default=PAYER)
    payer: str = PAYER.address
    to: str = PAY_TO
    value: int = 10_000
    valid_after: int = 0
    valid_for_s: int = 120
    nonce: str = "0x" + "ab" * 32
    network: str = "eip155:84532"
    domain: Mapping[str, object] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """The authorization and its signature, as both x402 versions carry them."""
        asset = usdc_on(self.network)
        domain = {
            "name": asset.domain_name,
            "version": asset.domain_version,
            "chainId": asset.chain_id,
            "verifyingContract": asset.address,
            **self.domain,
        }
        message = {
            "from": bytes.fromhex(self.payer[2:]),
            "to": bytes.fromhex(self.to[2:]),
            "value": self.value,
            "validAfter": self.valid_after,
            "validBefore": self.now_s + self.valid_for_s,
            "nonce": bytes.fromhex(self.nonce[2:]),
        }
        signed = self.signer.sign_typed_data(domain, {"TransferWithAuthorization": FIELDS}, message)
        return {
            "signature": "0x" + bytes(signed.signature).hex(),
            "authorization": {
                "from": self.payer,
                "to": self.to,
                "value": str(self.value),
                "validAfter": str(self.valid_after),
                "validBefore": str(self.now_s + self.valid_for_s),
                "nonce": self.nonce,
            },
        }

    def v2(self, required: Mapping[str, Any], entry: int = 0) -> dict[str, Any]:
        """The v2 payment for one entry of a decoded challenge."""
        return {
            "x402Version": 2,
            "payload": self.payload(),
            "accepted": required["accepts"][entry],
            "resource": required.get("resource"),
        }

    def v1(self, required: Mapping[str, Any], entry: int = 0) -> dict[str, Any]:
        """The v1 payment for one entry of a decoded challenge."""
        offer = required["accepts"][entry]
        return {
            "x402Version": 1,
            "scheme": offer["scheme"],
            "network": offer["network"],
            "payload": self.payload(),
        }

    def number(self, count: int) -> Build:
        """The same payment with the nonce of this number."""
        return replace(self, nonce=f"0x{count:064x}")


def encode(document: object) -> str:
    """A header value."""
    return base64.b64encode(json.dumps(document).encode()).decode()


def decode(header: str) -> dict[str, Any]:
    """What a header value says."""
    document = json.loads(base64.b64decode(header, validate=True))
    assert isinstance(document, dict)
    return document
