"""What a run cost: its payments as the ledger has them, and its calls as they were heard of.

Money is counted from the ledger's rows alone, so that the receipt and the books cannot disagree:
spent is what was posted, for calls and for credit; in doubt is what may still have moved; what was
voided never moved, and is not counted.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sidecar.cli.screen import plain, utc
from sidecar.ledger.model import Payment, PaymentState
from sidecar.money import Usdc
from sidecar.payments.events import CostObserved, Event, RequestServed
from sidecar.payments.reconciliation import total
from sidecar.refusal import BudgetUse
from sidecar.values import dataclass

# Shadow mode's word for a payment that was allowed, and not made.
REHEARSED = "shadow"
# The rule of a call that came with another API key.
TOKEN = "token"  # noqa: S105 - the name of a rule
REFUSED = frozenset({"denied", "refused"})


class Heard:
    """Counts the calls of a run, by route; "" where they reached none."""

    def __init__(self) -> None:
        self.routes: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.costs: dict[tuple[str, bool], Decimal] = {}

    def __call__(self, event: Event) -> None:
        """Count it, if it is a call, or what one cost."""
        if isinstance(event, RequestServed):
            self.routes[event.route] += 1
            if event.decision in REFUSED and event.rule != REHEARSED:
                self.refused[event.route, event.rule] += 1
        elif isinstance(event, CostObserved):
            key = (event.route, event.estimated)
            self.costs[key] = self.costs.get(key, Decimal(0)) + event.cost_usd


@dataclass(frozen=True, slots=True)
class Bill:
    """What some calls came to. ``cost_usd``: as vendors say it, ``estimated_usd``: as we reckon."""

    calls: int
    paid_calls: int
    undelivered: int  # of those: the app has not had the whole answer
    top_ups: int
    spent: Usdc
    in_doubt_payments: int
    in_doubt: Usdc
    refused: Mapping[str, int]  # by rule
    cost_usd: Decimal | None
    estimated_usd: Decimal | None


def bill(heard: Heard, payments: Iterable[Payment], route: str | None = None) -> Bill:
    """The bill of one route, or of all."""
    mine = [payment for payment in payments if route in {None, payment.route}]
    posted = [payment for payment in mine if payment.state is PaymentState.POSTED]
    doubtful = [payment for payment in mine if payment.state is PaymentState.AUTHORIZED]
    calls = [payment for payment in posted if payment.purpose == "request"]
    refused: Counter[str] = Counter()
    for (where, rule), count in heard.refused.items():
        if route in {None, where}:
            refused[rule] += count
    return Bill(
        calls=sum(count for where, count in heard.routes.items() if route in {None, where}),
        paid_calls=len(calls),
        undelivered=sum(payment.delivered_at is None for payment in calls),
        top_ups=len(posted) - len(calls),
        spent=total(payment.amount for payment in posted),
        in_doubt_payments=len(doubtful),
        in_doubt=total(payment.amount for payment in doubtful),
        refused=dict(sorted(refused.items())),
        cost_usd=_cost(heard, route, estimated=False),
        estimated_usd=_cost(heard, route, estimated=True),
    )


def _cost(heard: Heard, route: str | None, *, estimated: bool) -> Decimal | None:
    said = [
        cost
        for (where, kind), cost in heard.costs.items()
        if kind is estimated and route in {None, where}
    ]
    return sum(said, Decimal(0)) if said else None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One run, and what it came to."""

    name: str
    mode: str
    times: tuple[datetime, datetime]
    status: int
    heard: Heard
    payments: tuple[Payment, ...]
    budgets: tuple[BudgetUse, ...]

    @property
    def routes(self) -> dict[str, Bill]:
        """Each route's own bill, of those that had a call or a payment."""
        names = {*self.heard.routes, *(payment.route for payment in self.payments)} - {""}
        return {name: bill(self.heard, self.payments, name) for name in sorted(names)}


