"""Telling of a change once, by whoever made it."""

from __future__ import annotations

from typing import cast

import pytest

from sidecar.ledger.model import Change, Payment
from sidecar.payments.events import (
    Event,
    PaymentConfirmed,
    PaymentPosted,
    PaymentVoided,
    tell,
)

PAYMENT = cast("Payment", "a payment")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("posted", [PaymentPosted(PAYMENT)]),
        ("confirmed", [PaymentConfirmed(PAYMENT)]),
        ("voided", [PaymentVoided(PAYMENT)]),
        ("", []),
    ],
)
def test_tell(made: str, told: list[Event]) -> None:
    """A move that changed a payment is told of, and one that changed nothing is not."""
    heard: list[Event] = []
    tell(heard.append, Change(PAYMENT, made))

    assert told == heard
