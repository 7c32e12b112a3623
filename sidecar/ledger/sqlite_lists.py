"""What can be asked of a ledger file without changing it."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger.model import Payment, Purchase
from sidecar.ledger.rows import milliseconds, payment_of
from sidecar.ledger.sqlite_instances import Instances

_IN_DOUBT = "SELECT * FROM payments WHERE state = 'authorized' ORDER BY seq"
_UNCONFIRMED = "SELECT * FROM payments WHERE confirmed = 0 AND state = 'posted' ORDER BY seq"
# By name: for an order that it has anyway, SQLite would rather walk through all the payments.
_OPEN = """
SELECT * FROM payments INDEXED BY payments_open
WHERE state <> 'voided' AND delivered_at IS NULL AND closed_at IS NULL
"""
_RESERVED = f"{_OPEN} AND state = 'reserved' ORDER BY seq"
_UNDELIVERED = f"{_OPEN} AND state = 'posted' AND settled_at < ? ORDER BY seq"
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
_TOPPED_UP_SINCE = """
SELECT 1 FROM payments WHERE purchase_key = ? AND purpose = 'top_up' AND delivered_at >= ?
"""
_TOP_UPS_SINCE = """
SELECT count(*) FROM payments
WHERE purchase_key = ? AND purpose = 'top_up' AND state <> 'voided' AND reserved_at > ?
"""
_NEWEST_TOP_UP = """
SELECT * FROM payments WHERE purchase_key = ? AND purpose = 'top_up' ORDER BY seq DESC LIMIT 1
"""
_AUTHORIZATIONS = """
SELECT count(*) FROM payments
WHERE purchase_key = ? AND purpose = 'top_up' AND authorized_at IS NOT NULL AND reserved_at >= ?
"""
_AUTHORIZATIONS_EXPLICIT = """
SELECT count(*) FROM payments
WHERE purchase_key = ? AND explicit = 1 AND authorized_at IS NOT NULL AND reserved_at >= ?
"""
_TOP_UPS = "SELECT * FROM payments WHERE purpose = 'top_up' ORDER BY seq"
_MADE_BY = "SELECT * FROM payments WHERE owner = ? ORDER BY seq"
_FIND = "SELECT * FROM payments WHERE id = ?"
# The second condition on the kind lets SQLite use the index of what happens once.
_RESOLVER = """
SELECT json_extract(detail, '$.by') FROM events
WHERE payment = (SELECT seq FROM payments WHERE id = ?) AND kind <> 'claimed'
  AND (kind = 'posted' OR kind = 'voided' OR kind = 'delivered' OR kind = 'closed')
  AND json_extract(detail, '$.by') IS NOT NULL
