"""EIP-2612 on the sandbox's chain: sequential nonces, and the allowances that permits leave.

A permit is good once, at its owner's next nonce, up to and including its deadline. It sets an
allowance in place of the one before it; what is not pulled of it stays, after the deadline too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

from sidecar.values import dataclass

PERMIT_NONCE = "invalid_permit_nonce"
PERMIT_EXPIRED = "permit2612_deadline_expired"
OVER_ALLOWANCE = "upto_amount_exceeds_permitted"


@dataclass(frozen=True, slots=True)
class Permit:
    """What an owner has signed: the spender may move so much. Addresses in any case."""

    owner: str
    spender: str
    value: int
    nonce: int
    deadline: int


@dataclass(frozen=True, slots=True)
class Pull:
    """A permit, and what its spender does with it in the same transaction."""

    permit: Permit
    payee: str
    amount: int


@dataclass(frozen=True, slots=True)
class _Permitted:
    """A permit that was executed, and the allowance after the pull."""

    block: int
    spender: str
    left: int


class Permits:
    """What was permitted, by owner, in order."""

    def __init__(self) -> None:
        self._permitted: defaultdict[str, list[_Permitted]] = defaultdict(list)

    def nonce(self, owner: str, block: int) -> int:
        """What the token's nonces(owner) says as of this block."""
        return bisect_right(self._permitted[owner.lower()], block, key=lambda found: found.block)

    def allowance(self, owner: str, spender: str, block: int) -> int:
        """What the token's allowance(owner, spender) says as of this block."""
        found = self._permitted[owner.lower()][: self.nonce(owner, block)]
        mine = [permitted.left for permitted in found if permitted.spender == spender.lower()]
        return mine[-1] if mine else 0

    def refusal(self, pull: Pull, block: int, timestamp: int) -> str | None:
        """Why the token would refuse this in a block; None when it would not."""
        permit = pull.permit
        if timestamp > permit.deadline:
            return PERMIT_EXPIRED
        if permit.nonce != self.nonce(permit.owner, block):
            return PERMIT_NONCE
        if pull.amount > permit.value:
            return OVER_ALLOWANCE
        return None

    def execute(self, pull: Pull, block: int) -> None:
        """Use the nonce, and leave what was not pulled."""
        permit = pull.permit
        left = permit.value - pull.amount
        self._permitted[permit.owner.lower()].append(
            _Permitted(block, permit.spender.lower(), left)
        )
