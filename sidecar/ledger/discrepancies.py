"""What is said of books that do not agree with their events, whatever store they are in.

Nothing but claiming happens to a payment twice (events_once), so one decimal digit for each kind
of event, added up, names the way that a payment went.
"""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.errors import LedgerError
from sidecar.ledger.rows import Row, moment

NAMED_MAX = 3
# The digits of a life, in the order of its steps, and where it led.
_STATES = {1: "reserved", 11: "authorized", 111: "posted", 1001: "voided", 1011: "voided"}


def misled(row: Row) -> str:
    """Of a payment whose row and events differ; its ``way`` is there."""
    told = _STATES.get(row["way"] % 10_000, "nothing possible")
    if row["state"] != told:
        return f"payment {row['id']} is {row['state']}, and its events say {told}"
    return f"payment {row['id']} is {told}, but its row and its events differ in detail"


def untold(row: Row) -> str:
    """Of a payment that no event tells of."""
    return f"payment {row['id']} has no event that reserved it"


def miscounted(row: Row) -> str:
    """Of a window whose totals are not the sums of its payments."""
    return (
        f'budget "{row["budget"]}" from {moment(row["starts_at"]):%Y-%m-%d %H:%M} UTC has '
        f"{row['reserved']} reserved and {row['spent']} spent, and its payments make "
        f"{row['told_reserved']} and {row['told_spent']}"
    )


def require_none(place: str, found: Sequence[str]) -> None:
    """LedgerError naming the first few of these sentences."""
    if found:
        raise LedgerError(
            f"ledger {place}: the books do not agree with their events, so nothing is paid from "
            f"them: {'; '.join(found[:NAMED_MAX])}. Restore it from a backup"
        )
