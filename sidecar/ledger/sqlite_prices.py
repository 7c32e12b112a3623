"""A price that jumped, or that crept up: both are measured against one month of what was paid.

What is usual at a place is the lowest of the highest prices of each day of the month before
today, so that a seller who walks up a little every day gets no further than one who jumps. Only
on its first day is a place compared with that day itself, and the very first price is free: there
the route's max_payment is what protects. Days are UTC's, and voided payments do not count.
"""

from __future__ import annotations

import sqlite3

from sidecar.ledger.model import Intent
from sidecar.money import Usdc
from sidecar.refusal import Denied

DAYS = 30
_DAY_MS = 86_400_000

_HIGHEST = """
SELECT max(amount) FROM payments
WHERE route = ? AND purpose = ? AND price_place = ? AND reserved_at / 86400000 = ?
  AND price_place <> '' AND state <> 'voided'
"""


def refusal(connection: sqlite3.Connection, intent: Intent, at_ms: int) -> Denied | None:
    """Why this price is too far from the usual; None where it is not, or nothing is known."""
    rule = intent.price
    if rule is None:
        return None
    usual = _usual(connection, intent, rule.place, at_ms // _DAY_MS)
    if usual is None:
        return None
    # In whole numbers: a quotient would have to be rounded.
    times, parts = rule.jump_max.as_integer_ratio()
    if intent.amount.atomic * parts <= usual * times:
        return None
    return Denied(
        "price_jump",
        f"{intent.amount} for {rule.place} is over {rule.jump_max} times the {Usdc(usual)} that "
        f"route {intent.route} is used to pay there (price_jump_max)",
    )


def _usual(connection: sqlite3.Connection, intent: Intent, place: str, today: int) -> int | None:
    def highest(day: int) -> int | None:
        found = connection.execute(_HIGHEST, (intent.route, intent.purpose, place, day))
        (amount,) = found.fetchone()
        return None if amount is None else int(amount)

    before = [highest(day) for day in range(today - DAYS, today)]
    return min((each for each in before if each is not None), default=highest(today))
