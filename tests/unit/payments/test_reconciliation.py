"""The ledger beside the chain: each disagreement is named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.money import ZERO, Usdc
from sidecar.payments.outflows import Outflow
from sidecar.payments.reconciliation import Comparison, compare
from tests.unit.payments.test_evidence import Asked
from tests.world.fakes import NOON

HOUR = timedelta(hours=1)
PAYEE = Asked().payment().pay_to


def payment(number: int, amount: int = 100, transaction: str = "", **changes: object) -> Payment:
    """A payment that was posted at noon, on a receipt where a transaction is told."""
    proof = Proof("receipt", transaction) if transaction else Proof("served")
    posted = replace(
        Asked().payment(),
        id=f"pay_{number}",
        amount=Usdc(amount),
        state=PaymentState.POSTED,
        proof=proof,
    )
    return replace(posted, **changes)  # type: ignore[arg-type]  # fields of a payment


def look(payments: list[Payment], outflows: list[Outflow]) -> Comparison:
    return compare(payments, outflows, NOON - HOUR, NOON + HOUR)


def test_agrees() -> None:
    """Payments by their transactions, and one that was only served by its amount and payee."""
    paid = [payment(1, transaction="0xA"), payment(2, 250)]
    left = [Outflow("0xa", Usdc(100), PAYEE), Outflow("0xb", Usdc(250), PAYEE.lower())]

    assert Comparison(Usdc(350), Usdc(350), ZERO, (), ()) == look(paid, left)
    assert look(paid, left).agrees


def test_foreign() -> None:
    """What left without a payment of ours is named, and a voided payment is no excuse."""
    voided = payment(2, 250, state=PaymentState.VOIDED, proof=Proof("expired"))
    stranger = Outflow("0xb", Usdc(250), PAYEE)
    result = look([payment(1, transaction="0xA"), voided], [Outflow("0xa", Usdc(100)), stranger])

    assert (stranger,) == result.foreign
    assert not result.agrees


@pytest.mark.parametrize(
    "outflow",
    [
        Outflow("0xb", Usdc(100), "0x" + "99" * 20),
        Outflow("0xb", Usdc(99), PAYEE),
        Outflow("0xa", Usdc(99), PAYEE),
        Outflow("0xa", Usdc(101), PAYEE),
    ],
)
def test_missing(outflow: Outflow) -> None:
    """A posted payment that nothing on the chain is like is named, and so is what is there."""
    paid = payment(1, transaction="0xA")
    result = look([paid], [outflow])

    assert ((paid,), (outflow,)) == (result.missing, result.foreign)


def test_one_for_one() -> None:
    """One transfer explains one payment, never two."""
    result = look([payment(1), payment(2)], [Outflow("0xa", Usdc(100), PAYEE)])

    assert 1 == len(result.missing)


def test_one_transaction_for_two() -> None:
    """Two payments whose receipts name one transaction: it explains one of them."""
    first, second = payment(1, transaction="0xa"), payment(2, transaction="0xa")
    result = look([first, second], [Outflow("0xa", Usdc(100), PAYEE)])

    assert (second,) == result.missing


def test_told_first() -> None:
    """A transfer that one payment's receipt names is not given to another like it."""
    served, told = payment(1), payment(2, transaction="0xa")
    result = look([served, told], [Outflow("0xa", Usdc(100), PAYEE)])

    assert (served,) == result.missing


def test_in_doubt() -> None:
    """A payment in doubt that moved is explained, counts as doubt, and is never missing."""
    doubted = payment(1, state=PaymentState.AUTHORIZED, proof=None)
    moved = look([doubted], [Outflow("0xa", Usdc(100), PAYEE)])
    waiting = look([doubted], [])

    assert Comparison(Usdc(100), ZERO, Usdc(100), (), ()) == moved
    assert waiting.agrees


def test_never_signed() -> None:
    """What was never signed explains nothing."""
    reserved = payment(1, state=PaymentState.RESERVED, proof=None, authorized_at=None)

    assert 1 == len(look([reserved], [Outflow("0xa", Usdc(100), PAYEE)]).foreign)


def test_fresh_or_old() -> None:
    """A payment of just now may not be seen yet, and one of before was not asked for."""
    fresh = payment(1, transaction="0xa", reserved_at=NOON + HOUR - timedelta(minutes=1))
    old = payment(2, transaction="0xb", reserved_at=NOON - 2 * HOUR)

    assert look([fresh, old], []).agrees


def test_used_in_part() -> None:
    """A Permit that was used in part is its transaction's, whoever got it."""
    permit = payment(1, 500, transaction="0xa", scheme="upto")
    result = look([permit], [Outflow("0xa", Usdc(123), "0x" + "99" * 20)])

    assert (Usdc(123), Usdc(500)) == (result.moved, result.posted)
    assert result.agrees
