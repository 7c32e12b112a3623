"""What the ledger knows, as values of metrics: budgets, doubts, and what waits for a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sidecar.ledger.model import Payment
from sidecar.metrics import catalogue as names
from sidecar.metrics.tally import Labels, Shown, Values, fold
from sidecar.refusal import BudgetUse


def budgets(uses: Sequence[BudgetUse]) -> Shown:
    """Each budget in its current window."""
    return {
        names.BUDGET_LIMIT: [((use.name,), use.limit.atomic) for use in uses],
        names.BUDGET_SPENT: [((use.name,), use.spent.atomic) for use in uses],
        names.BUDGET_RESERVED: [((use.name,), use.reserved.atomic) for use in uses],
        names.BUDGET_REMAINING: [((use.name,), use.remaining.atomic) for use in uses],
        names.BUDGET_HELD: [((use.name,), use.held.atomic) for use in uses],
        names.BUDGET_RESET: [
            ((use.name,), use.resets_at.timestamp()) for use in uses if use.resets_at is not None
        ],
    }


def doubts(
    in_doubt: Sequence[Payment] | None,
    now: datetime,
    payable: Collection[str],
    routes: Collection[str],
) -> Shown:
    """What may have moved, by route; nothing where nobody knows."""
    if in_doubt is None:
        return {names.IN_DOUBT: (), names.IN_DOUBT_OLDEST: ()}
    amounts: dict[Labels, int] = {(route,): 0 for route in payable}
    oldest_s = 0.0
    for payment in in_doubt:
        label = (fold(payment.route, routes),)
        amounts[label] = amounts.get(label, 0) + payment.amount.atomic
        since = payment.authorized_at or payment.reserved_at
        oldest_s = max(oldest_s, (now - since).total_seconds())
    return {names.IN_DOUBT: amounts.items(), names.IN_DOUBT_OLDEST: [((), oldest_s)]}


def waiting(asked: Sequence[Payment], payable: Collection[str], routes: Collection[str]) -> Values:
    """How many payments wait for a person, by route."""
    counts: dict[Labels, int] = {(route,): 0 for route in payable}
    for payment in asked:
        label = (fold(payment.route, routes),)
        counts[label] = counts.get(label, 0) + 1
    return counts.items()
