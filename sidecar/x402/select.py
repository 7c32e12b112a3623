"""Which of a seller's offers we can pay at all; whether we may is ``policy``'s to say.

An offer is payable when every word of it has one known meaning: the scheme, the network, the
token, the amount, the payee, and who settles when. Source: x402.md 1.6, 2.1 to 2.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from sidecar.chains import Asset, caip2, find_asset
from sidecar.document import shown
from sidecar.money import Usdc
from sidecar.x402.types import PaymentRequired, PaymentRequirements

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_ZERO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer that we can pay. ``note`` says what is odd about it, for the log."""

    requirements: PaymentRequirements
    asset: Asset
    amount: Usdc
    position: int  # in the seller's order, of the entries that could be read
    note: str = ""


Offers: TypeAlias = tuple[tuple[Candidate, ...], tuple[str, ...]]


def candidates(required: PaymentRequired) -> Offers:
    """The payable offers, cheapest first and else as the seller has them; why not the others."""
    payable: list[Candidate] = []
    reasons = list(required.unreadable)
    for position, requirements in enumerate(required.accepts):
        offer = _candidate(requirements, position)
        if isinstance(offer, Candidate):
            payable.append(offer)
        else:
            scheme, network = shown(requirements.scheme, 40), shown(requirements.network, 80)
            reasons.append(f"{scheme} on {network}: {offer}")
    payable.sort(key=lambda offer: (offer.amount, offer.position))
    return tuple(payable), tuple(reasons)


def _candidate(requirements: PaymentRequirements, position: int) -> Candidate | str:
    """The offer as something to pay, or the reason why it is none."""
    network = requirements.network
    if requirements.scheme != "exact":
        return "we pay by the scheme exact only"
    if caip2(network) is None or not network.startswith("eip155:"):
        return "we do not know this network"
    asset = find_asset(network, requirements.asset)
    if asset is None:
        return f"we do not know the token {shown(requirements.asset, 60)}"
    amount = Usdc.from_wire(requirements.amount)
    if amount is None:
        return f"{shown(requirements.amount, 40)} is not an amount"
    if _ADDRESS.fullmatch(requirements.pay_to) is None:
        return f"{shown(requirements.pay_to, 60)} is not a payee's address"
    if requirements.pay_to.lower() == _ZERO_ADDRESS:
        return "the payee is the zero address"
    reason = _other_kind(requirements)
    if reason is not None:
        return reason
    return Candidate(requirements, asset, amount, position, _disagreement(requirements, asset))


def _other_kind(requirements: PaymentRequirements) -> str | None:
    """Why this is not the plain transfer that the scheme's name promises."""
    extra = requirements.extra
    # Tuples, because a seller's value may be a list, which no set can be asked about.
    if extra.get("assetTransferMethod") not in (None, "eip3009"):
        return "it wants another transfer method than eip3009"
    if extra.get("paymentFlow") not in (None, "authorization"):
        return "it wants another payment flow than authorization"
    # Circle's Gateway asks for a signature over its own contract's domain, backed by a deposit
    # there and good for seven days; its price is low enough to win every comparison.
    if extra.get("name") == "GatewayWalletBatched" or "verifyingContract" in extra:
        return "it wants a signature for another contract than the token"
    return None


def _disagreement(requirements: PaymentRequirements, asset: Asset) -> str:
    # Sellers often have these wrong. Signed under a wrong domain the transfer could not settle,
    # so our own row is safe to use whatever they say.
    said = (requirements.extra.get("name"), requirements.extra.get("version"))
    if said[0] in (None, asset.domain_name) and said[1] in (None, asset.domain_version):
        return ""
    name, version = (shown(word, 40) for word in said)
    return f"the seller calls {asset.domain_name} {asset.domain_version} {name} {version}"
