"""What the rules found for one payment of a transaction, for the next one of it.

Inside a transaction that writes nobody else does. So the freeze, a payee's pin and a route's
breaker are what they were, until this connection changes something that is no reservation: it
counts its changes, whoever makes them. Whether its purchase is open is asked for each payment.
Outside of a transaction nothing is kept.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import TypeAlias

from sidecar.ledger import sqlite_rules
from sidecar.ledger.model import Intent

_Place: TypeAlias = tuple[str, str, str, str | None]

_NONE = -1  # no number of changes


class Seen:
    """The looks of the transaction that is open on this connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept: dict[_Place, tuple[datetime, sqlite3.Row]] = {}
        self._changes = _NONE
        self._is_open = False

    def begin(self) -> None:
        """A transaction that writes has begun; none of it is undone before ``end``."""
        self._is_open, self._changes = True, _NONE

    def end(self) -> None:
        """It is over, or from now on a part of it may be undone."""
        self._is_open = False

    def look(self, intent: Intent, at: datetime) -> sqlite3.Row:
        """``sqlite_rules.look``, or what it would find."""
        if not self._is_open:
            return sqlite_rules.look(self._connection, intent, at)
        changes = self._connection.total_changes
        if changes != self._changes:
            self._kept.clear()
            self._changes = changes
        place = (intent.route, intent.purpose, intent.network, intent.pin_place)
        since = at - intent.breaker.window
        kept = self._kept.get(place)
        # None since then are none since later, either.
        if kept is not None and since >= kept[0] and not self._is_rivalled(intent):
            return kept[1]
        found = sqlite_rules.look(self._connection, intent, at)
        if sqlite_rules.is_for_all(found, intent):
            self._kept[place] = (since, found)
        return found

    def reserved(self) -> None:
        """What was changed since the last look is a reservation, which changes nothing kept."""
        if self._is_open:
            self._changes = self._connection.total_changes

    def moved(self, before: int) -> None:
        """What was changed since so many changes were moves of payments: posted, delivered.

        They change nothing that is kept, either.
        """
        if self._is_open and self._changes == before:
            self._changes = self._connection.total_changes

    def _is_rivalled(self, intent: Intent) -> bool:
        return sqlite_rules.is_rivalled(self._connection, intent.purchase)
