"""Which of a seller's offers we can pay at all; whether we may is ``policy``'s to say.

An offer is payable when every word of it has one known meaning: the scheme, the network, the
token, the amount, the payee, and who settles when. There are three kinds:

    exact on EVM      an EIP-3009 transfer of the amount
    exact on Solana   a transfer of the amount, its fee paid by the seller's facilitator
    upto on EVM       thirdweb's: a Permit of the amount, of which the seller takes what it
                      likes, or an EIP-3009 transfer of all of it

The x402 foundation's own ``upto`` is a signature for Permit2, and is none of these.
Source: x402.md 1.6, 2.1 to 2.5, 3.1, 4; providers.md 3.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from sidecar.base58 import is_public_key
from sidecar.chains import Asset, caip2, find_asset, is_evm
from sidecar.document import shown
from sidecar.money import Usdc
from sidecar.values import dataclass
from sidecar.x402.encode import echoable
from sidecar.x402.types import Json, PaymentRequired, PaymentRequirements

PERMIT = "Permit"
TRANSFER = "TransferWithAuthorization"
MEMO_BYTES_MAX = 256

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
# Nobody has the keys to these: EVM's, and Solana's, which is the System program.
_ZERO_ADDRESSES = frozenset({"0x" + "0" * 40, "1" * 32})
# Nor to these, which are where tokens are sent to be gone.
_BURN_ADDRESSES = frozenset(
    {"0x" + "0" * 36 + "dead", "1nc1nerator11111111111111111111111111111111"}
)

_TOO_LARGE = "what a payment of it has to repeat is too large for a header"


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
    if required.judged is None:
        # It depends on nothing but what is judged, so it lives as long.
        object.__setattr__(required, "judged", _judged(required))
    offers: Offers = required.judged
    return offers


def _judged(required: PaymentRequired) -> Offers:
    payable: list[Candidate] = []
    reasons = list(required.unreadable)
    fitting = echoable(required)
    for position, requirements in enumerate(required.accepts):
        offer = _candidate(requirements, position) if fitting[position] else _TOO_LARGE
        if isinstance(offer, Candidate):
            payable.append(offer)
        else:
            scheme, network = shown(requirements.scheme, 40), shown(requirements.network, 80)
            reasons.append(f"{scheme} on {network}: {offer}")
    payable.sort(key=lambda offer: (offer.amount, offer.position))
    return tuple(payable), tuple(reasons)


def primary_type(extra: Json) -> str | None:
    """What an offer on EVM wants signed: PERMIT or TRANSFER; None where it is something else."""
    match extra.get("primaryType"):
        case None | "TransferWithAuthorization":
            return TRANSFER
        case "Permit":
            return PERMIT
        case _:
            return None


def _candidate(requirements: PaymentRequirements, position: int) -> Candidate | str:
    """The offer as something to pay, or the reason why it is none."""
    network = requirements.network
    if caip2(network) != network:
        return "we do not know this network"
    asset = find_asset(network, requirements.asset)
    if asset is None:
        return f"we do not know the token {shown(requirements.asset, 60)}"
    amount = Usdc.from_wire(requirements.amount)
    if amount is None:
        return f"{shown(requirements.amount, 40)} is not an amount"
    evm = is_evm(network)
    if not (_ADDRESS.fullmatch if evm else is_public_key)(requirements.pay_to):
        return f"{shown(requirements.pay_to, 60)} is not a payee's address"
    if requirements.pay_to in _ZERO_ADDRESSES:
        return "the payee is the zero address"
    payee = requirements.pay_to.lower() if evm else requirements.pay_to
    if payee in _BURN_ADDRESSES or payee.lower() == asset.address.lower():
        return "the payee is an address that nothing comes back from"
    reason = _other_flow(requirements.extra) or (_not_evm if evm else _not_solana)(requirements)
    if reason:
        return reason
    note = _disagreement(requirements, asset) if evm else ""
    return Candidate(requirements, asset, amount, position, note)


def _other_flow(extra: Json) -> str:
    """Why the words beside the offer make another thing of it, on any chain; "" if they do not."""
    # Tuples, because a seller's value may be a list, which no set can be asked about.
    if extra.get("paymentFlow") not in (None, "authorization"):
        return "it wants another payment flow than authorization"
    # Circle's Gateway asks for a signature over its own contract's domain, backed by a deposit
    # there and good for seven days; its price is low enough to win every comparison.
    if extra.get("name") == "GatewayWalletBatched" or "verifyingContract" in extra:
        return "it wants a signature for another contract than the token"
    return ""


def _not_evm(requirements: PaymentRequirements) -> str:
    """Why this is no payment that we can make on an EVM chain; "" if it is one."""
    extra = requirements.extra
    if requirements.scheme not in ("exact", "upto"):
        return "we pay by the schemes exact and upto only"
    if extra.get("assetTransferMethod") not in (None, "eip3009"):
        return "it wants another transfer method than eip3009"
    if requirements.scheme == "upto" and "facilitatorAddress" in extra:
        return "it wants a signature for Permit2"
    kind = primary_type(extra)
    if kind is None:
        return f"we do not sign a {shown(extra['primaryType'], 40)}"
    # A Permit lets the seller take less than the amount, and later: not what exact promises.
    if requirements.scheme == "exact" and kind == PERMIT:
        return "it wants a Permit, which is not an exact payment"
    return ""


def _not_solana(requirements: PaymentRequirements) -> str:
    """Why this is no payment that we can make on Solana; "" if it is one."""
    extra = requirements.extra
    if requirements.scheme != "exact":
        return "we pay by the scheme exact only on Solana"
    for word in ("assetTransferMethod", "primaryType"):
        if extra.get(word) is not None:
            return f"its {word} has no meaning on Solana"
    fee_payer = extra.get("feePayer")
    if not isinstance(fee_payer, str) or not is_public_key(fee_payer):
        return "it names no feePayer that is an address"
    if fee_payer == requirements.pay_to:
        return "its feePayer is the payee"
    memo = extra.get("memo")
    if memo is not None and not (isinstance(memo, str) and len(memo.encode()) <= MEMO_BYTES_MAX):
        return f"its memo is not a text of at most {MEMO_BYTES_MAX} bytes"
    return ""


def _disagreement(requirements: PaymentRequirements, asset: Asset) -> str:
    # Sellers often have these wrong. Signed under a wrong domain the transfer could not settle,
    # so our own row is safe to use whatever they say.
    said = (requirements.extra.get("name"), requirements.extra.get("version"))
    if said[0] in (None, asset.domain_name) and said[1] in (None, asset.domain_version):
        return ""
    name, version = (shown(word, 40) for word in said)
    return f"the seller calls {asset.domain_name} {asset.domain_version} {name} {version}"