ORDER BY seq DESC LIMIT 1
"""
_STEPS = """
SELECT at, kind, detail FROM events
WHERE payment = (SELECT seq FROM payments WHERE id = ?)
ORDER BY seq
"""
_NEWEST = "SELECT * FROM payments WHERE reserved_at >= ? ORDER BY seq DESC LIMIT ?"


def find(connection: sqlite3.Connection, payment_id: str) -> sqlite3.Row | None:
    """The row of this payment; None where there is none."""
    row: sqlite3.Row | None = connection.execute(_FIND, (payment_id,)).fetchone()
    return row


def resolver(connection: sqlite3.Connection, payment_id: str) -> str | None:
    """Who said last what became of this payment; None where nobody had to."""
    row = connection.execute(_RESOLVER, (payment_id,)).fetchone()
    return None if row is None else str(row[0])


def steps(connection: sqlite3.Connection, payment_id: str) -> list[sqlite3.Row]:
    """The events of this payment, oldest first; none where there is no such payment."""
    return connection.execute(_STEPS, (payment_id,)).fetchall()


def top_ups(connection: sqlite3.Connection) -> tuple[Payment, ...]:
    """Every payment for credit, oldest first."""
    return tuple(map(payment_of, connection.execute(_TOP_UPS)))


def made_by(connection: sqlite3.Connection, instance: str) -> tuple[Payment, ...]:
    """Every payment that this instance made, whatever became of it, oldest first."""
    return tuple(map(payment_of, connection.execute(_MADE_BY, (instance,))))


def in_doubt(connection: sqlite3.Connection) -> tuple[Payment, ...]:
    return tuple(map(payment_of, connection.execute(_IN_DOUBT)))


def to_prove(
    connection: sqlite3.Connection, instances: Instances, at: datetime
) -> tuple[Payment, ...]:
    at_ms = milliseconds(at)
    return tuple(
        payment_of(row)
        for row in connection.execute(_IN_DOUBT)
        if row["holder"] == instances.own
        or row["auth_expires_at"] <= at_ms
        or not instances.is_held(row["holder"])
    )


def unconfirmed(connection: sqlite3.Connection) -> tuple[Payment, ...]:
    return tuple(map(payment_of, connection.execute(_UNCONFIRMED)))


def orphaned(connection: sqlite3.Connection, instances: Instances) -> tuple[Payment, ...]:
    rows = connection.execute(_RESERVED)
    return tuple(payment_of(row) for row in rows if not instances.is_alive(row["owner"]))


def undelivered(
    connection: sqlite3.Connection, instances: Instances, posted_before: datetime
) -> tuple[Payment, ...]:
    rows = connection.execute(_UNDELIVERED, (milliseconds(posted_before),))
    return tuple(payment_of(row) for row in rows if not instances.is_held(row["holder"]))


def newest(
    connection: sqlite3.Connection, since: datetime | None, limit: int
) -> tuple[Payment, ...]:
    since_ms = 0 if since is None else milliseconds(since)
    return tuple(map(payment_of, connection.execute(_NEWEST, (since_ms, limit))))


def rivals(connection: sqlite3.Connection, purchase: Purchase) -> list[sqlite3.Row]:
    """The rows that stand in the way of a new payment for this purchase, or may serve as it."""
    statement = _RIVALS_EXPLICIT if purchase.explicit else _RIVALS
    return connection.execute(statement, (purchase.key,)).fetchall()


def claimable(
    connection: sqlite3.Connection, purchase: Purchase, undelivered_since: datetime
) -> list[sqlite3.Row]:
    """The rows that a repeated request may bind to where nobody holds them, oldest first."""
    statement = _CLAIMABLE_EXPLICIT if purchase.explicit else _CLAIMABLE
    return connection.execute(statement, (purchase.key, milliseconds(undelivered_since))).fetchall()


def is_topped_up_since(connection: sqlite3.Connection, purchase: Purchase, since: datetime) -> bool:
    """Whether a top-up of this account was completed at this moment or later."""
    found = connection.execute(_TOPPED_UP_SINCE, (purchase.key, milliseconds(since)))
    return found.fetchone() is not None


def top_ups_since(connection: sqlite3.Connection, purchase: Purchase, since: datetime) -> int:
    """How many top-ups of this account were reserved after this moment, but for voided ones."""
    found = connection.execute(_TOP_UPS_SINCE, (purchase.key, milliseconds(since)))
    (made,) = found.fetchone()
    return int(made)


def newest_top_up(connection: sqlite3.Connection, purchase: Purchase) -> Payment | None:
    row = connection.execute(_NEWEST_TOP_UP, (purchase.key,)).fetchone()
    return None if row is None else payment_of(row)


def authorizations(connection: sqlite3.Connection, purchase: Purchase, since: datetime) -> int:
    """How many payments reserved then or later were authorized: see ``Ledger``."""
    statement = _AUTHORIZATIONS_EXPLICIT if purchase.explicit else _AUTHORIZATIONS
    (made,) = connection.execute(statement, (purchase.key, milliseconds(since))).fetchone()
    return int(made)
