"""Do the books agree with their events? Asked when a ledger is opened, before anything is paid.

The events say what every payment was reserved for and what became of it. The rows of the
payments must say the same, and the totals of the windows must be the sums of the payments.

A ledger of a million payments takes seconds of this, so half of it is done on another core:
SQLite lets go of Python's lock while it looks.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from sidecar.ledger.discrepancies import NAMED_MAX, miscounted, misled, require_none, untold
from sidecar.ledger.sqlite_file import check_pages, reader

_LIMIT = {"named_max": NAMED_MAX}

# What a payment was reserved for is compared word for word.
_PAYMENTS = """
SELECT told.payment, payments.id, payments.state, told.way
FROM (
  SELECT payment, sum(CASE kind
    WHEN 'reserved' THEN 1
    WHEN 'authorized' THEN 10
    WHEN 'posted' THEN 100
    WHEN 'voided' THEN 1000
    WHEN 'delivered' THEN 10000
    WHEN 'closed' THEN 100000
    ELSE 0 END) AS way
  FROM events
  WHERE kind <> 'claimed'
  GROUP BY payment
) AS told
LEFT JOIN payments ON payments.seq = told.payment
LEFT JOIN events AS reservation
  ON reservation.payment = told.payment AND reservation.kind = 'reserved'
  AND reservation.kind <> 'claimed'
WHERE told.way IS NOT 1 + (authorized_at IS NOT NULL) * 10
    + (state = 'posted') * 100 + (state = 'voided') * 1000
    + (delivered_at IS NOT NULL) * 10000 + (closed_at IS NOT NULL) * 100000
  OR reservation.detail IS NOT '{"amount":' || amount || ',"windows":' || windows || '}'
ORDER BY told.payment
LIMIT :named_max
"""

_UNTOLD = """
SELECT id FROM payments
WHERE NOT EXISTS (
  SELECT 1 FROM events WHERE payment = payments.seq AND kind = 'reserved' AND kind <> 'claimed'
)
ORDER BY seq
LIMIT :named_max
"""

# Payments of one hour fall into the same windows, so they are summed before these are unfolded.
_WINDOWS = """
WITH
sums AS (
  SELECT windows,
         sum(CASE WHEN state IN ('reserved', 'authorized') THEN amount ELSE 0 END) AS reserved,
         sum(CASE WHEN state = 'posted' THEN amount ELSE 0 END) AS spent
  FROM payments GROUP BY windows
),
rebuilt AS (
  SELECT json_extract(value, '$[0]') AS budget, json_extract(value, '$[1]') AS starts_at,
         sum(reserved) AS reserved, sum(spent) AS spent
  FROM sums, json_each(sums.windows) GROUP BY 1, 2
),
both_sides AS (
  SELECT budget, starts_at, reserved, spent, 0 AS told_reserved, 0 AS told_spent FROM windows
  UNION ALL
  SELECT budget, starts_at, 0, 0, reserved, spent FROM rebuilt
)
SELECT budget, starts_at, sum(reserved) AS reserved, sum(spent) AS spent,
       sum(told_reserved) AS told_reserved, sum(told_spent) AS told_spent
FROM both_sides
GROUP BY budget, starts_at
HAVING sum(reserved) <> sum(told_reserved) OR sum(spent) <> sum(told_spent)
ORDER BY budget, starts_at
LIMIT :named_max
"""


def audit(path: Path) -> None:
    """LedgerError when pages are damaged, or when the books and their events do not agree."""
    with ThreadPoolExecutor(1, "ledger-audit") as beside:
        told = beside.submit(_untrue_payments, path)
        # Only readers: any other connection, as the last to close, would fold the write-ahead
        # log into a damaged file. Each question is one statement, so it has one snapshot,
        # whatever other processes write; no answer is compared with another one's.
        with closing(reader(path)) as connection:
            # What it raises leaves first: in damaged pages the books say anything.
            check_pages(connection, path)
            windows = [*map(miscounted, connection.execute(_WINDOWS, _LIMIT))]
    require_none(str(path), told.result() + windows)


def _untrue_payments(path: Path) -> list[str]:
    with closing(reader(path)) as connection:
        return [
            *map(_told, connection.execute(_PAYMENTS, _LIMIT)),
            *map(untold, connection.execute(_UNTOLD, _LIMIT)),
        ]


def _told(row: sqlite3.Row) -> str:
    if row["id"] is None:
        return f"payment number {row['payment']} has events, and no row"
    return misled(row)
