"""What moved in each hour: asked by people who look, never by a payment.

One index has all that is asked, in the order in which it is added up, so that an hour costs what
it holds and the years before it cost nothing.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger.model import Spent
from sidecar.ledger.rows import milliseconds, moment
from sidecar.money import Usdc

_HOUR_MS = 3_600_000

SPENDING = """
SELECT reserved_at / 3600000 AS hour, route, caller, network, sum(amount), count(*)
FROM payments
WHERE state = 'posted' AND reserved_at / 3600000 >= ?
GROUP BY reserved_at / 3600000, route, caller, network
ORDER BY reserved_at / 3600000, route, caller, network
"""


def spending(connection: sqlite3.Connection, since: datetime) -> tuple[Spent, ...]:
    """What moved, from the hour that this moment falls in, by hour, route, caller and network."""
    rows = connection.execute(SPENDING, (milliseconds(since) // _HOUR_MS,))
    return tuple(
        Spent(moment(hour * _HOUR_MS), route, caller, network, Usdc(amount), payments)
        for hour, route, caller, network, amount, payments in rows
    )
