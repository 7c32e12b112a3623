"""Payments over a threshold wait for a person: the request is held, until somebody decides.

The word is given through the ledger (`sidecar approve`, the admin port, a webhook's answer), so any
process may give it, and nothing that was not approved can be authorized. Who waits looks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from sidecar.clock import Clock
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment
from sidecar.money import Usdc
from sidecar.payments.events import ApprovalAsked, ApprovalEnded, Emit
from sidecar.refusal import ABANDONED, Denied
from sidecar.values import dataclass

POLL_S = 0.25

Tell: TypeAlias = Callable[[Payment, datetime], "asyncio.Task[None]"]


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """A payment of more than ``above`` waits for a person, ``wait_s`` at most.

    ``tell`` starts to tell somebody of a payment that waits; the task ends with the waiting.
    """

    above: Usdc
    wait_s: float
    tell: Tell | None = None

    def ask_until(self, amount: Usdc, at: datetime) -> datetime | None:
        """Until when a payment of this amount would wait; None where it need not."""
        return at + timedelta(seconds=self.wait_s) if amount > self.above else None


class Approvals:
    """Holds payments until they are decided."""

    def __init__(
        self, ledger: Ledger, clock: Clock, objection: Callable[[str], Denied | None], emit: Emit
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._objection = objection
        self._emit = emit

    async def wait(
        self, rule: ApprovalRule | None, payment: Payment, is_deserted: Callable[[], bool]
    ) -> Denied | None:
        """None at once where nobody is asked, or once it was approved; else why it is not paid.

        Raises LedgerError.
        """
        if rule is None:
            return None
        until = rule.ask_until(payment.amount, payment.reserved_at)
        if until is None:
            return None
        self._emit(ApprovalAsked(payment, until))
        telling = None if rule.tell is None else rule.tell(payment, until)
        outcome = "failed"
        try:
            ends_at = self._clock.monotonic_s() + rule.wait_s
            denied = await self._decision(payment, ends_at, is_deserted)
            outcome = "approved" if denied is None else denied.rule
            return denied
        finally:
            if telling is not None:
                telling.cancel()
            self._emit(ApprovalEnded(payment, outcome))

    async def _decision(
        self, payment: Payment, ends_at: float, is_deserted: Callable[[], bool]
    ) -> Denied | None:
        while True:
            approved = await self._ledger.approved(payment.id)
            if approved is not None:
                return None if approved else _denied(payment, "approval_refused", "was refused")
            if is_deserted():
                return Denied(ABANDONED, "the app hung up before anybody approved")
            objection = self._objection(payment.network)
            if objection is not None:
                return objection
            if self._clock.monotonic_s() >= ends_at:
                return _denied(payment, "approval_timeout", "was not approved in time")
            await self._clock.sleep(POLL_S)


def _denied(payment: Payment, rule: str, what: str) -> Denied:
    return Denied(
        rule,
        f"payment {payment.id} of {payment.amount} to {payment.pay_to} wants a person's approval "
        f"on route {payment.route}, and {what}",
    )
