"""A price that jumped, or that crept up: both are measured against one month of what was paid.

What is usual at a place is the lowest of the highest prices of each day of the month before
today, so that a seller who walks up a little every day gets no further than one who jumps. Only
on its first day is a place compared with that day itself, and the very first price is free: there
the route's max_payment is what protects. Days are UTC's, and voided payments do not count.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger import denials
from sidecar.ledger.model import Intent
from sidecar.ledger.rows import milliseconds
from sidecar.refusal import Denied

_DAY_MS = 86_400_000

_HIGHEST = """
SELECT max(amount) FROM payments
WHERE route = ? AND purpose = ? AND price_place = ? AND reserved_at / 86400000 = ?
  AND price_place <> '' AND state <> 'voided'
"""


def refusal(connection: sqlite3.Connection, intent: Intent, at: datetime) -> Denied | None:
    """Why this price is too far from the usual; None where it is not, or nothing is known."""
    rule = intent.price
    if rule is None:
        return None
    today = milliseconds(at) // _DAY_MS

    def highest(day: int) -> int | None:
        found = connection.execute(_HIGHEST, (intent.route, intent.purpose, rule.place, day))
        (amount,) = found.fetchone()
        return None if amount is None else int(amount)

    days = map(highest, range(today - denials.PRICE_DAYS, today))
    return denials.price_jump(intent, [each for each in days if each is not None], highest(today))
