"""What the rows that a reservation found say against it."""

from __future__ import annotations

from datetime import datetime

from sidecar.ledger import denials
from sidecar.ledger.model import Budget, Intent
from sidecar.ledger.postgres_transactions import Record
from sidecar.ledger.rows import milliseconds, moment
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse, Denied

_DAY_MS = 86_400_000


def frozen_since(rows: list[Record]) -> datetime | None:
    return moment(rows[0]["since"]) if rows else None


def frozen(rows: list[Record]) -> Denied | None:
    """Why nothing may be signed now; None where it may."""
    return denials.frozen(frozen_since(rows))


def refusal(intent: Intent, found: list[list[Record]], at: datetime) -> Denied | None:
    """Why this payment is not to be made now; None where nothing speaks against it."""
    pinned, prices, closed, answered, made = found
    return (
        _payee_changed(intent, pinned)
        or _price_jump(intent, prices, milliseconds(at) // _DAY_MS)
        or _broken(intent, closed)
        or _topped_up(intent, answered, made)
    )


def _payee_changed(intent: Intent, pinned: list[Record]) -> Denied | None:
    # The config names the payees, and that outranks whoever came first.
    if intent.pin_place is None:
        return None
    return denials.payee_changed(intent, pinned[0]["pay_to"])


def _price_jump(intent: Intent, prices: list[Record], today: int) -> Denied | None:
    if intent.price is None:
        return None
    highest = {row["day"]: row["highest"] for row in prices}
    of_today = highest.pop(today, None)
    return denials.price_jump(intent, highest.values(), of_today)


def _broken(intent: Intent, closed: list[Record]) -> Denied | None:
    if intent.breaker.undelivered_max <= 0:
        return None
    return denials.breaker(intent.route, intent.breaker, closed[0]["closed"])


def _topped_up(intent: Intent, answered: list[Record], made: list[Record]) -> Denied | None:
    rule = intent.top_up
    if rule is None:
        return None
    if answered:
        return denials.topped_up()
    return denials.top_up_rate(intent.route, made[0]["made"], rule.hourly_max)


def use_of(rows: list[Record], budget: Budget, at: datetime) -> BudgetUse:
    """What is gone of this budget in the window that ``at`` falls in."""
    row = rows[0] if rows else {"reserved": 0, "spent": 0}
    return BudgetUse(
        budget.name,
        budget.limit,
        Usdc(row["spent"]),
        Usdc(row["reserved"]),
        budget.resets_at(at),
    )
