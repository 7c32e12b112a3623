"""The life of a payment, and the windows of a budget."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sidecar.ledger.drafts import moved
from sidecar.ledger.model import (
    TRANSITIONS,
    Budget,
    Payment,
    PaymentState,
    Proof,
    Window,
)
from sidecar.money import Usdc
from sidecar.x402.types import Authorization
from tests.world.fakes import NOON


def budget(window: Window) -> Budget:
    return Budget("any", Usdc(1), window)


def epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def test_transitions() -> None:
    """RESERVED -> AUTHORIZED -> POSTED, and VOIDED from either; POSTED and VOIDED are terminal."""
    reserved, authorized = PaymentState.RESERVED, PaymentState.AUTHORIZED
    posted, voided = PaymentState.POSTED, PaymentState.VOIDED

    assert {
        reserved: {authorized, voided},
        authorized: {posted, voided},
        posted: set(),
        voided: set(),
    } == TRANSITIONS


@pytest.mark.parametrize(
    ("window", "starts_at", "resets_at"),
    [
        (Window.HOUR, NOON, NOON + timedelta(hours=1)),
        (Window.DAY, NOON - timedelta(hours=12), NOON + timedelta(hours=12)),
        (Window.MONTH, datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 12, 3, tzinfo=UTC)),
    ],
)
def test_windows(window: Window, starts_at: datetime, resets_at: datetime) -> None:
    """Windows are fixed, in UTC, from the epoch."""
    last = resets_at - timedelta(microseconds=1)

    assert epoch(starts_at) == budget(window).starts_at(NOON)
    assert epoch(starts_at) == budget(window).starts_at(starts_at)
    assert epoch(starts_at) == budget(window).starts_at(last)
    assert resets_at == budget(window).resets_at(NOON)
    assert epoch(resets_at) == budget(window).starts_at(resets_at)


def test_thirty_days() -> None:
    """A month is thirty days, whatever the calendar says."""
    month = budget(Window.MONTH)

    assert 0 == month.starts_at(NOON) % (30 * 86_400)


def test_total() -> None:
    """A budget for all time has one window, which never starts again."""
    total = budget(Window.TOTAL)

    assert 0 == total.starts_at(NOON)
    assert total.resets_at(NOON) is None


def test_any_time_zone() -> None:
    """The window depends on the moment, not on how the moment is written."""
    there = NOON.astimezone(timezone(timedelta(hours=14)))

    assert budget(Window.DAY).starts_at(NOON) == budget(Window.DAY).starts_at(there)
    assert budget(Window.DAY).resets_at(NOON) == budget(Window.DAY).resets_at(there)


@pytest.mark.parametrize("kind", ["receipt", "upfront", "chain", "expired", "canceled", "unsigned"])
def test_confirming_proofs(kind: str) -> None:
    """Somebody vouched for it."""
    assert Proof(kind).confirmed


def test_served_confirms_nothing() -> None:
    """``served`` is only our reading of a 2xx."""
    assert not Proof("served").confirmed


def test_moved() -> None:
    """A move changes what it says of a payment, and nothing else."""
    values: dict[str, Any] = {field.name: object() for field in fields(Payment)}
    at = NOON + timedelta(seconds=1)
    signed = Authorization("n", "i", NOON, {})
    told: dict[str, Any] = {"authorization": signed, "authorized_at": at}
    unsettled: dict[str, Any] = dict.fromkeys(("proof", "settled_at", "delivered_at", "closed_at"))
    settled = {name: values[name] for name in ("settled_at", "delivered_at", "closed_at")}
    proof = Proof("receipt", "0x1")
    payment = Payment(**values)

    authorized = moved(payment, PaymentState.AUTHORIZED, signed, at)
    posted = moved(payment, PaymentState.POSTED, signed, at, proof=proof, **settled)

    authorized_ = told | unsettled | {"state": PaymentState.AUTHORIZED, "confirmed": False}
    assert replace(payment, **authorized_) == authorized
    posted_ = told | {"state": PaymentState.POSTED, "proof": proof, "confirmed": True}
    assert replace(payment, **posted_) == posted
