"""The windows of the budgets: raised by one conditional update, all of them or none.

Reading the total first and writing it afterwards would let two payments both fit into what is
left for one (money-safety.md: 15 of 15 runs overspent); the update itself looks at the limit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from sidecar.errors import LedgerError
from sidecar.ledger.model import Budget
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse, Denied

# A window: the name of its budget, and its start in milliseconds since the epoch.
WindowKey: TypeAlias = tuple[str, int]

# A trillion USDC. Sums of amounts up to this one stay far from the end of a 64-bit integer,
# past which SQLite would go on with floating point.
LARGEST = 10**18

_RAISE = """
INSERT INTO windows (budget, starts_at, reserved, spent)
SELECT ?1, ?2, ?3, 0 WHERE ?3 <= ?4
ON CONFLICT (budget, starts_at) DO UPDATE SET reserved = reserved + ?3
WHERE reserved + spent + ?3 <= ?4
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
) -> list[WindowKey] | Denied:
    """Raise what is reserved in the window of every budget; the windows, or who refused.

    After a refusal the caller undoes what was raised before it. Without a budget nothing may be
    paid, and a budget that is named twice counts
    once, with the smaller limit.
    """
    if not budgets:
        return Denied("budget", "no budget covers this payment, so nothing may be paid")
    if amount.atomic > LARGEST:
        return Denied("amount", f"{amount} is more than any ledger can hold")
    wanted: dict[WindowKey, Budget] = {}
    for budget in budgets:
        key = (budget.name, budget.starts_at(at) * 1000)
        rival = wanted.setdefault(key, budget)
        if budget.limit < rival.limit:
            wanted[key] = budget
    # One order for everybody, so that no two payments ever wait for each other.
    windows = sorted(wanted)
    for key in windows:
        limit = min(wanted[key].limit.atomic, LARGEST)
        if connection.execute(_RAISE, (*key, amount.atomic, limit)).rowcount != 1:
            return _refusal(use(connection, wanted[key], at), amount)
    return windows


def spend(connection: sqlite3.Connection, windows: Sequence[WindowKey], amount: int) -> None:
    """What was reserved in these windows is now spent."""
    _lower(connection, _SPEND, windows, amount)


def free(connection: sqlite3.Connection, windows: Sequence[WindowKey], amount: int) -> None:
    """What was reserved in these windows may be spent on something else."""
    _lower(connection, _FREE, windows, amount)


def _lower(
    connection: sqlite3.Connection, statement: str, windows: Sequence[WindowKey], amount: int
) -> None:
    for budget, starts_at in windows:
        if connection.execute(statement, (budget, starts_at, amount)).rowcount != 1:
            raise LedgerError(f'budget "{budget}" lacks what was reserved in it: damaged books')


def use(connection: sqlite3.Connection, budget: Budget, at: datetime) -> BudgetUse:
    """What is gone of this budget in the window that ``at`` falls in."""
    row = connection.execute(_USE, (budget.name, budget.starts_at(at) * 1000)).fetchone()
    reserved, spent = (0, 0) if row is None else row
    return BudgetUse(budget.name, budget.limit, Usdc(spent), Usdc(reserved), budget.resets_at(at))


def _refusal(used: BudgetUse, amount: Usdc) -> Denied:
    again = "never starts again"
    if used.resets_at is not None:
        again = f"starts again at {used.resets_at:%Y-%m-%d %H:%M:%S} UTC"
    return Denied(
        "budget",
        f'budget "{used.name}" has no room for {amount}: {used.spent} spent and {used.reserved} '
        f"reserved of {used.limit}; it {again}",
        used,
    )
