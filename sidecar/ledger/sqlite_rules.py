"""What the books themselves hold against a new payment, beside its budgets.

A route's breaker, the payee it is used to and what it is used to pay, and for a top-up what its
account has had already. Looked up in the transaction that reserves, so that two processes cannot
both find room for the last one. What every payment asks for is one question: most of what a
statement costs is that it is one. From one transaction to the next, to remember the answer would
cost as much: the file would have to be asked whether another process has changed it. Within one,
sqlite_seen does.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger import denials, sqlite_lists, sqlite_pins, sqlite_prices
from sidecar.ledger.model import Breaker, Intent, Purchase
from sidecar.ledger.rows import milliseconds
from sidecar.refusal import Denied

_LOOK = """
SELECT (SELECT since FROM freeze) AS frozen_since,
  (SELECT pay_to FROM pins
    WHERE route = ?1 AND purpose = ?2 AND network = ?3 AND place = ?4) AS pinned,
  (SELECT count(*) FROM payments WHERE route = ?1 AND closed_at >= ?5) AS closed,
  EXISTS (SELECT 1 FROM open_payments WHERE purchase_key = ?6 AND explicit = 0) AS rivalled
"""
_RIVAL = "SELECT 1 FROM open_payments WHERE purchase_key = ? AND explicit = 0"


def look(connection: sqlite3.Connection, intent: Intent, at: datetime) -> sqlite3.Row:
    """The freeze, the payee's pin, the breaker's count, and whether a hashed purchase is open."""
    since = milliseconds(at - intent.breaker.window)
    place = (intent.route, intent.purpose, intent.network, intent.pin_place)
    found = connection.execute(_LOOK, (*place, since, intent.purchase.key))
    row: sqlite3.Row = found.fetchone()
    return row


def is_rivalled(connection: sqlite3.Connection, purchase: Purchase) -> bool:
    """The last of these alone: a hashed purchase with this key is open."""
    return connection.execute(_RIVAL, (purchase.key,)).fetchone() is not None


def is_for_all(seen: sqlite3.Row, intent: Intent) -> bool:
    """Whether the next look there finds the same, as long as only reservations are made.

    Not where this one is about to pin the payee, where there is a count that goes down as time
    goes by, nor where it is the purchase that was found.
    """
    is_pinned = seen["pinned"] is not None or intent.pin_place is None
    return is_pinned and not seen["closed"] and not seen["rivalled"]


def refusal(
    connection: sqlite3.Connection, intent: Intent, at: datetime, seen: sqlite3.Row
) -> Denied | None:
    """Why this payment is not to be made now; None where nothing speaks against it.

    ``seen``: by ``look``, in this transaction. The freeze is its caller's to tell.
    """
    return (
        sqlite_pins.refusal(connection, intent, seen["pinned"], at)
        or sqlite_prices.refusal(connection, intent, at)
        or _broken(intent.route, intent.breaker, seen["closed"])
        or _topped_up(connection, intent, at)
    )


def _broken(route: str, breaker: Breaker, closed: int) -> Denied | None:
    # Zero is the way to say that a route has no breaker.
    if breaker.undelivered_max <= 0:
        return None
    return denials.breaker(route, breaker, closed)


def _topped_up(connection: sqlite3.Connection, intent: Intent, at: datetime) -> Denied | None:
    rule = intent.top_up
    if rule is None:
        return None
    if sqlite_lists.is_topped_up_since(connection, intent.purchase, rule.since):
        return denials.topped_up()
    made = sqlite_lists.top_ups_since(connection, intent.purchase, at - denials.HOUR)
    return denials.top_up_rate(intent.route, made, rule.hourly_max)
