"""The times in a sign-in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.siwx.times import iso_milliseconds, iso_seconds, read_time

AT = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)


def test_milliseconds() -> None:
    """Milliseconds are cut and not rounded: a time of issue must not be in the future."""
    assert "2026-01-02T03:04:05.999Z" == iso_milliseconds(AT)
    assert "2026-01-02T03:04:05.000Z" == iso_milliseconds(AT.replace(microsecond=0))


def test_seconds() -> None:
    """Seconds are cut and not rounded, and have no point after them."""
    assert "2026-01-02T03:04:05Z" == iso_seconds(AT)


def test_other_time_zone() -> None:
    """A time in another time zone is written in UTC."""
    there = AT.astimezone(timezone(timedelta(hours=-5, minutes=-30)))

    assert "2026-01-02T03:04:05.999Z" == iso_milliseconds(there)
    assert "2026-01-02T03:04:05Z" == iso_seconds(there)


def test_naive() -> None:
    """A time without a time zone is a bug."""
    with pytest.raises(AssertionError):
        iso_seconds(AT.replace(tzinfo=None))


@settings(max_examples=60, deadline=None)
@given(at=st.datetimes(timezones=st.just(UTC)))
def test_round_trip(at: datetime) -> None:
    """What is written is read as the same moment, to the digit that was written."""
    assert at.replace(microsecond=0) == read_time(iso_seconds(at))
    assert timedelta(0) <= at - read_time(iso_milliseconds(at)) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-01-02T03:04:05Z", 0),
        ("2026-01-02T03:04:05.5Z", 500_000),
        ("2026-01-02T03:04:05.923207Z", 923_207),
        ("2026-01-02T03:04:05.923207999Z", 923_207),
        ("2026-01-02T03:04:05+00:00", 0),
        ("2026-01-01T20:34:05-06:30", 0),
    ],
)
def test_read(text: str, microsecond: int) -> None:
    """Times come with any fraction of a second, and in any time zone."""
    found = read_time(text)

    assert AT.replace(microsecond=microsecond) == found
    assert timedelta(0) == found.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1767323045",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04Z",
        "20260102T030405Z",
        "2026-W01-5T03:04:05Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.0000000000Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05z",
        "2026-01-02T03:04:05Z\n",
        "2026-01-02T03:04:05+0000",
        "2026-01-02T03:04:05+24:00",
        "2026-13-02T03:04:05Z",
        "2026-02-30T03:04:05Z",
        "2026-01-02T03:04:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "\u0662026-01-02T03:04:05Z",
    ],
)
def test_not_a_time(text: str) -> None:
    """What RFC 3339 does not have, and what no calendar has, is no time."""
    with pytest.raises(ValueError):  # noqa: PT011  the calendar's own words
        read_time(text)
