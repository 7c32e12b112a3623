"""Prepaid accounts, and everything that a test wants to count about them.

A balance is a Decimal in the vendor's own unit: dollars, or credits. What happened is kept as
values, in order. Credit that was promised for later arrives when anybody next looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from sidecar.clock import Clock
from sidecar.money import Usdc
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that was good."""

    at: datetime
    network: str
    nonce: str
    uri: str


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """A payment that settled. ``credited`` is zero where the vendor kept the money."""

    at: datetime
    amount: Usdc
    credited: Decimal
    payer: str
    network: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Charged:
    """What one call cost, and what was left."""

    at: datetime
    amount: Decimal
    path: str
    request_id: str
    model: str
    balance_after: Decimal


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was not served, and why."""

    at: datetime
    path: str
    status: int
    code: str
    detail: str = ""


Record: TypeAlias = SignedIn | ToppedUp | Charged | Refused


class Account:
    """What one holder has at one vendor."""

    def __init__(
        self, holder: str, balance: Decimal, clock: Clock, written: Callable[[], None]
    ) -> None:
        self.holder = holder
        self._balance = balance
        self._clock = clock
        self._written = written
        self._promised: list[tuple[datetime, Decimal]] = []
        self.records: list[Record] = []
        self.in_flight = 0
        self.in_flight_seen = 0  # the largest number at any one time

    # --- what a test asks ---

    @property
    def balance(self) -> Decimal:
        """What the holder has now."""
        now = self._clock.now()
        self._balance += sum(amount for due, amount in self._promised if due <= now)
        self._promised = [promise for promise in self._promised if promise[0] > now]
        return self._balance

    @balance.setter
    def balance(self, amount: Decimal) -> None:
        self._balance = amount

    @property
    def sign_ins(self) -> tuple[SignedIn, ...]:
        """Every good sign-in."""
        return tuple(found for found in self.records if isinstance(found, SignedIn))

    @property
    def top_ups(self) -> tuple[ToppedUp, ...]:
        """Every payment that settled."""
        return tuple(found for found in self.records if isinstance(found, ToppedUp))

    @property
    def charges(self) -> tuple[Charged, ...]:
        """Every call that was served and charged."""
        return tuple(found for found in self.records if isinstance(found, Charged))

    @property
    def refusals(self) -> tuple[Refused, ...]:
        """Every request that was not served."""
        return tuple(found for found in self.records if isinstance(found, Refused))

    @property
    def served(self) -> int:
        """How many calls were served and charged."""
        return len(self.charges)

    @property
    def paid(self) -> Usdc:
        """All the money that settled for this account."""
        return Usdc(sum(top_up.amount.atomic for top_up in self.top_ups))

    def to_json(self) -> dict[str, object]:
        """All of it, for GET /sandbox/vendors."""
        return {
            "balance": str(self.balance),
            "paid": str(self.paid),
            "served": self.served,
            "in_flight_seen": self.in_flight_seen,
            "sign_ins": [_plain(found) for found in self.sign_ins],
            "top_ups": [_plain(found) for found in self.top_ups],
            "charges": [_plain(found) for found in self.charges],
            "refusals": [_plain(found) for found in self.refusals],
        }

    # --- what a vendor writes ---

    def sign_in(self, network: str, nonce: str, uri: str) -> None:
        """Write down a sign-in that was good."""
        self._record(SignedIn(self._clock.now(), network, nonce, uri))

    def top_up(
        self,
        amount: Usdc,
        credited: Decimal,
        *,
        payer: str,
        network: str,
        transaction: str,
        after_s: float = 0.0,
    ) -> None:
        """Write down a payment that settled, and credit it so many seconds from now."""
        now = self._clock.now()
        self._promised.append((now + timedelta(seconds=after_s), credited))
        self._record(ToppedUp(now, amount, credited, payer, network, transaction))

    def charge(self, amount: Decimal, path: str, request_id: str = "", model: str = "") -> None:
        """Take the price of a call that was served. The balance may go below zero."""
        self.balance -= amount
        now = self._clock.now()
        self._record(Charged(now, amount, path, request_id, model, self._balance))

    def refuse(self, path: str, status: int, code: str, detail: str = "") -> None:
        """Write down a request that was not served."""
        self._record(Refused(self._clock.now(), path, status, code, detail))

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call that is in flight while this is open."""
        self.in_flight += 1
        self.in_flight_seen = max(self.in_flight_seen, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def _record(self, record: Record) -> None:
        self.records.append(record)
        self._written()


class VendorBooks:
    """One vendor's accounts, and the refusals that belong to none. Bounded."""

    def __init__(
        self, clock: Clock, *, records_max: int, starting_balance: Decimal = Decimal(0)
    ) -> None:
        self._clock = clock
        self._room = records_max
        self._starting_balance = starting_balance
        self._accounts: dict[str, Account] = {}
        self._refusals: list[Refused] = []

    @property
    def full(self) -> bool:
        """Whether there is no room for another record; the sandbox answers 503 then."""
        return self._room <= 0

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account, in order of first use."""
        return tuple(self._accounts.values())

    @property
    def refusals(self) -> tuple[Refused, ...]:
        """Every request of nobody in particular that was not served."""
        return tuple(self._refusals)

    def account(self, holder: str) -> Account:
        """The account of this holder, as the vendor spells it; a new one if there is none."""
        found = self._accounts.get(holder)
        if found is None:
            self._written()
            found = Account(holder, self._starting_balance, self._clock, self._written)
            self._accounts[holder] = found
        return found

    def refuse(self, path: str, status: int, code: str, detail: str = "") -> None:
        """Write down a request of nobody in particular that was not served."""
        self._written()
        self._refusals.append(Refused(self._clock.now(), path, status, code, detail))

    def to_json(self) -> dict[str, object]:
        """All of it, for GET /sandbox/vendors."""
        return {
            "accounts": {account.holder: account.to_json() for account in self.accounts},
            "refusals": [_plain(found) for found in self._refusals],
        }

    def _written(self) -> None:
        self._room -= 1


def _plain(record: Record) -> dict[str, object]:
    return {key: _plain_value(value) for key, value in asdict(record).items()}


def _plain_value(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case {"atomic": int(atomic)}:
            return str(Usdc(atomic))
        case _:
            return value
