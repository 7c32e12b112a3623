"""What the payments of one batch raise and spend, told to each window once.

Most payments of a batch fall into the same windows. So what they set aside is added up, and the
one conditional update at the batch's end looks at the limit for all of them: where their sum fits,
each of them did. Where it does not, nothing of the batch is kept, and each is done for itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from sidecar.ledger import sqlite_budgets, windows
from sidecar.ledger.model import Budget
from sidecar.ledger.windows import LARGEST, WindowKey
from sidecar.money import Usdc
from sidecar.refusal import Denied

# Where a budget has run out, each batch would be done twice.
APART = 64


class Sums:
    """The windows, as the transaction that is open on this connection changes them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_open = False
        self._apart = 0
        self._raised: dict[WindowKey, tuple[int, int]] = {}  # and the least limit that was asked
        self._spent: dict[WindowKey, int] = {}

    def begin(self) -> None:
        """A batch begins, in a transaction that is undone unless ``settle`` says True."""
        self._raised, self._spent = {}, {}
        self._apart = max(self._apart - 1, 0)
        self._is_open = self._apart == 0

    def end(self) -> None:
        """From now on each window is told at once; what was added up is forgotten."""
        self._is_open = False

    def set_aside(
        self, budgets: Sequence[Budget], amount: Usdc, at: datetime
    ) -> tuple[WindowKey, ...] | Denied:
        """``sqlite_budgets.set_aside``, or what it returns where there is room."""
        if not self._is_open:
            return sqlite_budgets.set_aside(self._connection, budgets, amount, at)
        asked = windows.wanted(budgets, amount, at)
        if isinstance(asked, Denied):
            return asked
        for key, budget in asked.items():
            cap = windows.cap(budget)
            raised, least = self._raised.get(key, (0, cap))
            self._raised[key] = (raised + amount.atomic, min(least, cap))
        return tuple(asked)

    def spend(self, keys: Sequence[WindowKey], amount: int) -> None:
        """``sqlite_budgets.spend``, at once or together."""
        if not self._is_open:
            sqlite_budgets.spend(self._connection, keys, amount)
            return
        for key in keys:
            self._spent[key] = self._spent.get(key, 0) + amount

    def settle(self) -> bool:
        """Tell the windows. False: one has no room, or lacks what was reserved in it."""
        if not self._is_open:
            return True
        self._is_open = False
        connection = self._connection
        for key in sorted(self._raised):
            raised, cap = self._raised[key]
            # Past the largest limit a sum may be no number of SQLite's.
            if raised > cap or not sqlite_budgets.is_raised(connection, key, raised, cap):
                self._apart = APART
                return False
        return all(
            spent <= LARGEST and sqlite_budgets.is_spent(connection, key, spent)
            for key, spent in sorted(self._spent.items())
        )
