"""The moves of a ledger file. Each runs inside a transaction that its caller opens and commits.

Every move looks at the state first, changes the row only where it is still in that state, and
adds the event that says so. A move that raises, or returns a refusal, is undone by its caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_budgets
from sidecar.ledger.model import (
    TRANSITIONS,
    Breaker,
    Budget,
    Intent,
    Payment,
    PaymentState,
    Proof,
    Purchase,
)
from sidecar.ledger.sqlite_instances import Instances
from sidecar.ledger.sqlite_rows import (
    authorization_columns,
    milliseconds,
    payment_of,
    reserved_payment,
    to_json,
    windows_of,
)
from sidecar.refusal import BudgetUse, Denied

# What opens the one door to VOIDED: proof that the authorization can never settle. Where none
# was written down, nothing was signed, and that is proof enough.
_VOIDING = frozenset({"expired", "canceled"})
_POSTING = frozenset({"receipt", "served", "upfront", "chain"})

_INSERT = """
INSERT INTO payments (
  id, purchase_key, explicit, slot, owner, holder, state, amount, reserved_at, route, caller,
  purpose, scheme, network, asset, pay_to, windows, envelope
) VALUES (?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_AUTHORIZE = """
UPDATE payments SET state = 'authorized', authorized_at = ?,
  auth_network = ?, auth_identity = ?, auth_expires_at = ?, auth_fields = ?
WHERE id = ? AND state = 'reserved'
"""
_POST = """
UPDATE payments SET state = 'posted', settled_at = ?, proof_kind = ?, proof_transaction = ?,
  confirmed = ?
WHERE id = ? AND state = 'authorized'
"""
_CONFIRM = """
UPDATE payments SET confirmed = 1, proof_kind = ?, proof_transaction = ?
WHERE id = ? AND state = 'posted' AND confirmed = 0
"""
_VOID = """
UPDATE payments SET state = 'voided', settled_at = ?, proof_kind = ?, proof_transaction = ?
WHERE id = ? AND state = ?
"""
# A holder lets go of what it holds itself, never of what another took over.
_RELEASE = "UPDATE payments SET holder = NULL WHERE id = ? AND holder = ?"
_DELIVER = """
UPDATE payments SET delivered_at = coalesce(delivered_at, ?) WHERE id = ? AND state <> 'reserved'
"""
_CLOSE = """
UPDATE payments SET closed_at = ?
WHERE id = ? AND state = 'posted' AND delivered_at IS NULL AND closed_at IS NULL
"""
_HOLD = "UPDATE payments SET holder = ? WHERE id = ? AND holder IS ?"
_CLAIMABLE = """
SELECT * FROM open_payments
WHERE purchase_key = ? AND explicit = 0
  AND (state = 'authorized' OR state = 'posted' AND settled_at >= ?)
ORDER BY seq
"""
# Delivered ones too: the app itself says that they are the same purchase.
_CLAIMABLE_EXPLICIT = """
SELECT * FROM payments
WHERE purchase_key = ? AND explicit = 1 AND closed_at IS NULL
  AND (state = 'authorized' OR state = 'posted' AND settled_at >= ?)
ORDER BY seq
"""
_RIVALS = "SELECT * FROM open_payments WHERE purchase_key = ? AND explicit = 0 ORDER BY seq"
_RIVALS_EXPLICIT = """
SELECT * FROM payments
WHERE purchase_key = ? AND explicit = 1 AND state <> 'voided' AND closed_at IS NULL
ORDER BY seq
"""
_CLOSED_SINCE = "SELECT count(*) FROM payments WHERE route = ? AND closed_at >= ?"
_TELL = "INSERT INTO events (at, payment_id, kind, detail) VALUES (?, ?, ?, ?)"
