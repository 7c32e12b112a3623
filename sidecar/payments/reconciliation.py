"""The ledger beside the chain: what moved that the books do not know, and the other way round.

    matched   one transaction, and its amount; else, where nobody told us the transaction, one
              amount to one payee
    foreign   left the wallet, and no payment of ours explains it: somebody else has the key, or
              it was spent by hand
    missing   posted in the books, and not on the chain: a seller that told of a settlement that
              was none

A Permit that was used in part moves less than was posted; it is matched by its transaction.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sidecar.ledger.model import Payment, PaymentState
from sidecar.money import ZERO, Usdc
from sidecar.payments.outflows import Outflow
from sidecar.values import dataclass

# A payment that was made this short a time ago may not be where everybody sees it.
SETTLING = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One wallet on one network, since a moment."""

    moved: Usdc  # as the chain says
    posted: Usdc  # as the ledger says
    in_doubt: Usdc
    foreign: tuple[Outflow, ...]
    missing: tuple[Payment, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing is foreign and nothing is missing."""
        return not self.foreign and not self.missing


def compare(
    payments: Iterable[Payment], outflows: Sequence[Outflow], since: datetime, now: datetime
) -> Comparison:
    """The payments of one wallet on one network, beside all that left it."""
    ours = [payment for payment in payments if is_signed(payment)]
    foreign, unexplained = explain(ours, outflows)
    posted = [payment for payment in ours if payment.state is PaymentState.POSTED]
    doubted = [payment for payment in ours if payment.state is PaymentState.AUTHORIZED]
    return Comparison(
        moved=total(outflow.amount for outflow in outflows),
        posted=total(payment.amount for payment in posted),
        in_doubt=total(payment.amount for payment in doubted),
        foreign=foreign,
        missing=tuple(
            payment
            for payment in unexplained
            if payment.state is PaymentState.POSTED
            and since <= payment.reserved_at
            and payment.reserved_at < now - SETTLING
        ),
    )


def is_signed(payment: Payment) -> bool:
    """Whether an authorization may have left; one that was rehearsed was never signed."""
    rehearsed = payment.proof is not None and payment.proof.kind == "rehearsed"
    return payment.authorized_at is not None and not rehearsed


def explain(
    payments: Sequence[Payment], outflows: Sequence[Outflow]
) -> tuple[tuple[Outflow, ...], tuple[Payment, ...]]:
    """What no payment explains, and the payments that nothing on the chain is like."""
    left = _Left(outflows)
    unmatched = [payment for payment in payments if not left.take_told(payment)]
    unmatched = [payment for payment in unmatched if not left.take_alike(payment)]
    return left.outflows(), tuple(unmatched)


class _Left:
    """The outflows that no payment has explained yet. Each explains one."""

    def __init__(self, outflows: Sequence[Outflow]) -> None:
        self._outflows: dict[int, Outflow] = dict(enumerate(outflows))
        self._told: dict[str, list[int]] = defaultdict(list)
        self._alike: dict[tuple[int, str], deque[int]] = defaultdict(deque)
        for position, outflow in enumerate(outflows):
            self._told[outflow.transaction.lower()].append(position)
            self._alike[outflow.amount.atomic, outflow.payee.lower()].append(position)

    def outflows(self) -> tuple[Outflow, ...]:
        return tuple(self._outflows.values())

    def take_told(self, payment: Payment) -> bool:
        """By the transaction that its proof names."""
        transaction = payment.proof.transaction if payment.proof is not None else ""
        for position in self._told.get(transaction.lower(), ()):
            outflow = self._outflows.get(position)
            if outflow is None:
                continue
            partly = payment.scheme == "upto" and outflow.amount <= payment.amount
            if partly or outflow.amount == payment.amount:
                del self._outflows[position]
                return True
        return False

    def take_alike(self, payment: Payment) -> bool:
        """By its amount and payee, where the chain names one."""
        # What was voided was proved dead, and explains nothing.
        if payment.state is PaymentState.VOIDED:
            return False
        for payee in (payment.pay_to.lower(), ""):
            positions = self._alike.get((payment.amount.atomic, payee), deque())
            while positions:
                if self._outflows.pop(positions.popleft(), None) is not None:
                    return True
        return False


def total(amounts: Iterable[Usdc]) -> Usdc:
    """Their sum."""
    return sum(amounts, ZERO)
