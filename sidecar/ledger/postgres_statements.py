"""The statements that write: the same moves as sqlite_books, in Postgres' words."""

from __future__ import annotations

INSERT = """
WITH made AS (
  INSERT INTO payments (
    id, purchase_key, explicit, slot, owner, holder, state, amount, reserved_at, route, caller,
    purpose, scheme, network, asset, pay_to, windows, envelope,
    price_place
  ) VALUES (
    %s, %s, %s, %s, %s, %s, 'reserved', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s
  ) RETURNING seq
)
INSERT INTO events (at, payment, kind, detail) SELECT %s, seq, 'reserved', %s FROM made
"""
AUTHORIZE = """
UPDATE payments SET state = 'authorized', authorized_at = %s,
  auth_network = %s, auth_identity = %s, auth_expires_at = %s, auth_fields = %s
WHERE id = %s AND state = 'reserved'
"""
POST = """
UPDATE payments SET state = 'posted', settled_at = %s, proof_kind = %s, proof_transaction = %s,
  confirmed = %s
WHERE id = %s AND state = 'authorized'
"""
CONFIRM = """
UPDATE payments SET confirmed = true, proof_kind = %s, proof_transaction = %s
WHERE id = %s AND state = 'posted' AND NOT confirmed
"""
VOID = """
UPDATE payments SET state = 'voided', settled_at = %s, proof_kind = %s, proof_transaction = %s
WHERE id = %s AND state = %s
"""
# A holder lets go of what it holds itself, never of what another took over.
RELEASE = "UPDATE payments SET holder = NULL WHERE id = %s AND holder = %s"
DELIVER = """
UPDATE payments SET delivered_at = %s
WHERE id = %s AND state <> 'reserved' AND delivered_at IS NULL
"""
CLOSE = """
UPDATE payments SET closed_at = %s
WHERE id = %s AND state = 'posted' AND delivered_at IS NULL AND closed_at IS NULL
"""
HOLD = "UPDATE payments SET holder = %s WHERE id = %s AND holder IS NOT DISTINCT FROM %s"
TELL = "INSERT INTO events (at, payment, kind, detail) VALUES (%s, %s, %s, %s)"
ASK = """
INSERT INTO events (at, payment, kind, detail)
SELECT %s, seq, 'asked', %s FROM payments WHERE id = %s
"""
RAISE = """
INSERT INTO windows AS had (budget, starts_at, reserved, spent)
SELECT %s, %s, %s, 0 WHERE %s <= %s
ON CONFLICT (budget, starts_at) DO UPDATE SET reserved = had.reserved + excluded.reserved
WHERE had.reserved + had.spent + excluded.reserved <= %s
RETURNING 1
"""
# The table's own check ends the transaction where the row lacks the amount.
SPEND = """
UPDATE windows SET reserved = reserved - %s, spent = spent + %s
WHERE budget = %s AND starts_at = %s
"""
# Where the row is missing there is nothing to check, so this ends it.
REQUIRE_WINDOW = "SELECT 1 / count(*) FROM windows WHERE budget = %s AND starts_at = %s"
LOCK = "SELECT pg_advisory_xact_lock(%s)"
LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(%s)"
RING = "SELECT pg_notify(%s, %s)"
NOTIFY = """
SELECT pg_notify(%s, left(purchase_key, 200)) FROM payments WHERE id = %s AND purpose = 'top_up'
"""
