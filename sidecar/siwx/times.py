"""The times in a sign-in: RFC 3339, and kept as text, because the text is what is signed."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def iso_milliseconds(at: datetime) -> str:
    """``2026-01-02T03:04:05.000Z``, cut and not rounded: never later than it is."""
    return _utc(at).isoformat(timespec="milliseconds") + "Z"


def iso_seconds(at: datetime) -> str:
    """``2026-01-02T03:04:05Z``, cut and not rounded: never later than it is."""
    return _utc(at).isoformat(timespec="seconds") + "Z"


def read_time(text: str) -> datetime:
    """The moment that this names, in UTC. ValueError when it names none."""
    if _TIME.fullmatch(text) is None:
        raise ValueError("not a time as RFC 3339 writes it")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        # The first or the last day there is, seen from another time zone.
        raise ValueError("a time out of range") from None


def _utc(at: datetime) -> datetime:
    assert at.tzinfo is not None
    return at.astimezone(UTC).replace(tzinfo=None)
