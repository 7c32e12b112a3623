"""Do the books agree with their events? Asked when a ledger is opened, before anything is paid.

The events say what every payment was reserved for and what became of it. The rows of the
payments must say the same, and the totals of the windows must be the sums of the payments.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sidecar.errors import LedgerError
from sidecar.ledger.sqlite_rows import moment

_NAMED_MAX = 3

# One line per payment. Each event that moves a payment happens at most once, so their sum, one
# decimal place for each kind, names the way that it went; any other sum is no way at all.
_TELL = """
CREATE TEMP TABLE told AS
SELECT
  payment_id,
  CASE sum(CASE kind WHEN 'reserved' THEN 1 WHEN 'authorized' THEN 10
                     WHEN 'posted' THEN 100 WHEN 'voided' THEN 1000 ELSE 0 END)
    WHEN 1 THEN 'reserved'
    WHEN 11 THEN 'authorized'
    WHEN 111 THEN 'posted'
    WHEN 1001 THEN 'voided'
    WHEN 1011 THEN 'voided'
    ELSE 'in no possible state'
  END AS state,
  max(kind = 'delivered') AS delivered,
  max(kind = 'closed') AS closed,
  max(kind = 'confirmed' OR kind = 'posted' AND json_extract(detail, '$.confirmed')) AS confirmed,
  max(CASE kind WHEN 'reserved' THEN detail END) AS reservation
FROM events
GROUP BY payment_id
"""
_INDEX = "CREATE UNIQUE INDEX temp.told_payment ON told (payment_id)"

_PAYMENTS = """
SELECT payments.id, payments.state, coalesce(told.state, 'nothing') AS told_state
FROM payments LEFT JOIN told ON told.payment_id = payments.id
WHERE told.state IS NOT payments.state
   OR told.delivered IS NOT (payments.delivered_at IS NOT NULL)
   OR told.closed IS NOT (payments.closed_at IS NOT NULL)
   OR told.confirmed IS NOT payments.confirmed
   OR json_extract(told.reservation, '$.amount') IS NOT payments.amount
   OR json_extract(told.reservation, '$.windows') IS NOT json(payments.windows)
ORDER BY payments.seq
LIMIT :named_max
"""

_LOST = """
SELECT told.payment_id FROM told LEFT JOIN payments ON payments.id = told.payment_id
WHERE payments.id IS NULL
ORDER BY told.payment_id
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


def audit(connection: sqlite3.Connection, path: Path) -> None:
    """LedgerError that names what differs, when the books and their events do not agree."""
    # One snapshot for all the questions: other processes go on writing.
    connection.execute("BEGIN")
    connection.execute(_TELL)
    connection.execute(_INDEX)
    limit = {"named_max": _NAMED_MAX}
    differences = [
        f"payment {row['id']} is {row['state']} and its events say {row['told_state']}"
        if row["state"] != row["told_state"]
        else f"payment {row['id']} is {row['state']} as its events say, but its details differ"
        for row in connection.execute(_PAYMENTS, limit)
    ]
    differences += [
        f"payment {row['payment_id']} has events and no row"
        for row in connection.execute(_LOST, limit)
    ]
    differences += [
        f'budget "{row["budget"]}" from {moment(row["starts_at"]):%Y-%m-%d %H:%M} UTC has '
        f"{row['reserved']} reserved and {row['spent']} spent, and its events say "
        f"{row['told_reserved']} and {row['told_spent']}"
        for row in connection.execute(_WINDOWS, limit)
    ]
    connection.execute("DROP TABLE temp.told")
    connection.execute("COMMIT")
    if differences:
        raise LedgerError(
            f"ledger {path}: the books do not agree with their events, so nothing is paid from "
            f"them: {'; '.join(differences[:_NAMED_MAX])}. Restore it from a backup"
        )
