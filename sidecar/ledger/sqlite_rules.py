"""What the books themselves hold against a new payment, beside its budgets.

A route's breaker, the payee it is used to and what it is used to pay, and for a top-up what its
account has had already. Looked up in the transaction that reserves, so that two processes cannot
both find room for the last one.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger import denials, sqlite_lists, sqlite_pins, sqlite_prices
from sidecar.ledger.model import Breaker, Intent
from sidecar.ledger.rows import milliseconds
from sidecar.refusal import Denied


def refusal(connection: sqlite3.Connection, intent: Intent, at: datetime) -> Denied | None:
    """Why this payment is not to be made now; None where nothing speaks against it."""
    return (
        sqlite_pins.refusal(connection, intent, milliseconds(at))
        or sqlite_prices.refusal(connection, intent, milliseconds(at))
        or _broken(connection, intent.route, intent.breaker, at)
        or _topped_up(connection, intent, at)
    )


def _broken(
    connection: sqlite3.Connection, route: str, breaker: Breaker, at: datetime
) -> Denied | None:
    # Zero is the way to say that a route has no breaker.
    if breaker.undelivered_max <= 0:
        return None
    closed = sqlite_lists.closed_since(connection, route, at - breaker.window)
    return denials.breaker(route, breaker, closed)


def _topped_up(connection: sqlite3.Connection, intent: Intent, at: datetime) -> Denied | None:
    rule = intent.top_up
    if rule is None:
        return None
    if sqlite_lists.is_topped_up_since(connection, intent.purchase, rule.since):
        return denials.topped_up()
    made = sqlite_lists.top_ups_since(connection, intent.purchase, at - denials.HOUR)
    return denials.top_up_rate(intent.route, made, rule.hourly_max)
