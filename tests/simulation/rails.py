"""What a seller settles on: the chain's own truth about each payment, which nobody else knows.

The sellers submit to it, the endpoints tell of it, and the checks count on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sidecar.chains import usdc_on
from sidecar.sandbox.chain import Chain, Settled, Transaction, Transfer
from sidecar.sandbox.facilitator import Facilitator, Refused, transfer_of
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import Malformed, Payment, read_payment
from sidecar.sandbox.terms import Offer, Terms
from tests.simulation.virtual_loop import TrueClock

# Less of its life than this, and a facilitator does not take it.
LIFE_LEFT_S = 6


@dataclass(frozen=True, slots=True)
class Slip:
    """A payment as it arrived. ``identity`` is what the ledger knows it by."""

    identity: str
    amount: int
    payment: Payment


def read_slip(header: str) -> Slip:
    """What is in a payment header; ours are never malformed."""
    payment = read_payment(header, 2)
    assert not isinstance(payment, Malformed), payment
    found = payment.authorization
    solana = payment.transaction is not None
    return Slip(found.nonce[2:] if solana else found.nonce, found.value, payment)


class Rail(Protocol):
    """A chain, its facilitator, and what the seller offers there."""

    @property
    def offer(self) -> Offer:
        """The honest terms of now."""
        ...

    def objection(self, slip: Slip) -> str:
        """Why the facilitator does not take it; nothing where it does."""
        ...

    def settle(self, slip: Slip) -> bool:
        """Move the money now; whether it moved."""
        ...

    def submit(self, slip: Slip, delay_s: float) -> None:
        """Broadcast it: it lands so much later, if it still can."""
        ...

    def settled(self, identity: str) -> bool:
        """Whether its money moved."""
        ...

    def can_move(self, slip: Slip) -> bool:
        """It has, or it still may by what is final."""
        ...

    def lasts_s(self, slip: Slip) -> float:
        """How long until it never can, if nothing stands still."""
        ...

    def is_foreign(self, slip: Slip) -> bool:
        """Whether it was dated by another network: it never moves, and no read proves that."""
        ...

    def landed(self) -> list[tuple[str, float]]:
        """Everything that moved, and at what true time, in order."""
        ...

    def receipt(self, identity: str) -> str:
        """The transaction that moved it; nothing where none did."""
        ...


class ChainClock(TrueClock):
    """The time as the makers of blocks have it: off by a little, always."""

    def __init__(self, true: TrueClock, ahead_s: float) -> None:
        self._true = true
        self.ahead_s = ahead_s

    def now(self) -> datetime:
        return self._true.now() + timedelta(seconds=self.ahead_s)


class EvmRail:
    """The sandbox's chain and facilitator."""

    def __init__(self, clock: ChainClock, options: SandboxOptions) -> None:
        self._clock = clock
        self.chain = Chain(
            usdc_on(options.network),
            clock,
            starting_balance=options.starting_balance,
            payee=options.pay_to,
            finality_s=options.finality_s,
        )
        self._facilitator = Facilitator(self.chain, clock, validity_max_s=options.validity_max_s)
        self.offer = Terms(options).offer
        self._verified: set[str] = set()
        self._payer = ""

    def objection(self, slip: Slip) -> str:
        # Signatures are recovered once each: that is slow.
        if slip.identity not in self._verified:
            verdict = self._facilitator.verify(slip.payment, [self.offer])
            if isinstance(verdict, Refused):
                return verdict.reason
            self._verified.add(slip.identity)
            return ""
        if self.settled(slip.identity):
            return "invalid_exact_evm_nonce_already_used"
        left_s = self._ends_at(slip) - self.chain.head().timestamp
        return "" if left_s >= LIFE_LEFT_S else "invalid_exact_evm_payload_authorization"

    def settle(self, slip: Slip) -> bool:
        return isinstance(self.chain.settle(self._transfer(slip)), Settled)

    def submit(self, slip: Slip, delay_s: float) -> None:
        self.chain.submit(self._transfer(slip), delay_s=delay_s)

    def _transfer(self, slip: Slip) -> Transfer:
        self._payer = slip.payment.authorization.payer
        return transfer_of(slip.payment.authorization)

    def _found(self, identity: str) -> Transaction | None:
        return self.chain.use_of(self._payer, identity)

    def _ends_at(self, slip: Slip) -> int:
        return slip.payment.authorization.valid_before

    def settled(self, identity: str) -> bool:
        return self._found(identity) is not None

    def can_move(self, slip: Slip) -> bool:
        return self.settled(slip.identity) or self._ends_at(slip) > self.chain.finalized().timestamp

    def lasts_s(self, slip: Slip) -> float:
        return self._ends_at(slip) - self._clock.now().timestamp()

    def is_foreign(self, slip: Slip) -> bool:
        return False

    def landed(self) -> list[tuple[str, float]]:
        ahead_s = self._clock.ahead_s
        return [
            (found.transfer.nonce, found.block.timestamp - ahead_s)
            for found in self.chain.transfers()
        ]

    def receipt(self, identity: str) -> str:
        found = self._found(identity)
        return "" if found is None else found.hash
