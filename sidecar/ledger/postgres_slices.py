"""The centre's side of slices: kept in the windows by the same rows as payments.

An exchange locks the windows that it names, in the order in which payments raise them, and decides
when it holds them all. It may be made twice: its reports are sums, and it wants a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sidecar.ledger import denials, windows
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger import postgres_rules as rules
from sidecar.ledger import postgres_statements as statements
from sidecar.ledger.model import Budget, Intent
from sidecar.ledger.postgres_transactions import Statement, Transaction, Transactions
from sidecar.ledger.rows import Row, milliseconds
from sidecar.ledger.slices import Grant, LeaseTerms, Report, Slice, Want, enlarged, heard
from sidecar.ledger.windows import WindowKey
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse, Denied
from sidecar.values import dataclass

_MAKE_WINDOW = """
INSERT INTO windows (budget, starts_at, reserved, spent) VALUES (%s, %s, 0, 0)
ON CONFLICT (budget, starts_at) DO NOTHING
"""
_LOCK_WINDOW = f"{lookups.WINDOW} FOR UPDATE"
_MOVE = """
UPDATE windows SET reserved = reserved + %s, spent = spent + %s
WHERE budget = %s AND starts_at = %s
"""
_SLICE = "SELECT * FROM slices WHERE holder = %s AND budget = %s AND starts_at = %s"
_OUTSTANDING = "SELECT * FROM slices WHERE holder = %s AND granted > returned + settled"
_KEEP = """
INSERT INTO slices (holder, budget, starts_at, granted, returned, settled, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp())
ON CONFLICT (holder, budget, starts_at) DO UPDATE
SET granted = excluded.granted, returned = excluded.returned, settled = excluded.settled
"""
_RENEW = """
UPDATE slices SET expires_at = clock_timestamp() + %s * interval '1 second'
WHERE holder = %s AND granted > returned + settled
"""


class PostgresSlices:
    """``Slices``, as a ledger in Postgres has them; each method's contract is written there."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def exchange(
        self,
        holder: str,
        reports: Sequence[Report],
        wants: Sequence[Want],
        pin: tuple[Intent, datetime] | None,
        terms: LeaseTerms,
    ) -> Grant:
        async def move(tx: Transaction) -> Grant:
            # Processes of one machine share a holder: one at a time, or their rows would be taken
            # in two orders.
            tx.later(statements.LOCK, self._transactions.lock("slices", holder))
            tx.later("SAVEPOINT wanted")
            grant = await _exchange(tx, holder, reports, wants, pin, terms)
            if grant.refusal is None and grant.lacking is None:
                return grant
            # What was reported holds all the same; the pin, and what was enlarged, do not.
            tx.later("ROLLBACK TO SAVEPOINT wanted")
            named = [replace(want, granted=0) for want in wants]
            told = await _exchange(tx, holder, reports, named, None, terms)
            return replace(told, refusal=grant.refusal, lacking=grant.lacking)

        return await self._transactions.do(move)

    async def uses(
        self, holder: str, budgets: Sequence[Budget], at: datetime
    ) -> tuple[tuple[BudgetUse, Slice], ...]:
        asked: list[Statement] = []
        for budget in budgets:
            key = (budget.name, budget.starts_at(at) * 1000)
            asked += [lookups.window(budget, at), (_SLICE, (holder, *key))]
        found = await self._transactions.read(*asked)
        return tuple(
            (
                rules.use_of(found[2 * n], budget, at),
                _slice_of((budget.name, budget.starts_at(at) * 1000), found[2 * n + 1]),
            )
            for n, budget in enumerate(budgets)
        )


@dataclass(slots=True)
class _Window:
    """One window and this holder's slice of it, as they are, and as they will be."""

    reserved: int
    spent: int
    before: Slice
    after: Slice

    @property
    def moved(self) -> tuple[int, int]:
        """What is to be added to what is reserved, and to what is spent."""
        return (
            self.after.outstanding - self.before.outstanding,
            self.after.settled - self.before.settled,
        )


async def _exchange(
    tx: Transaction,
    holder: str,
    reports: Sequence[Report],
    wants: Sequence[Want],
    pin: tuple[Intent, datetime] | None,
    terms: LeaseTerms,
) -> Grant:
    refusal = await _payee_changed(tx, pin)
    keys = sorted({report.window for report in reports} | {want.window for want in wants})
    found, others, frozen_since = await _lock(tx, holder, keys)
    for report in reports:
        found[report.window].after = heard(found[report.window].after, report)
    lacking = None if refusal else _enlarge(found, wants, terms)
    for key, window in found.items():
        if window.after != window.before:
            counts = (window.after.granted, window.after.returned, window.after.settled)
            tx.later(_KEEP, holder, *key, *counts)
            tx.later(_MOVE, *window.moved, *key)
    # All of it goes with the COMMIT, so that the windows are kept for one round trip.
    tx.later(_RENEW, terms.lifetime_s, holder)
    told = (*(window.after for window in found.values()), *others)
    return Grant(told, frozen_since, lacking, refusal)


async def _payee_changed(tx: Transaction, pin: tuple[Intent, datetime] | None) -> Denied | None:
    if pin is None:
        return None
    intent, at = pin
    _, pinned = await tx.ask(lookups.pin(intent, milliseconds(at)), lookups.pinned(intent))
    return denials.payee_changed(intent, pinned[0]["pay_to"])


async def _lock(
    tx: Transaction, holder: str, keys: Sequence[WindowKey]
) -> tuple[dict[WindowKey, _Window], list[Slice], datetime | None]:
    """The windows, for nobody else to change before the end of this transaction.

    With them the holder's other slices, and since when all is frozen.
    """
    asked: list[Statement] = []
    for key in keys:
        asked += [(_MAKE_WINDOW, key), (_LOCK_WINDOW, key)]
    # Each statement sees what was committed before it: the slices, what their locks waited for.
    asked += [(_SLICE, (holder, *key)) for key in keys]
    *found, outstanding, frozen = await tx.ask(
        *asked, (_OUTSTANDING, (holder,)), (lookups.FROZEN, ())
    )
    locked = {}
    for n, key in enumerate(keys):
        (row,), known = found[2 * n + 1], _slice_of(key, found[2 * len(keys) + n])
        locked[key] = _Window(row["reserved"], row["spent"], known, known)
    others = [
        _slice_of((row["budget"], row["starts_at"]), [row])
        for row in outstanding
        if (row["budget"], row["starts_at"]) not in locked
    ]
    return locked, others, rules.frozen_since(frozen)


def _enlarge(
    found: Mapping[WindowKey, _Window], wants: Sequence[Want], terms: LeaseTerms
) -> BudgetUse | None:
    """Enlarge what is wanted; or the use of the first budget that has no room for it."""
    for want in wants:
        window = found[want.window]
        more_reserved, more_spent = window.moved
        reserved, spent = window.reserved + more_reserved, window.spent + more_spent
        left = windows.cap(want.budget) - reserved - spent
        more = enlarged(want.granted - window.after.granted, terms.size.atomic, left)
        if more is None:
            name, limit = want.budget.name, want.budget.limit
            return BudgetUse(name, limit, Usdc(spent), Usdc(reserved), want.resets_at)
        window.after = replace(window.after, granted=window.after.granted + more)
    return None


def _slice_of(window: WindowKey, rows: Sequence[Row]) -> Slice:
    """The slice in this row; an empty one where there is none."""
    if not rows:
        return Slice(window, 0, 0, 0)
    (row,) = rows
    return Slice(window, row["granted"], row["returned"], row["settled"])
