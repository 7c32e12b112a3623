"""The tables of a ledger file, and the marks by which a file is known as one.

Money is in atomic units and time in milliseconds since the epoch, both whole numbers; STRICT
makes SQLite refuse anything else. ``windows`` of a payment are the budget windows that it was
reserved in, as ``[[budget, starts_at], ...]``. Events are only ever added: the state of every
payment and the total of every window follow from them (sqlite_audit). The checks say OR because
SQLite builds a table for each IN, on each write: that alone took a tenth of a reservation.
"""

from __future__ import annotations

APPLICATION_ID = 0x78343032  # "x402"
VERSION = 4

_PAYMENTS = """
CREATE TABLE payments (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  purchase_key TEXT NOT NULL,
  explicit INTEGER NOT NULL CHECK (explicit = 0 OR explicit = 1),
  slot INTEGER NOT NULL CHECK (slot >= 0 AND slot * explicit = 0),
  owner TEXT NOT NULL,
  holder TEXT,
  state TEXT NOT NULL CHECK (
    state = 'reserved' OR state = 'authorized' OR state = 'posted' OR state = 'voided'
  ),
  confirmed INTEGER NOT NULL DEFAULT 0 CHECK (confirmed = 0 OR confirmed = 1),
  amount INTEGER NOT NULL CHECK (amount >= 0),
  reserved_at INTEGER NOT NULL,
  authorized_at INTEGER,
  settled_at INTEGER,
  delivered_at INTEGER,
  closed_at INTEGER,
  route TEXT NOT NULL,
  caller TEXT NOT NULL,
  purpose TEXT NOT NULL,
  scheme TEXT NOT NULL,
  network TEXT NOT NULL,
  asset TEXT NOT NULL,
  pay_to TEXT NOT NULL,
  windows TEXT NOT NULL,
  proof_kind TEXT,
  proof_transaction TEXT,
  auth_network TEXT,
  auth_identity TEXT,
  auth_expires_at INTEGER,
  auth_fields TEXT,
  envelope TEXT NOT NULL,
  price_place TEXT NOT NULL DEFAULT '',
  CHECK (state = 'reserved' OR state = 'voided' OR auth_identity IS NOT NULL),
  CHECK (state = 'reserved' OR state = 'authorized' OR proof_kind IS NOT NULL)
) STRICT
"""

_OPEN_PAYMENTS = """
CREATE VIEW open_payments AS
SELECT * FROM payments
WHERE state <> 'voided' AND delivered_at IS NULL AND closed_at IS NULL
"""

_ONE_OPEN_PER_SLOT = """
CREATE UNIQUE INDEX payments_open ON payments (purchase_key, explicit, slot)
WHERE state <> 'voided' AND delivered_at IS NULL AND closed_at IS NULL
"""

_EXPLICIT = "CREATE INDEX payments_explicit ON payments (purchase_key) WHERE explicit = 1"
_IN_DOUBT = "CREATE INDEX payments_in_doubt ON payments (state) WHERE state = 'authorized'"
_UNCONFIRMED = """
CREATE INDEX payments_unconfirmed ON payments (confirmed)
WHERE confirmed = 0 AND state = 'posted'
"""
_CLOSED = """
CREATE INDEX payments_closed ON payments (route, closed_at) WHERE closed_at IS NOT NULL
"""

_TOP_UPS = "CREATE INDEX payments_top_ups ON payments (purchase_key) WHERE purpose = 'top_up'"

# One look-up finds the highest price of a day.
_PRICES = """
CREATE INDEX payments_prices
ON payments (route, purpose, price_place, reserved_at / 86400000, amount)
WHERE price_place <> '' AND state <> 'voided'
"""

# What people are shown of an hour stands together, in the order in which it is added up; with the
# last two, no row has to be looked at.
_SPENT = """
CREATE INDEX payments_spent
ON payments (reserved_at / 3600000, route, caller, network, amount, reserved_at, state)
WHERE state = 'posted'
"""

PINS = """
CREATE TABLE pins (
  route TEXT NOT NULL,
  purpose TEXT NOT NULL,
  network TEXT NOT NULL,
  place TEXT NOT NULL,
  pay_to TEXT NOT NULL,
  pinned_at INTEGER NOT NULL,
  PRIMARY KEY (route, purpose, network, place)
) STRICT, WITHOUT ROWID
"""

# Frozen while it has its one row.
_FREEZE = """
CREATE TABLE freeze (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  since INTEGER NOT NULL
) STRICT
"""

WINDOWS = """
CREATE TABLE windows (
  budget TEXT NOT NULL,
  starts_at INTEGER NOT NULL,
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  spent INTEGER NOT NULL CHECK (spent >= 0),
  PRIMARY KEY (budget, starts_at)
) STRICT, WITHOUT ROWID
"""

_EVENTS = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  payment INTEGER NOT NULL REFERENCES payments (seq),
  kind TEXT NOT NULL CHECK (
    kind = 'reserved' OR kind = 'authorized' OR kind = 'posted' OR kind = 'voided'
    OR kind = 'confirmed' OR kind = 'claimed' OR kind = 'delivered' OR kind = 'closed'
    OR kind = 'asked' OR kind = 'approved' OR kind = 'refused'
  ),
  detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT
"""

# A life has no step twice; only claiming, which is not a step, may happen again.
_ONCE = "CREATE UNIQUE INDEX events_once ON events (payment, kind) WHERE kind <> 'claimed'"

_NEVER_CHANGED = """
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END
"""

_NEVER_DELETED = """
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END
"""

# One number that a check can write without touching the books.
_PROBE = "CREATE TABLE probe (count INTEGER NOT NULL) STRICT"
_PROBE_ROW = "INSERT INTO probe (count) VALUES (0)"

STATEMENTS = (
    _PAYMENTS,
    _OPEN_PAYMENTS,
    _ONE_OPEN_PER_SLOT,
    _EXPLICIT,
    _IN_DOUBT,
    _UNCONFIRMED,
    _CLOSED,
    _TOP_UPS,
    _PRICES,
    _SPENT,
    PINS,
    _FREEZE,
    WINDOWS,
    _EVENTS,
    _ONCE,
    _NEVER_CHANGED,
    _NEVER_DELETED,
    _PROBE,
    _PROBE_ROW,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
