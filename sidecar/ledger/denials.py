"""What a ledger says no with: the same sentences, whatever the store.

The store looks up what a rule asks for; here it is judged and put into words.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sidecar.ledger.model import Breaker, Intent
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse, Denied

HOUR = timedelta(hours=1)
# The days before today whose highest prices say what is usual at a place.
PRICE_DAYS = 30


def frozen(since: datetime | None) -> Denied | None:
    """Why nothing may be signed now; None where it may."""
    if since is None:
        return None
    return Denied(
        "frozen",
        f"the sidecar is frozen since {since:%Y-%m-%d %H:%M:%S} UTC and signs no payment; "
        "`sidecar unfreeze` ends it",
    )


def in_progress() -> Denied:
    return Denied("in_progress", "this purchase is being served right now")


def no_room(used: BudgetUse, amount: Usdc) -> Denied:
    """A window that this amount does not fit into any more."""
    again = "never starts again"
    if used.resets_at is not None:
        again = f"starts again at {used.resets_at:%Y-%m-%d %H:%M:%S} UTC"
    return Denied(
        "budget",
        f'budget "{used.name}" has no room for {amount}: {used.spent} spent and {used.reserved} '
        f"reserved of {used.limit}; it {again}",
        used,
    )


def payee_changed(intent: Intent, pinned: str) -> Denied | None:
    """Another payee is pinned; None where it is this one."""
    if pinned == intent.payee:
        return None
    at = f" at {intent.pin_place}" if intent.pin_place else ""
    return Denied(
        "payee_changed",
        f"route {intent.route} first paid {pinned}{at} on {intent.network}, and now "
        f"{intent.payee} asks; if that is right, `sidecar pins forget {intent.route}`",
    )


def price_jump(intent: Intent, before: Iterable[int], today: int | None) -> Denied | None:
    """A price too far from the usual, in atomic units; None where it is not, or none is known.

    ``before``: the highest price of each of the PRICE_DAYS days before this one that had any.
    ``today``: the highest price of this day so far.
    """
    rule = intent.price
    assert rule is not None
    usual = min(before, default=today)
    if usual is None:
        return None
    # In whole numbers: a quotient would have to be rounded.
    times, parts = rule.jump_max.as_integer_ratio()
    if intent.amount.atomic * parts <= usual * times:
        return None
    return Denied(
        "price_jump",
        f"{intent.amount} for {rule.place} is over {rule.jump_max} times the {Usdc(usual)} that "
        f"route {intent.route} is used to pay there (price_jump_max)",
    )


def breaker(route: str, rule: Breaker, closed: int) -> Denied | None:
    """So many payments of the route were given up in the rule's window."""
    if closed < rule.undelivered_max:
        return None
    return Denied(
        "breaker",
        f"route {route}: {closed} payments within {rule.window} were paid and never "
        f"delivered; at {rule.undelivered_max} no more are made",
    )


def topped_up() -> Denied:
    return Denied("topped_up", "a top-up was completed since this one was asked for")


def top_up_rate(route: str, made: int, hourly_max: int) -> Denied | None:
    """So many top-ups the account had within an hour."""
    if made < hourly_max:
        return None
    return Denied(
        "top_up_rate",
        f"route {route}: {made} top-ups of this account within an hour; "
        f"at {hourly_max} no more are made",
    )


def not_approved(payment_id: str) -> Denied:
    return Denied("approval", f"payment {payment_id} was not approved")


def not_waiting(payment_id: str) -> Denied:
    return Denied(
        "not_waiting",
        f"no payment {payment_id} waits for approval: it was decided, or its time was over",
    )
