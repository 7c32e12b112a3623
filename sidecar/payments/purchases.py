"""Which request pays, which waits, and which binds to what an earlier one began.

A payment runs in a task of its own, so an app that hangs up never cancels it half way. Until it
ends, a repeated request of the same purchase joins it: while one presentation is on its way,
nothing on disk could tell the retry of a deserted call from a second, new one. Where several
workers serve, what nobody here waits for is let go of: the retry binds to it wherever it arrives,
and both may present the one authorization at the same time.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sidecar.payments.order import Order, Outcome, Paid, Rejected
from sidecar.payments.payer import Payer
from sidecar.refusal import ABANDONED, Denied
from sidecar.tasks import Supervisor, left_running
from sidecar.x402.types import PaymentRequired


class Purchases:
    """The payments under way in this process."""

    def __init__(self, payer: Payer, tasks: Supervisor, *, are_shared: bool = False) -> None:
        """``are_shared``: an app's retry may come to another process than its first request."""
        self._are_shared = are_shared
        self._payer = payer
        self._tasks = tasks
        self._deserted: dict[str, deque[tuple[Order, asyncio.Task[Outcome]]]] = {}

    async def pay(self, order: Order, required: PaymentRequired) -> Outcome:
        """The outcome for this request: joined to a deserted payment, or the Payer's own."""
        order.is_shared = self._are_shared
        joined = self._join(order.purchase.key)
        if joined is not None:
            outcome = await self._wait(*joined, joins=True)
            if not (isinstance(outcome, Denied) and outcome.rule == ABANDONED):
                return outcome
        return await self._wait(
            order, self._tasks.spawn("payment", self._payer.pay(order, required))
        )

    async def _wait(
        self, order: Order, task: asyncio.Task[Outcome], *, joins: bool = False
    ) -> Outcome:
        try:
            if joins and self._are_shared:
                await self._payer.taken_back(order)
            return await left_running(task)
        except asyncio.CancelledError:
            order.deserted = True
            self._deserted.setdefault(order.purchase.key, deque()).append((order, task))
            task.add_done_callback(lambda done: self._abandon(order, done))
            if self._are_shared and order.presented is not None:
                # The retry may come to another process: there it binds to what is free.
                self._tasks.spawn("release", self._payer.released(order.presented))
            raise

    def _join(self, key: str) -> tuple[Order, asyncio.Task[Outcome]] | None:
        waiting = self._deserted.get(key)
        if not waiting:
            return None
        order, task = waiting.popleft()
        if not waiting:
            del self._deserted[key]
        order.deserted = False
        return order, task

    def _abandon(self, order: Order, task: asyncio.Task[Outcome]) -> None:
        """Nobody came back for it while it ran: let go of the reply and of the payment."""
        waiting = self._deserted.get(order.purchase.key, deque())
        entry = (order, task)
        if entry not in waiting:
            return
        waiting.remove(entry)
        if not waiting:
            del self._deserted[order.purchase.key]
        if task.cancelled() or task.exception() is not None:
            return
        outcome = task.result()
        if isinstance(outcome, Paid | Rejected):
            outcome.reply.close()
            unposted = outcome.unposted if isinstance(outcome, Paid) else None
            self._tasks.spawn("release", self._payer.released(outcome.payment, unposted))
