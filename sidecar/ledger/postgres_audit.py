"""Do the books in Postgres agree with their events? The questions of sqlite_audit."""

from __future__ import annotations

from sidecar.ledger.discrepancies import NAMED_MAX, miscounted, misled, untold
from sidecar.ledger.postgres_transactions import Record, Transaction

_LIMIT = (NAMED_MAX,)

_PAYMENTS = """
SELECT told.payment, payments.id, payments.state, told.way::bigint AS way
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
FULL JOIN payments ON payments.seq = told.payment
LEFT JOIN events AS reservation
  ON reservation.payment = told.payment AND reservation.kind = 'reserved'
  AND reservation.kind <> 'claimed'
WHERE told.way IS DISTINCT FROM 1 + (authorized_at IS NOT NULL)::int * 10
    + (state = 'posted')::int * 100 + (state = 'voided')::int * 1000
    + (delivered_at IS NOT NULL)::int * 10000 + (closed_at IS NOT NULL)::int * 100000
  OR reservation.detail IS DISTINCT FROM
    '{"amount":' || amount || ',"windows":' || windows || '}'
ORDER BY told.payment
LIMIT %s
"""

# Payments of one hour fall into the same windows, so they are summed before these are unfolded.
_WINDOWS = """
WITH
sums AS (
  SELECT windows,
         coalesce(sum(amount) FILTER (WHERE state IN ('reserved', 'authorized')), 0) AS reserved,
         coalesce(sum(amount) FILTER (WHERE state = 'posted'), 0) AS spent
  FROM payments GROUP BY windows
),
both_sides AS (
  SELECT budget, starts_at, reserved, spent, 0 AS told_reserved, 0 AS told_spent FROM windows
  UNION ALL
  SELECT each.value ->> 0, (each.value ->> 1)::bigint, 0, 0, reserved, spent
  FROM sums, json_array_elements(sums.windows::json) AS each
  UNION ALL
  SELECT budget, starts_at, 0, 0, granted - returned - settled, settled FROM slices
)
SELECT budget, starts_at, sum(reserved)::bigint AS reserved, sum(spent)::bigint AS spent,
       sum(told_reserved)::bigint AS told_reserved, sum(told_spent)::bigint AS told_spent
FROM both_sides
GROUP BY budget, starts_at
HAVING sum(reserved) <> sum(told_reserved) OR sum(spent) <> sum(told_spent)
ORDER BY budget, starts_at
LIMIT %s
"""


async def differences(tx: Transaction) -> list[str]:
    """What does not agree, in a person's words."""
    payments, windows = await tx.ask((_PAYMENTS, _LIMIT), (_WINDOWS, _LIMIT))
    return [*map(_told, payments), *map(miscounted, windows)]


def _told(row: Record) -> str:
    return untold(row) if row["way"] is None else misled(row)
