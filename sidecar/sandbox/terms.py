"""The seller's terms: what it offers, and the challenge that says so.

x402 v2 puts the challenge into the PAYMENT-REQUIRED header over the body ``{}``; v1 puts it into
the body (x402.md 1.2 and 1.5, both captured from the official sellers).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from sidecar.chains import V1_NETWORKS, usdc_on
from sidecar.sandbox.identifiers import DECLARATION, IDENTIFIER
from sidecar.sandbox.options import SandboxOptions
from sidecar.values import dataclass

DESCRIPTION = "A call to the sandbox seller"
MIME_TYPE = "application/json"

_V1_NAMES = {network: name for name, network in V1_NETWORKS.items()}


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of ``accepts``: a way in which this seller will be paid."""

    scheme: str
    network: str
    asset: str
    # A seller may write a number where the specification wants a string.
    amount: str | int
    pay_to: str
    max_timeout_seconds: int
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def v1_network(self) -> str:
        """The network as v1 spells it; one without a v1 name keeps the name it has."""
        return _V1_NAMES.get(self.network, self.network)

    def v2(self) -> dict[str, object]:
        """The entry as x402 v2 writes it."""
        return {
            "scheme": self.scheme,
            "network": self.network,
            "asset": self.asset,
            "amount": self.amount,
            "payTo": self.pay_to,
            "maxTimeoutSeconds": self.max_timeout_seconds,
            "extra": dict(self.extra),
        }

    def v1(self, url: str, output: object) -> dict[str, object]:
        """The entry as x402 v1 writes it, with the resource inside."""
        return {
            "scheme": self.scheme,
            "network": self.v1_network,
            "maxAmountRequired": self.amount,
            "resource": url,
            "description": DESCRIPTION,
            "mimeType": MIME_TYPE,
            "outputSchema": {"input": {"type": "http", "discoverable": True}, "output": output},
            "payTo": self.pay_to,
            "maxTimeoutSeconds": self.max_timeout_seconds,
            "asset": self.asset,
            "extra": dict(self.extra),
        }


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 402 carries."""

    headers: Mapping[str, str]
    body: bytes


def encoded(document: object) -> str:
    """A header value: JSON in standard padded base64."""
    return base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()


class Terms:
    """The honest offer, and challenges in the version and dialect that the options ask for."""

    def __init__(self, options: SandboxOptions, solana: Callable[[], Offer] | None = None) -> None:
        self._options = options
        self._solana = solana if options.solana else None
        asset = usdc_on(options.network)
        self._evm = Offer(
            scheme="exact",
            network=options.network,
            asset=asset.address,
            amount=str(options.price.atomic),
            pay_to=options.pay_to,
            max_timeout_seconds=options.max_timeout_seconds,
            extra={
                "name": asset.domain_name,
                "version": asset.domain_version,
                **options.extra,
            },
        )
        self.extensions: dict[str, dict[str, object]] = {}
        if options.payment_identifier:
            self.extensions[IDENTIFIER] = DECLARATION
        if options.challenge_padding_bytes:
            self.extensions["bazaar"] = {"info": {"output": "." * options.challenge_padding_bytes}}

    @property
    def offer(self) -> Offer:
        """The honest offer; the first of them, where there are two."""
        return self.offers[0]

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Every honest offer. Solana's may name another blockhash each time."""
        evm = (self._evm,) if self._options.evm else ()
        return (*evm, self._solana()) if self._solana is not None else evm

    def challenge(self, url: str, offers: Sequence[Offer], error: str | None = None) -> Challenge:
        """The 402 for this resource; `error` says what was wrong with a payment."""
        if self._options.x402_version == 1:
            return self._v1(url, offers, error or "No X-PAYMENT header provided")
        document: dict[str, object] = {
            "x402Version": 2,
            "error": error or "Payment required",
            "resource": {"url": url, "description": DESCRIPTION, "mimeType": MIME_TYPE},
            "accepts": [offer.v2() for offer in offers],
        }
        if self.extensions:
            document["extensions"] = self.extensions
        if self._options.challenge_in_body:
            return Challenge({}, json.dumps(document).encode())
        return Challenge({"PAYMENT-REQUIRED": encoded(document)}, b"{}")

    def echoed_by(self, extensions: Mapping[str, object]) -> bool:
        """Whether a payment that sends extensions sends back all that was declared."""
        if not extensions:
            return True
        return all(
            isinstance(sent := extensions.get(name), dict)
            and _includes(sent.get("info"), declared["info"])
            for name, declared in self.extensions.items()
        )

    def _v1(self, url: str, offers: Sequence[Offer], error: str) -> Challenge:
        padding = self._options.challenge_padding_bytes
        output = "." * padding if padding else None
        accepts = [offer.v1(url, output) for offer in offers]
        document = {"x402Version": 1, "error": error, "accepts": accepts}
        return Challenge({}, json.dumps(document).encode())


def _includes(sent: object, declared: object) -> bool:
    if not isinstance(sent, dict) or not isinstance(declared, dict):
        return False
    return all(key in sent and sent[key] == value for key, value in declared.items())
