"""The nouns of x402, under the specification's own names.

``original`` and ``resource`` keep what the seller sent, untouched: sellers compare the echo
type by type, so it is never rebuilt from our reading of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sidecar.values import dataclass

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PaymentRequirements:
    """One entry of ``accepts``: a way to pay that the seller offers (v1 and v2 alike)."""

    scheme: str
    network: str  # CAIP-2 where we know the network, else as the seller wrote it
    asset: str
    amount: str  # as written: atomic units of an asset that we may not know
    pay_to: str
    max_timeout_seconds: int
    extra: Json
    original: Json


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a seller wants its payment written.

    ``flat``: the payload beside its scheme and network, as in v1; else the chosen entry is
    carried whole, as in v2.
    """

    header: str
    encoding: Literal["base64", "json"]
    flat: bool


V1 = Dialect("X-PAYMENT", "base64", flat=True)
V2 = Dialect("PAYMENT-SIGNATURE", "base64", flat=False)


@dataclass(frozen=True, slots=True)
class PaymentRequired:
    """A 402 that asks for payment: v1 body, v2 header, or v2 body."""

    x402_version: int
    accepts: tuple[PaymentRequirements, ...]
    resource: Any = None
    extensions: Json = field(default_factory=dict)
    error: str = ""
    unreadable: tuple[str, ...] = ()  # why entries of ``accepts`` were left out
    dialect: Dialect | None = None  # None: as its version has it
    # What ``select.candidates`` made of it: a challenge that comes again is judged once.
    judged: Any = field(default=None, init=False, compare=False, repr=False)
    # And a route's policy of that: the policy, and its answer.
    chosen: Any = field(default=None, init=False, compare=False, repr=False)
    # And ``encode.envelope_for``: the offer, and the envelope of every payment of it.
    shared_envelope: Any = field(default=None, init=False, compare=False, repr=False)

    @property
    def written_in(self) -> Dialect:
        """The dialect that its payment is to be written in."""
        if self.dialect is not None:
            return self.dialect
        return V1 if self.x402_version == 1 else V2


@dataclass(frozen=True, slots=True)
class Authorization:
    """The transfer that a wallet is about to sign, or has signed.

    ``fields`` hold all that the signature covers, so that signing them again gives the same
    bytes; the signature itself is a bearer instrument and is kept nowhere.
    """

    network: str
    identity: str  # what the chain knows it by: the EIP-3009 nonce, the Solana message's digest
    expires_at: datetime
    fields: Mapping[str, str]
    # By whom it was drawn up, and the digest that it had; of no use to anybody else.
    drawn: Any = field(default=None, init=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SettlementResponse:
    """The seller's receipt (PAYMENT-RESPONSE): what it says the facilitator did."""

    success: bool
    transaction: str
    network: str
    error_reason: str
