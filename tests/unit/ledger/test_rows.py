"""What a row has of a value: whole milliseconds, and JSON that is written once."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.ledger import rows
from sidecar.ledger.model import PaymentState
from sidecar.ledger.rows import (
    TEXTS_MAX,
    milliseconds,
    moment,
    reserved_columns,
    reserved_payment,
    texts_to_json,
)
from sidecar.money import Usdc
from sidecar.x402.encode import Envelope
from tests.world.intents import intent

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(envelope: dict[str, object]) -> object:
    """The envelope's column."""
    row = reserved_columns(intent("p", envelope=envelope), 0, 0, "one", 0, "[]")
    return row[-2]


def compact(envelope: object) -> str:
    return json.dumps(envelope, separators=(",", ":"))


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7, minutes=30))]),
        min_value=datetime(1960, 1, 1),
        max_value=datetime(2200, 1, 1),
    )
)
def test_milliseconds(at: datetime) -> None:
    """A row has the whole milliseconds since the epoch, and nothing of what is finer."""

    assert (at - EPOCH) // timedelta(milliseconds=1) == milliseconds(at)
    assert timedelta() <= at - moment(milliseconds(at)) < timedelta(milliseconds=1)


@given(st.dictionaries(st.text(), st.none() | st.text()))
def test_texts_to_json(texts: dict[str, str | None]) -> None:
    """An object of texts is written as the library's encoder writes it, letter for letter."""

    assert compact(texts) == texts_to_json(texts)


def test_envelope_of_an_offer() -> None:
    """All payments of an offer have one envelope, and each row has its JSON."""
    one, two = Envelope(header="one"), Envelope(header="two")

    for envelope in (one, two, one, two):
        assert compact(envelope) == written(envelope)


def test_envelope_of_one_payment() -> None:
    """A mapping that is no Envelope may have changed since, and is written as it is."""
    envelope: dict[str, object] = {"header": "one"}
    written(envelope)
    envelope["header"] = "two"

    assert compact({"header": "two"}) == written(envelope)


def test_envelopes_that_are_gone() -> None:
    """No envelope gets the text of another that was where it is now; few are kept."""
    for number in range(3 * TEXTS_MAX):
        envelope = Envelope(header=str(number))

        assert compact(envelope) == written(envelope)
        assert len(rows._TEXTS) <= TEXTS_MAX


def test_reserved_payment() -> None:
    """A payment that was just made has each value of its intent, and has not moved yet; it is a
    payment like any, which nobody can change."""
    names = ("route", "caller", "purpose", "scheme", "network", "asset", "pay_to")
    values: dict[str, Any] = {name: f"its {name}" for name in names}
    wanted = replace(intent("p"), **values)

    payment = reserved_payment(wanted, 7_000)

    shared = ("id", "purchase", *names, "amount", "envelope")
    given = {name: getattr(wanted, name) for name in shared}
    unmoved = dict.fromkeys(
        ("authorization", "proof", "authorized_at", "settled_at", "delivered_at", "closed_at")
    )
    made = {"state": PaymentState.RESERVED, "reserved_at": moment(7_000), "confirmed": False}
    assert given | unmoved | made == {
        field.name: getattr(payment, field.name) for field in fields(payment)
    }
    assert replace(payment) == payment
    with pytest.raises(FrozenInstanceError):
        payment.amount = Usdc(0)  # type: ignore[misc]  # what is tried
