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

# One question about all the days: one about each took several times as long as all else that a
# reservation does.
_HIGHEST = """
WITH RECURSIVE days (day) AS (SELECT ?4 UNION ALL SELECT day + 1 FROM days WHERE day < ?5)
SELECT min(CASE WHEN day < ?5 THEN highest END), max(CASE WHEN day = ?5 THEN highest END)
FROM (
  SELECT day, (
    SELECT max(amount) FROM payments
    WHERE route = ?1 AND purpose = ?2 AND price_place = ?3 AND reserved_at / 86400000 = day
      AND price_place <> '' AND state <> 'voided'
  ) AS highest
  FROM days
)
"""


def refusal(connection: sqlite3.Connection, intent: Intent, at: datetime) -> Denied | None:
    """Why this price is too far from the usual; None where it is not, or nothing is known."""
    rule = intent.price
    if rule is None:
        return None
    today = milliseconds(at) // _DAY_MS
    asked = (intent.route, intent.purpose, rule.place, today - denials.PRICE_DAYS, today)
    lowest, highest_today = connection.execute(_HIGHEST, asked).fetchone()
    return denials.price_jump(intent, () if lowest is None else (lowest,), highest_today)
