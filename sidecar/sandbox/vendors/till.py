"""The till: takes payments for credit, each at most once, and misbehaves as it is told.

    presented    seen before: what came of it then
    judged       by the rail; what is bad is refused, and nothing moves
    misconduct   before the money: refused, in progress, slow
    settled      on the rail
    misconduct   after the money: kept, not credited, answered late
    credited     to the account

Every presentation of an EVM authorization is in the sandbox's own books too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from sidecar.money import Usdc
from sidecar.sandbox.books import Outcome
from sidecar.sandbox.chain import NONCE_USED
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed, Order
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import EvmTender, Expected, NotReceived, Rail, Received, Tender
from sidecar.values import dataclass

SETTLEMENT_FAILED = "transaction_failed"
IN_PROGRESS = "in progress"


@dataclass(frozen=True, slots=True)
class Credited:
    """The payment settled, and this is what it bought. ``again``: it had settled before."""

    payer: str
    amount: Usdc
    credited: Decimal
    network: str
    transaction: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Bad:
    """The payment was not good; nothing moved."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The payment was good, and did not settle, says the vendor."""

    reason: str


@dataclass(frozen=True, slots=True)
class InProgress:
    """The same payment is being settled already, says the vendor."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It may settle yet, says the vendor."""


Taking: TypeAlias = Credited | Bad | Failed | InProgress | TimedOut


@dataclass(frozen=True, slots=True)
class Sale:
    """What a payment is for: the purchase, the account, and how money becomes credit."""

    purchase: Purchase
    expected: Expected
    account_of: Callable[[str], Account]  # given the payer
    credit_of: Callable[[int], Decimal]  # given the atomic amount
    # Whether a payment that was credited and comes again is answered as before.
    replays: bool = True


@dataclass(frozen=True, slots=True)
class _Taken:
    """A payment that settled, what is said when it comes again, and from when."""

    answer: Credited | Failed
    due: datetime


class Till:
    """One vendor's till."""

    def __init__(self, vendor: str, premises: Premises) -> None:
        self._vendor = vendor
        self._clock = premises.clock
        self._conduct = premises.conduct
        self._payments = premises.payments
        self._taking: set[tuple[str, str]] = set()
        self._taken: dict[tuple[str, str], _Taken] = {}

    def unreadable(self, purchase: Purchase, detail: str) -> None:
        """Write down a payment that could not even be read."""
        record = self._payments.present(purchase, None, None)
        self._payments.conclude(record, Outcome.REFUSED, detail=detail)

    async def take(self, rail: Rail, tender: Tender, sale: Sale) -> Taking:
        """Judge the payment, settle it, credit it."""
        authorization = tender.authorization if isinstance(tender, EvmTender) else None
        record = self._payments.present(sale.purchase, authorization, None)
        taking = self._past(tender, sale)
        fault = ""
        if taking is None:
            taking, fault = await self._now(rail, tender, sale)
        outcome, reason = _shown(taking, settled=tender.identity in self._taken)
        detail = taking.detail if isinstance(taking, Bad) else ""
        self._payments.conclude(record, outcome, reason=reason, detail=detail, fault=fault)
        return taking

    def _past(self, tender: Tender, sale: Sale) -> Taking | None:
        """What is said of a payment that was seen before."""
        if tender.identity in self._taking:
            return InProgress()
        taken = self._taken.get(tender.identity)
        if taken is None:
            return None
        if self._clock.now() < taken.due:
            return InProgress()
        if isinstance(taken.answer, Failed):
            return taken.answer
        if not sale.replays:
            return Bad(NONCE_USED, "it was credited before")
        return replace(taken.answer, again=True)

    async def _now(self, rail: Rail, tender: Tender, sale: Sale) -> tuple[Taking, str]:
        """What comes of a payment that is new, and the misdeed that was done to it."""
        refused = rail.verify(tender, sale.expected)
        if refused is not None:
            return Bad(refused.reason, refused.detail), ""
        if self._ordered(Misdeed.TOP_UP_REFUSED):
            return Failed(SETTLEMENT_FAILED), Misdeed.TOP_UP_REFUSED
        if self._ordered(Misdeed.TOP_UP_409):
            return InProgress(), Misdeed.TOP_UP_409
        self._taking.add(tender.identity)
        try:
            slow = self._ordered(Misdeed.TOP_UP_SLOW)
            if slow is not None:
                await self._clock.sleep(slow.seconds)
            if isinstance(tender, EvmTender):
                self._payments.paid_for(tender.authorization, sale.purchase)
            received = rail.settle(tender, sale.expected)
        finally:
            self._taking.discard(tender.identity)
        if isinstance(received, NotReceived):
            return Failed(received.reason), ""
        return self._credit(rail.network, tender, sale, received)

    def _credit(
        self, network: str, tender: Tender, sale: Sale, received: Received
    ) -> tuple[Taking, str]:
        credit = sale.credit_of(received.amount)
        amount = Usdc(received.amount)
        said = Credited(received.payer, amount, credit, network, received.transaction)
        answer: Credited | Failed = said
        taking: Taking = said
        after_s, fault = 0.0, ""
        if self._ordered(Misdeed.TOP_UP_TAKEN_BUT_402):
            fault, credit = Misdeed.TOP_UP_TAKEN_BUT_402, Decimal(0)
            taking = answer = Failed(SETTLEMENT_FAILED)
        elif self._ordered(Misdeed.TOP_UP_UNCREDITED):
            fault, credit = Misdeed.TOP_UP_UNCREDITED, Decimal(0)
        elif (late := self._ordered(Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE)) is not None:
            fault, after_s = Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE, late.seconds
            taking = TimedOut()
        due = self._clock.now() + timedelta(seconds=after_s)
        self._taken[tender.identity] = _Taken(answer, due)
        sale.account_of(received.payer).top_up(
            amount,
            credit,
            payer=received.payer,
            network=network,
            transaction=received.transaction,
            after_s=after_s,
        )
        return taking, fault

    def _ordered(self, misdeed: Misdeed) -> Order | None:
        return self._conduct.take(self._vendor, misdeed)


def _shown(taking: Taking, *, settled: bool) -> tuple[Outcome, str]:
    """How the sandbox's books call this, and why."""
    match taking:
        case Credited(again=again):
            return Outcome.REPLAYED if again else Outcome.SETTLED, ""
        case Bad(reason=reason):
            return Outcome.REFUSED, reason
        case Failed(reason=reason):
            return Outcome.SETTLED if settled else Outcome.UNSETTLED, reason
        case InProgress():
            return Outcome.UNSETTLED, IN_PROGRESS
        case TimedOut():
            return Outcome.SETTLED, ""
