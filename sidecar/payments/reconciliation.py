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

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sidecar.ledger.model import Payment, PaymentState
from sidecar.money import ZERO, Usdc
from sidecar.payments.outflows import Outflow

Fits: TypeAlias = Callable[[Payment, Outflow], bool]

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
    payments: Iterable[Payment], outflows: Iterable[Outflow], since: datetime, now: datetime
) -> Comparison:
    """The payments of one wallet on one network, beside all that left it."""
    ours = [payment for payment in payments if payment.authorized_at is not None]
    left = list(outflows)
    moved = _total(outflow.amount for outflow in left)
    unmatched = [payment for payment in ours if not _take(left, payment, _by_transaction)]
    unmatched = [payment for payment in unmatched if not _take(left, payment, _by_amount)]
    posted = [payment for payment in ours if payment.state is PaymentState.POSTED]
    doubted = [payment for payment in ours if payment.state is PaymentState.AUTHORIZED]
    return Comparison(
        moved=moved,
        posted=_total(payment.amount for payment in posted),
        in_doubt=_total(payment.amount for payment in doubted),
        foreign=tuple(left),
        missing=tuple(
            payment
            for payment in unmatched
            if payment.state is PaymentState.POSTED
            and since <= payment.reserved_at
            and payment.reserved_at < now - SETTLING
        ),
    )


def _take(left: list[Outflow], payment: Payment, fits: Fits) -> bool:
    """Take the outflow that is this payment away from those that are left."""
    for position, outflow in enumerate(left):
        if fits(payment, outflow):
            del left[position]
            return True
    return False


def _by_transaction(payment: Payment, outflow: Outflow) -> bool:
    told = payment.proof.transaction if payment.proof is not None else ""
    if told.lower() != outflow.transaction.lower():
        return False
    partly = payment.scheme == "upto" and outflow.amount <= payment.amount
    return partly or outflow.amount == payment.amount


def _by_amount(payment: Payment, outflow: Outflow) -> bool:
    # What was voided was proved dead, and explains nothing.
    if payment.state is PaymentState.VOIDED or outflow.amount != payment.amount:
        return False
    return outflow.payee.lower() in ("", payment.pay_to.lower())


def _total(amounts: Iterable[Usdc]) -> Usdc:
    return sum(amounts, ZERO)
