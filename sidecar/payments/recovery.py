"""Puts the books in order, at start and on a timer: posts or voids on proof only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sidecar.clock import WatchedClock
from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.model import Proof
from sidecar.payments.events import Emit, PaymentUndelivered, TaskFailed, tell
from sidecar.payments.prover import Prover

CONFIRMATION_TTL = timedelta(hours=1)


class Recovery:
    """One pass over everything that is not settled."""

    def __init__(
        self,
        ledger: Ledger,
        prover: Prover,
        clock: WatchedClock,
        emit: Emit,
        undelivered_ttl: timedelta,
    ) -> None:
        self._ledger = ledger
        self._prover = prover
        self._clock = clock
        self._emit = emit
        self._undelivered_ttl = undelivered_ttl
        self.rests = False  # between two passes

    async def run_once(self) -> None:
        """Drop what was never signed, prove what was, close what nobody came back for.

        Raises LedgerError when the books cannot be written.
        """
        await self._prover.measure_skew()
        for payment in await self._ledger.orphaned():
            tell(
                self._emit,
                await self._ledger.void(payment.id, Proof("unsigned"), self._clock.now()),
            )
        for payment in await self._ledger.to_prove(self._clock.now()):
            await self._prover.prove(payment)
        now = self._clock.now()
        for payment in await self._ledger.unconfirmed():
            assert payment.authorization is not None
            # Dead long ago and never seen: a seller that served for nothing.
            if payment.authorization.expires_at + CONFIRMATION_TTL > now:
                await self._prover.prove(payment)
        for payment in await self._ledger.undelivered(self._clock.since(self._undelivered_ttl)):
            # Nobody comes back for a top-up: it is over when its credit is seen (topups).
            if payment.purpose == "top_up":
                continue
            await self._ledger.give_up(payment.id, now)
            self._emit(PaymentUndelivered(payment, "nobody came back for it"))

    async def run(self, interval_s: Callable[[], float]) -> None:
        """Keep going until cancelled; a ledger that cannot be written is tried again.

        Who cancels it while it does not rest loses what a pass has proved and not told of yet.
        """
        while True:
            self.rests = False
            try:
                await self.run_once()
            except LedgerError as fault:
                self._emit(TaskFailed("recovery", fault))
            self.rests = True
            await self._clock.sleep(interval_s())
