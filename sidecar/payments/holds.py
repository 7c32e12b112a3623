"""Who serves a payment: held, it is this process's; let go, any process's retry may bind to it.

It is held until its app has the last byte, or is gone without it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sidecar.clock import WatchedClock
from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment, Proof
from sidecar.payments.events import Emit, tell
from sidecar.payments.order import Order
from sidecar.tasks import Supervisor


class Holds:
    """Lets go of payments, and takes one back."""

    def __init__(
        self, ledger: Ledger, clock: WatchedClock, undelivered_ttl: timedelta, emit: Emit
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._undelivered_ttl = undelivered_ttl
        self._emit = emit
        self._unreleased: set[str] = set()
        # Whoever waits for it hears of its failure.
        self._tasks = Supervisor(lambda name, fault: None)
        self._releasing: asyncio.Task[None] | None = None

    async def delivered(self, payment: Payment, unposted: Proof | None = None) -> None:
        """The app has the last byte of what it paid for; ``unposted`` as of ``Paid``."""
        if unposted is not None:
            await self._conclude(payment, unposted, delivered=True)
            return
        try:
            await self._ledger.deliver(payment.id, self._clock.now())
        except LedgerError:
            self._unreleased.add(payment.id)
            raise

    async def released(self, payment: Payment, unposted: Proof | None = None) -> None:
        """The app is gone without its last byte: its retry may bind."""
        if unposted is None:
            await self.release(payment.id)
        else:
            await self._conclude(payment, unposted, delivered=False)

    async def _conclude(self, payment: Payment, proof: Proof, *, delivered: bool) -> None:
        at = self._clock.now()
        try:
            # One move: between two, the app's retry would find it held, and buy anew.
            change = await self._ledger.conclude(payment.id, proof, at, delivered=delivered)
        except LedgerError:
            self._unreleased.add(payment.id)
            raise
        tell(self._emit, change)

    async def release(self, payment_id: str) -> None:
        """Let go of it. LedgerError: later, by ``release_leftovers``."""
        try:
            await self._ledger.release(payment_id)
        except LedgerError:
            self._unreleased.add(payment_id)
            raise

    async def release_leftovers(self) -> None:
        """Let go of what could not be released while the ledger failed.

        Held by nobody who lives on for it, such a payment would turn the app's retry into a
        second purchase. LedgerError while it still cannot be written: then nothing is paid.
        """
        if self._unreleased:
            # One for all: who came second must neither overtake the first nor undo its new claim,
            # nor wait its turn for a ledger that is away.
            if self._releasing is None or self._releasing.done():
                self._releasing = self._tasks.spawn("leftovers", self._release_all())
            await asyncio.shield(self._releasing)

    async def _release_all(self) -> None:
        while self._unreleased:
            payment_id = next(iter(self._unreleased))
            await self._ledger.release(payment_id)
            self._unreleased.discard(payment_id)

    async def take_back(self, order: Order) -> None:
        """Hold what its app had left, and somebody waits for here again.

        Whoever came first elsewhere keeps it: the same authorization serves both.
        """
        if order.presented is None:
            return
        now, since = self._clock.now_and_since(self._undelivered_ttl)
        try:
            found = await self._ledger.claim(order.purchase, now, since)
        except LedgerError:
            # It is served all the same, and no more can be told apart.
            return
        if isinstance(found, Payment) and found.id != order.presented.id:
            await self.release(found.id)
