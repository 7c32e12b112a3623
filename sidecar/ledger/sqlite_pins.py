"""Trust on first use: whom a payment was first reserved for is whom the next ones are for.

The pin is written in the transaction that reserves. So of two processes that meet two payees at
one moment, one pins and the other is refused; and a reservation that is refused pins nobody.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger import denials
from sidecar.ledger.model import Intent, PayeePin
from sidecar.ledger.rows import milliseconds, pin_of
from sidecar.refusal import Denied

_PIN = """
INSERT INTO pins (route, purpose, network, place, pay_to, pinned_at) VALUES (?, ?, ?, ?, ?, ?)
"""
_ALL = "SELECT * FROM pins ORDER BY route, purpose, network, place"
_OF_ROUTE = "SELECT * FROM pins WHERE route = ? ORDER BY purpose, network, place"
_FORGET = "DELETE FROM pins WHERE route = ?"


def refusal(
    connection: sqlite3.Connection, intent: Intent, pinned: str | None, at: datetime
) -> Denied | None:
    """Pins the payee where none is; a refusal where another one is."""
    # The config names the payees, and that outranks whoever came first.
    if intent.pin_place is None:
        return None
    if pinned is None:
        key = (intent.route, intent.purpose, intent.network, intent.pin_place)
        connection.execute(_PIN, (*key, intent.payee, milliseconds(at)))
        return None
    return denials.payee_changed(intent, pinned)


def pins(connection: sqlite3.Connection) -> tuple[PayeePin, ...]:
    return tuple(map(pin_of, connection.execute(_ALL)))


def forget(connection: sqlite3.Connection, route: str) -> tuple[PayeePin, ...]:
    """What was pinned for this route, and is not any more."""
    pinned = tuple(map(pin_of, connection.execute(_OF_ROUTE, (route,))))
    connection.execute(_FORGET, (route,))
    return pinned
