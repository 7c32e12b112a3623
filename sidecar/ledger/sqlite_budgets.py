"""The windows of the budgets: raised by one conditional update, all of them or none.

Reading the total first and writing it afterwards would let two payments both fit into what is
left for one (money-safety.md: 15 of 15 runs overspent); the update itself looks at the limit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from sidecar.errors import LedgerError
from sidecar.ledger import denials, windows
from sidecar.ledger.model import Budget
from sidecar.ledger.windows import WindowKey
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse, Denied

_RAISE = """
INSERT INTO windows (budget, starts_at, reserved, spent)
SELECT ?1, ?2, ?3, 0 WHERE ?3 <= ?4
ON CONFLICT (budget, starts_at) DO UPDATE SET reserved = reserved + ?3
WHERE reserved + spent + ?3 <= ?4
"""
# What nearly all need, a quarter cheaper: their window is there, and has room for them.
_RAISE_AGAIN = """
UPDATE windows SET reserved = reserved + ?3
WHERE budget = ?1 AND starts_at = ?2 AND reserved + spent + ?3 <= ?4
"""
_SPEND = """
UPDATE windows SET reserved = reserved - ?3, spent = spent + ?3
WHERE budget = ?1 AND starts_at = ?2 AND reserved >= ?3
"""
_FREE = """
UPDATE windows SET reserved = reserved - ?3
WHERE budget = ?1 AND starts_at = ?2 AND reserved >= ?3
"""
_USE = "SELECT reserved, spent FROM windows WHERE budget = ? AND starts_at = ?"


def set_aside(
    connection: sqlite3.Connection, budgets: Sequence[Budget], amount: Usdc, at: datetime
) -> tuple[WindowKey, ...] | Denied:
    """Raise what is reserved in the window of every budget; the windows, or who refused.

    After a refusal the caller undoes what was raised before it.
    """
    asked = windows.wanted(budgets, amount, at)
    if isinstance(asked, Denied):
        return asked
    for key, budget in asked.items():
        if not is_raised(connection, key, amount.atomic, windows.cap(budget)):
            return denials.no_room(use(connection, budget, at), amount)
    return tuple(asked)


def is_raised(connection: sqlite3.Connection, key: WindowKey, amount: int, cap: int) -> bool:
    """Raise what is reserved in this window, up to its limit; whether there was room."""
    raised = (*key, amount, cap)
    if connection.execute(_RAISE_AGAIN, raised).rowcount == 1:
        return True
    return connection.execute(_RAISE, raised).rowcount == 1


def spend(connection: sqlite3.Connection, keys: Sequence[WindowKey], amount: int) -> None:
    """What was reserved in these windows is now spent."""
    _lower(connection, _SPEND, keys, amount)


def is_spent(connection: sqlite3.Connection, key: WindowKey, amount: int) -> bool:
    """The same of one window; whether it was reserved there."""
    return connection.execute(_SPEND, (*key, amount)).rowcount == 1


def free(connection: sqlite3.Connection, keys: Sequence[WindowKey], amount: int) -> None:
    """What was reserved in these windows may be spent on something else."""
    _lower(connection, _FREE, keys, amount)


def _lower(
    connection: sqlite3.Connection, statement: str, keys: Sequence[WindowKey], amount: int
) -> None:
    for budget, starts_at in keys:
        if connection.execute(statement, (budget, starts_at, amount)).rowcount != 1:
            raise LedgerError(f'budget "{budget}" lacks what was reserved in it: damaged books')


def use(connection: sqlite3.Connection, budget: Budget, at: datetime) -> BudgetUse:
    """What is gone of this budget in the window that ``at`` falls in."""
    row = connection.execute(_USE, (budget.name, budget.starts_at(at) * 1000)).fetchone()
    reserved, spent = (0, 0) if row is None else row
    return BudgetUse(budget.name, budget.limit, Usdc(spent), Usdc(reserved), budget.resets_at(at))
