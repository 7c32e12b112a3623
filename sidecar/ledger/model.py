"""The life of a payment.

    RESERVED --> AUTHORIZED --> POSTED      RESERVED    nothing signed: dropping it is free
       |             |                      AUTHORIZED  may be spent by whoever holds it
       +-------------+--------> VOIDED      POSTED, VOIDED   on proof only; terminal

There is no SENT: a crash between writing down and sending looks the same from outside.
Everything but VOIDED counts against budgets. ``delivered_at`` is the moment when the app's last
byte was flushed; until then a repeated request is the same purchase (money-safety.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sidecar.chains import is_evm
from sidecar.money import Usdc
from sidecar.values import dataclass
from sidecar.x402.types import Authorization


class PaymentState(StrEnum):
    """Where a payment is in its life."""

    RESERVED = "reserved"
    AUTHORIZED = "authorized"
    POSTED = "posted"
    VOIDED = "voided"


TRANSITIONS: Mapping[str, frozenset[PaymentState]] = {  # a state is its text, too
    PaymentState.RESERVED: frozenset({PaymentState.AUTHORIZED, PaymentState.VOIDED}),
    PaymentState.AUTHORIZED: frozenset({PaymentState.POSTED, PaymentState.VOIDED}),
    PaymentState.POSTED: frozenset(),
    PaymentState.VOIDED: frozenset(),
}


class Window(StrEnum):
    """How long a budget lasts before it starts again. Windows are fixed, in UTC, from the epoch."""

    HOUR = "1h"
    DAY = "1d"
    MONTH = "30d"
    TOTAL = "total"


_LENGTHS_S = {Window.HOUR: 3_600, Window.DAY: 86_400, Window.MONTH: 30 * 86_400}


@dataclass(frozen=True, slots=True)
class Budget:
    """A pot that payments draw from. Routes and callers that name the same one share it."""

    name: str
    limit: Usdc
    window: Window

    def __hash__(self) -> int:
        return hash(self.name)  # asked for each payment

    def starts_at(self, at: datetime) -> int:
        """The start of the window that ``at`` falls in, in epoch seconds; 0 for all time."""
        length_s = _LENGTHS_S.get(self.window)
        return 0 if length_s is None else int(at.timestamp()) // length_s * length_s

    def resets_at(self, at: datetime) -> datetime | None:
        """When the next window starts; None for a budget that never starts again."""
        length_s = _LENGTHS_S.get(self.window)
        if length_s is None:
            return None
        return datetime.fromtimestamp(self.starts_at(at) + length_s, UTC)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the app believes is one call.

    ``key`` is the app's Idempotency-Key namespaced by caller (``explicit``), else the hash of
    route, caller, method, target and body. Two live requests with one hashed key are two
    purchases; two with one explicit key are one.
    """

    key: str
    explicit: bool


@dataclass(frozen=True, slots=True)
class Breaker:
    """Refuse new payments once this many were paid for nothing on the route in the window."""

    undelivered_max: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class TopUpRule:
    """What a top-up has to wait for: there is one at a time for an account, whoever asks.

    ``since``: one that was completed at this moment or later answers the request that asks.
    ``hourly_max``: how many an account may have in any hour.
    """

    since: datetime
    hourly_max: int


@dataclass(frozen=True, slots=True)
class PriceRule:
    """Refuse a price that is this many times what was usual at a place.

    ``place`` is the method and path of what is paid for; what is usual there is told apart by
    route and purpose. ``jump_max`` is over 1.
    """

    place: str
    jump_max: Decimal


@dataclass(frozen=True, slots=True)
class PayeePin:
    """The first payee there was: nobody else is paid there until somebody forgets it."""

    route: str
    purpose: str
    network: str
    place: str  # "" but where one vendor has several payees
    pay_to: str
    pinned_at: datetime


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment that is about to be made: all that must be known before money is set aside."""

    id: str
    purchase: Purchase
    route: str
    caller: str
    purpose: str  # "request"; "top_up" is a provider's credit
    scheme: str
    network: str
    asset: str
    pay_to: str
    amount: Usdc
    envelope: Mapping[str, Any]  # the payment header without its payload: what to echo
    budgets: tuple[Budget, ...]
    breaker: Breaker
    top_up: TopUpRule | None = None
    # An explicit purchase that was delivered binds if it was posted then or later; None: never.
    undelivered_since: datetime | None = None
    pin_place: str | None = None  # where the payee is pinned; None: the config names the payees
    price: PriceRule | None = None
    # Set: a person has to approve it, until then at most.
    ask_until: datetime | None = None

    @property
    def payee(self) -> str:
        """``pay_to`` with one spelling. Base58 tells its cases apart; hexadecimal does not."""
        return self.pay_to.lower() if is_evm(self.network) else self.pay_to


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a payment was posted or voided.

    ``kind``: receipt (the seller's, with 2xx), served (2xx without a receipt: unconfirmed),
    upfront (a receipt with an error answer), chain (the transfer was seen), expired (finalized
    chain time is past validBefore and a finalized read says unused), canceled (finalized),
    unsigned (nothing was ever signed), rehearsed (shadow mode: nothing was signed either),
    person (somebody says so, where no chain does).
    """

    kind: str
    transaction: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether somebody vouched for the transfer: ``served`` is only our reading of a 2xx.

        A person vouches for it by naming its transaction.
        """
        return bool(self.transaction) if self.kind == "person" else self.kind != "served"


@dataclass(frozen=True, slots=True)
class Payment:
    """One row of the ledger, as of now."""

    id: str
    purchase: Purchase
    state: PaymentState
    route: str
    caller: str
    purpose: str
    scheme: str
    network: str
    asset: str
    pay_to: str
    amount: Usdc
    envelope: Mapping[str, Any]
    authorization: Authorization | None
    proof: Proof | None
    reserved_at: datetime
    authorized_at: datetime | None
    settled_at: datetime | None  # posted or voided
    delivered_at: datetime | None
    closed_at: datetime | None  # given up as paid and undelivered
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A reserved payment that a person may approve, until then."""

    payment: Payment
    until: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A payment, and whether a live request is being served by it."""

    payment: Payment
    held: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One event in a payment's life: ``kind`` and ``detail`` as they were written down."""

    at: datetime
    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Spent:
    """What moved of the payments that were set aside in one hour, for one route and caller."""

    at: datetime  # when the hour began
    route: str
    caller: str
    network: str
    amount: Usdc
    payments: int


@dataclass(frozen=True, slots=True)
class Change:
    """A payment after a move, and what this move made of it: the event that it wrote.

    ``made`` is posted, confirmed or voided; "" when the payment was that already. Two may prove
    the same at once, and only the one that made the change tells of it.
    """

    payment: Payment
    made: str
