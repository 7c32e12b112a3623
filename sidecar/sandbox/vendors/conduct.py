"""Misbehaviour on demand: what a vendor can be told to do, and for how often.

sandbox.vendors.conduct.add("venice", Misdeed.TOP_UP_REFUSED, times=2)
POST /sandbox/vendors/venice/faults {"fault": "top_up_refused", "times": 2}
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from sidecar.values import dataclass

TIMES_MAX = 1_000_000


class Misdeed(StrEnum):
    """Every way in which a vendor can misbehave, and what it does then."""

    TOP_UP_TAKEN_BUT_402 = (
        "top_up_taken_but_402",
        "the money is taken, nothing is credited, and the answer says that settling failed (402)",
    )
    TOP_UP_UNCREDITED = (
        "top_up_uncredited",
        "the money is taken, the answer is as good as any, and nothing is credited",
    )
    DIEM_402 = "diem_402", "calls are answered 402 whatever the wallet has"
    TOP_UP_SLOW = "top_up_slow", "a top-up is settled and answered this many seconds late"
    TOP_UP_REFUSED = "top_up_refused", "a top-up is answered 402 SETTLEMENT_FAILED; nothing moved"
    TOP_UP_TIMEOUT_AFTER_SETTLE = (
        "top_up_timeout_after_settle",
        "the money is taken, the answer is 504, and it is credited this many seconds later",
    )
    TOP_UP_409 = "top_up_409", "a top-up is answered 409 as if it were being settled; nothing moved"
    TOP_UP_NOT_CONFIGURED = "top_up_not_configured", "a top-up is answered 503; nothing moved"
    SIGN_IN_EXPIRED_ONCE = "sign_in_expired_once", "a good sign-in is refused as expired"
    JWT_REVOKED_ONCE = "jwt_revoked_once", "a good token is refused, for ever"
    BALANCE_UNREADABLE = "balance_unreadable", "the balance is answered with a page of HTML"

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Misdeed:
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member


@dataclass(frozen=True, slots=True)
class Order:
    """A misdeed that a vendor was told to do, this many times."""

    vendor: str
    misdeed: Misdeed
    times: int = 1
    seconds: float = 0.0


class Conduct:
    """What the vendors were told to do, and have not done yet."""

    def __init__(self) -> None:
        self._orders: list[Order] = []

    def add(self, vendor: str, misdeed: Misdeed, *, times: int = 1, seconds: float = 0.0) -> None:
        """Let this vendor do this the next so many times that it could."""
        self._orders.append(Order(vendor, misdeed, times, seconds))

    def clear(self) -> None:
        """Behave again."""
        self._orders.clear()

    def take(self, vendor: str, misdeed: Misdeed) -> Order | None:
        """The order to do this now, counted; None when there is none."""
        for position, order in enumerate(self._orders):
            if (order.vendor, order.misdeed) == (vendor, misdeed):
                if order.times > 1:
                    self._orders[position] = replace(order, times=order.times - 1)
                else:
                    del self._orders[position]
                return order
        return None
