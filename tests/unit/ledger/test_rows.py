"""What a row has of a value: whole milliseconds, and JSON that is written once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from sidecar.ledger import rows
from sidecar.ledger.rows import TEXTS_MAX, milliseconds, moment, reserved_columns, texts_to_json
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
