"""What the top-ups are told about a route that buys credit, and what they answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from sidecar.http import HttpRequest
from sidecar.ledger.model import Budget, Payment, PaymentState, Purchase, TopUpRule
from sidecar.money import Usdc
from sidecar.payments.balances import Source
from sidecar.payments.credentials import Credentials
from sidecar.payments.order import InDoubt, Order, PayingRoute
from sidecar.providers.base import Balance, Prepaid
from sidecar.refusal import Denied
from sidecar.values import dataclass

WAITERS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class TopUpTerms:
    """How much credit to buy, how often, and when to do so before anybody is refused."""

    amount: Usdc
    hourly_max: int = 2
    wait_s: float = 60.0  # how long a request waits for it
    low_water: Decimal | None = None  # in the unit of the account's balance; None: only on a 402


@dataclass(frozen=True, slots=True)
class PrepaidRoute:
    """A route whose vendor sells credit."""

    paying: PayingRoute
    provider: Prepaid
    credentials: Credentials
    source: Source
    budgets: tuple[Budget, ...]
    terms: TopUpTerms

    def is_low(self, balances: Sequence[Balance]) -> bool:
        """Whether credit is to be bought before anybody is refused."""
        low_water = self.terms.low_water
        return low_water is not None and balances[0].value < low_water

    def purchase(self, account: str) -> Purchase:
        """What one top-up of this account is to the ledger, whichever route or process asks."""
        return account_purchase(self.provider, self.paying.signer.address, account)


def account_purchase(provider: Prepaid, address: str, account: str) -> Purchase:
    """What one top-up of an account is to the ledger, when this address pays."""
    origins = sorted(map(str, provider.origins))
    parts = ("top-up", type(provider).__name__, *origins, address, account)
    return Purchase(hashlib.sha256(json.dumps(parts).encode()).hexdigest(), explicit=False)


@dataclass(frozen=True, slots=True)
class Need:
    """A request that was refused for want of credit, or a balance that is low."""

    route: PrepaidRoute
    account: str
    caller: str  # "" where a low balance asks
    sent_s: float  # when the request was sent, by the steady count: later credit answers it
    background: bool = False  # nobody waits for it, so nobody will be served by it
    by_hand: bool = False  # a person wants it, however much there is

    @property
    def purchase(self) -> Purchase:
        """What the ledger knows its top-up by."""
        return self.route.purchase(self.account)

    def order(self, charge: HttpRequest, after: Callable[[float], datetime]) -> Order:
        """The charge as something to pay; ``after`` as of ``WatchedClock``."""
        route = self.route

        def rule() -> TopUpRule:
            return TopUpRule(after(self.sent_s), route.terms.hourly_max)

        return Order(charge, self.purchase, route.paying, self.caller, route.budgets, top_up=rule)


@dataclass(frozen=True, slots=True)
class Credited:
    """There is credit that was not there when the request was sent: send it again."""


Refill: TypeAlias = Credited | InDoubt | Denied


@dataclass(slots=True)
class Proving:
    """A top-up that was paid, until its credit was seen and used.

    It stays open in the ledger meanwhile, and that is what keeps a second one from being bought,
    in any process and after any restart.
    """

    payment: Payment
    need: Need
    before: tuple[Balance, ...] | None  # None: not known, say after a restart
    known_s: float  # what was sent before, by the steady count, could not find the credit yet
    rose: bool = False
    served: bool = False
    stopped: bool = False

    def see(self, balances: Sequence[Balance]) -> None:
        """Take note of what the vendor says that it holds now."""
        self.rose = self.rose or has_risen(self.before, balances)

    @property
    def complete(self) -> bool:
        """Whether another top-up may be bought once it is needed."""
        return self.rose and (self.served or self.need.background)


@dataclass(slots=True)
class Standing:
    """The accounts that are being topped up, or proved, by their purchases.

    One for a process: its routes may be others by now, and nothing is bought twice for that.
    """

    runs: dict[str, asyncio.Task[Refill]] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)
    proving: dict[str, Proving] = field(default_factory=dict)
    waiters_max: int = WAITERS_MAX  # for one account


def is_unproven(payment: Payment) -> bool:
    """Whether a top-up was paid, and its end is still to come."""
    ended = payment.delivered_at is not None or payment.closed_at is not None
    return payment.state is PaymentState.POSTED and not ended


def unproven(payment: Payment, why: str) -> Denied:
    """Credit was paid and is not known to have helped: more of it would not help either."""
    return Denied(
        "top_up_unproven",
        f"top-up {payment.id} of {payment.amount} was paid and {why}; no other is made until a "
        "request is served again: look at the account there",
    )


def later(why: str) -> Denied:
    """Credit is not there yet, and may be soon."""
    return Denied("top_up_wait", f"credit is being bought: {why}; repeat the request in a while")


def has_risen(before: Sequence[Balance] | None, after: Sequence[Balance]) -> bool:
    """Whether credit came: the first balance is the one that a top-up raises."""
    if not after:
        return False
    if not before:
        return after[0].can_consume
    return after[0].unit == before[0].unit and after[0].value > before[0].value