def show_receipt(receipt: Receipt) -> None:
    """For a person, on stderr: stdout is the command's."""
    whole, is_live = bill(receipt.heard, receipt.payments), receipt.mode != "shadow"
    said = "has spent" if is_live else "would have spent"
    lines = [f"sidecar: {said} {whole.spent} on {_of_calls(whole, is_live=is_live)}"]
    lines += [
        f"  {name}: {one.spent} on {_of_calls(one, is_live=is_live)}"
        for name, one in receipt.routes.items()
    ]
    if not is_live:
        lines.append("  shadow mode: nothing was signed")
    if whole.in_doubt_payments:
        lines.append(f"  in doubt: {whole.in_doubt} more may have moved; see: sidecar payments")
    if whole.undelivered:
        lines.append(
            "  not delivered: the app has not had the whole answer to "
            f"{whole.undelivered} of the paid calls"
        )
    if whole.cost_usd is not None:
        lines.append(f"  cost: {whole.cost_usd.normalize():f} USD, say the vendors")
    if whole.estimated_usd is not None:
        about = f"{whole.estimated_usd.normalize():f}"
        lines.append(f"  cost: about {about} USD, by the config's prices")
    lines += [f"  left: {use.remaining} of {use.limit} in {use.name}" for use in receipt.budgets]
    lines += _hints(whole)
    print(*map(plain, lines), sep="\n", file=sys.stderr, flush=True)


def _of_calls(one: Bill, *, is_live: bool) -> str:
    parts = [f"{one.paid_calls} {'paid' if is_live else 'would be paid'}"]
    if one.top_ups:
        often = "once" if one.top_ups == 1 else f"{one.top_ups} times"
        parts.append(f"credit bought {often}")
    if one.refused:
        rules = ", ".join(f"{rule} {count}" for rule, count in one.refused.items())
        parts.append(f"{sum(one.refused.values())} refused ({rules})")
    return f"{one.calls} {'call' if one.calls == 1 else 'calls'}: {', '.join(parts)}"


def _hints(whole: Bill) -> Iterable[str]:
    if not whole.calls:
        yield "  no call came: does the command read OPENAI_BASE_URL or ANTHROPIC_BASE_URL?"
    if TOKEN in whole.refused:
        yield "  another API key came: does the command, or an .env file, set its own?"


def write_receipt(receipt: Receipt, path: Path) -> None:
    """For programs, as JSON. What goes wrong is told: the command has ended as it has."""
    try:
        path.write_text(json.dumps(receipt_row(receipt), indent=2) + "\n")
    except OSError as fault:
        reason = (fault.strerror or "not writable").lower()
        print(f"sidecar: --receipt: {path}: {reason}", file=sys.stderr)


def receipt_row(receipt: Receipt) -> dict[str, Any]:
    """A receipt as its documented keys."""
    started_at, ended_at = receipt.times
    return {
        "run": receipt.name,
        "mode": receipt.mode,
        "started_at": utc(started_at),
        "ended_at": utc(ended_at),
        "exit_status": receipt.status,
        **_bill_row(bill(receipt.heard, receipt.payments)),
        "routes": {name: _bill_row(one) for name, one in receipt.routes.items()},
        "budgets": [
            {
                "name": use.name,
                "limit_usdc": use.limit.digits,
                "spent_usdc": use.spent.digits,
                "reserved_usdc": use.reserved.digits,
                "remaining_usdc": use.remaining.digits,
            }
            for use in receipt.budgets
        ],
        "payments": [payment.id for payment in receipt.payments],
    }


def _bill_row(one: Bill) -> dict[str, Any]:
    return {
        "calls": one.calls,
        "paid_calls": one.paid_calls,
        "undelivered_calls": one.undelivered,
        "top_ups": one.top_ups,
        "spent_usdc": one.spent.digits,
        "spent_atomic": one.spent.atomic,
        "in_doubt_payments": one.in_doubt_payments,
        "in_doubt_usdc": one.in_doubt.digits,
        "in_doubt_atomic": one.in_doubt.atomic,
        "refused": dict(one.refused),
        "cost_usd": None if one.cost_usd is None else f"{one.cost_usd:f}",
        "cost_estimated_usd": None if one.estimated_usd is None else f"{one.estimated_usd:f}",
    }
