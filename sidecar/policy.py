"""The rules for one payment that need no memory: Allowed, or Denied by the rule that said no."""

from __future__ import annotations

import re

from sidecar.base58 import is_public_key
from sidecar.chains import is_evm
from sidecar.money import Usdc
from sidecar.refusal import Denied
from sidecar.values import dataclass
from sidecar.x402.select import Candidate, Offers

# A signed authorization is money until it expires, whatever HTTP said, so its life is ours to
# choose: long enough for a seller to settle in, short enough to wait out.
VALIDITY_S_MIN = 60
VALIDITY_S_LIMIT = 300

SCHEMES = frozenset({"exact", "upto"})

_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Allowed:
    """This may be signed, to be valid for so many seconds from the moment it is."""

    candidate: Candidate
    validity_s: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What one route may pay for one request."""

    max_payment: Usdc
    networks: frozenset[str]  # CAIP-2; empty: none
    pay_to: frozenset[str]  # EVM addresses in lower case, Solana's as they are; empty: any
    validity_s_max: int = 120
    schemes: frozenset[str] = frozenset({"exact"})

    def __post_init__(self) -> None:
        for address in self.pay_to:
            # One that is not lower-cased would match nobody, and the route would pay nobody.
            if _ADDRESS.fullmatch(address) is None and not is_public_key(address):
                raise ValueError(f"not a lower-cased EVM address, nor a Solana one: {address!r}")
        if not self.schemes <= SCHEMES:
            raise ValueError(f"not schemes that we pay by: {sorted(self.schemes - SCHEMES)}")
        if not VALIDITY_S_MIN <= self.validity_s_max <= VALIDITY_S_LIMIT:
            raise ValueError(f"a validity of {self.validity_s_max} s is not within 60 s to 300 s")

    def check(self, candidate: Candidate) -> Allowed | Denied:
        """Whether this offer may be paid."""
        requirements = candidate.requirements
        if candidate.asset.network not in self.networks:
            return Denied("network", f"this route does not pay on {candidate.asset.network}")
        # Under upto the seller decides how much of the amount it takes, and when.
        if requirements.scheme not in self.schemes:
            return Denied("scheme", f"this route does not pay by the scheme {requirements.scheme}")
        if self.pay_to and _payee(candidate) not in self.pay_to:
            return Denied("pay_to", f"this route does not pay {requirements.pay_to}")
        if candidate.amount > self.max_payment:
            return Denied(
                "max_payment",
                f"the seller asks {candidate.amount}, and this route pays at most "
                f"{self.max_payment} for one request",
            )
        seller_s = requirements.max_timeout_seconds
        if seller_s < VALIDITY_S_MIN:
            return Denied(
                "validity",
                f"the seller gives {seller_s} s to settle; less than {VALIDITY_S_MIN} s "
                "cannot be settled safely",
            )
        return Allowed(candidate, min(seller_s, self.validity_s_max))


def _payee(candidate: Candidate) -> str:
    """The payee as ``pay_to`` has it. Base58 tells its cases apart; hexadecimal does not."""
    pay_to = candidate.requirements.pay_to
    return pay_to.lower() if is_evm(candidate.asset.network) else pay_to


def choose(offers: Offers, policy: Policy) -> Allowed | Denied:
    """The cheapest offer that the policy allows, else why the cheapest one is not allowed.

    ``offers`` is what ``select.candidates`` gives.
    """
    payable, reasons = offers
    if not payable:
        why = "; ".join(reasons) or "the seller names no way to pay"
        return Denied("unpayable", f"nothing here can be paid: {why}")
    answers = [policy.check(candidate) for candidate in payable]
    for answer in answers:
        if isinstance(answer, Allowed):
            return answer
    return answers[0]
