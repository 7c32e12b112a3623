"""What the books of a ledger file say to SQLite."""

from __future__ import annotations

INSERT = """
INSERT INTO payments (
  id, purchase_key, explicit, slot, owner, holder, state, amount, reserved_at, route, caller,
  purpose, scheme, network, asset, pay_to, windows, envelope,
  price_place
) VALUES (?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
AUTHORIZE = """
UPDATE payments SET state = 'authorized', authorized_at = ?,
  auth_network = ?, auth_identity = ?, auth_expires_at = ?, auth_fields = ?
WHERE id = ? AND state = 'reserved'
"""
# The same, of one that nobody was asked about: what else there is to ask, the statement asks.
AUTHORIZE_KNOWN = """
UPDATE payments SET state = 'authorized', authorized_at = ?,
  auth_network = ?, auth_identity = ?, auth_expires_at = ?, auth_fields = ?
WHERE id = ? AND state = 'reserved' AND seq = ? AND NOT EXISTS (SELECT 1 FROM freeze)
"""
_POSTED = """
UPDATE payments SET state = 'posted', settled_at = ?, proof_kind = ?, proof_transaction = ?,
  confirmed = ?"""
_SIGNED_FOR = """
WHERE id = ? AND state = 'authorized'
"""
POST = f"""{_POSTED}, delivered_at = ifnull(delivered_at, ?), holder = nullif(holder, ?)
{_SIGNED_FOR}"""
# The same, where the row has all that is remembered of it. Each has its own statement: to bind
# one NULL takes the driver as long as ten numbers.
_REMEMBERED = """
  AND seq = ? AND amount = ? AND windows = ? AND auth_identity = ? AND authorized_at = ?
"""
_NOT_YET = " AND delivered_at IS NULL"
POST_DELIVERED = f"{POST}{_REMEMBERED} AND delivered_at = ?"
POST_DELIVERING = f"{POST}{_REMEMBERED}{_NOT_YET}"
POST_UNDELIVERED = f"{_POSTED}{_SIGNED_FOR}{_REMEMBERED}{_NOT_YET}"
CONFIRM = """
UPDATE payments SET confirmed = 1, proof_kind = ?, proof_transaction = ?
WHERE id = ? AND state = 'posted' AND confirmed = 0
"""
VOID = """
UPDATE payments SET state = 'voided', settled_at = ?, proof_kind = ?, proof_transaction = ?
WHERE id = ? AND state = ?
"""
# A holder lets go of what it holds itself, never of what another took over.
RELEASE = "UPDATE payments SET holder = NULL WHERE id = ? AND holder = ?"
DELIVER = """
UPDATE payments SET delivered_at = ?, holder = nullif(holder, ?)
WHERE id = ? AND seq = ? AND state <> 'reserved' AND delivered_at IS NULL
"""
CLOSE = """
UPDATE payments SET closed_at = ?
WHERE id = ? AND state = 'posted' AND delivered_at IS NULL AND closed_at IS NULL
"""
HOLD = "UPDATE payments SET holder = ? WHERE id = ? AND holder IS ?"
USED = "SELECT 1 FROM payments WHERE owner = ? OR holder = ?"
FIND = "SELECT * FROM payments WHERE id = ?"
# What a move is decided by: to read the whole row takes three times as long.
LOOK = """
SELECT seq, id, state, confirmed, amount, authorized_at, delivered_at, closed_at, windows,
  auth_identity
FROM payments WHERE id = ?
"""
TELL = "INSERT INTO events (at, payment, kind, detail) VALUES (?, ?, ?, ?)"
