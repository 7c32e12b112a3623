"""What a sidecar does by itself, on intervals; begun anew with each config.

Of several workers one leads, and makes the rounds for all. The others do no more than measure
their clocks, as each of them signs by its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sidecar.payments.prover import Prover
from sidecar.payments.recovery import Recovery
from sidecar.payments.wallet_balances import WalletBalances
from sidecar.service import wiring
from sidecar.service.wired import Lasting, Wired

if TYPE_CHECKING:
    from sidecar.payments.drift import DriftWatch


class Loops:
    """Recovery, top-ups that were left open, balances, and what left the wallets."""

    def __init__(self, lasting: Lasting, recovery: Recovery, prover: Prover) -> None:
        self._lasting = lasting
        self._recovery = recovery
        self._prover = prover
        self._leads = lasting.ports.place.leads
        self._measuring: asyncio.Task[None] | None = None
        self._recovery_interval_s = 0.0
        self._recovering: asyncio.Task[None] | None = None
        self._resuming: set[asyncio.Task[None]] = set()
        self._reading: list[asyncio.Task[None]] = []
        self._drift: DriftWatch | None = None

    def begin(self, wired: Wired) -> None:
        """Go by this config from now on."""
        tasks, config = self._lasting.tasks, wired.config
        self._recovery_interval_s = config.recovery.interval_s
        _cancel(self._measuring)
        if not self._leads:
            self._measuring = tasks.spawn("clocks", self._measure())
            return
        if self._recovering is None or self._recovery.rests:
            # One that is at it goes on, as it must, and rests by the new interval.
            _cancel(self._recovering)
            self._recovering = tasks.spawn(
                "recovery", self._recovery.run(lambda: self._recovery_interval_s)
            )
        self.resume(wired)
        for reading in self._reading:
            reading.cancel()
        self._reading = [*self._watch(wired), *self._watch_drift(wired)]

    def lead(self, wired: Wired) -> None:
        """Make the rounds from now on: whoever made them is gone."""
        self._leads = True
        self.begin(wired)

    def resume(self, wired: Wired) -> None:
        """Take up the top-ups that somebody who is gone has paid, and not seen through."""
        # Never cancelled half way: it holds what it has taken up.
        resuming = self._lasting.tasks.spawn("top-ups", wired.topups.resume())
        self._resuming.add(resuming)
        resuming.add_done_callback(self._resuming.discard)

    async def _measure(self) -> None:
        while True:
            await self._prover.measure_skew()
            await self._lasting.clock.sleep(self._recovery_interval_s)

    def end(self) -> None:
        """Stop all of them."""
        for loop in (self._measuring, self._recovering, *self._resuming, *self._reading):
            _cancel(loop)

    def _watch(self, wired: Wired) -> list[asyncio.Task[None]]:
        """The vendors' balances, and the wallets'."""
        lasting, config = self._lasting, wired.config
        interval_s = config.balances.interval_s
        sources = [route.source for route in wired.table.routes.values() if route.source]
        questions = wiring.balance_questions(config)
        wallets = WalletBalances(lasting.chain, questions, lasting.ports.clock, lasting.emit)
        purses = wiring.purses(config, wired.opened)
        return [
            lasting.tasks.spawn("balances", wired.balances.run(sources, interval_s)),
            lasting.tasks.spawn("wallets", wallets.run(purses, interval_s)),
        ]

    def _watch_drift(self, wired: Wired) -> list[asyncio.Task[None]]:
        spenders = wiring.spenders(wired.config, wired.opened)
        if not spenders:
            return []
        # Not for those who have no chain to ask.
        from sidecar.payments.drift import DriftWatch  # noqa: PLC0415 - see above

        lasting, chains = self._lasting, wiring.build_chains(wired.config)
        interval_s = wired.config.recovery.reconcile_interval_s
        if self._drift is None:
            self._drift = DriftWatch(
                lasting.ledger,
                lasting.chain,
                chains,
                lasting.ports.clock,
                lasting.emit,
                interval_s,
            )
        self._drift.watch(chains, interval_s)
        return [lasting.tasks.spawn("drift", self._drift.run(spenders))]


def _cancel(loop: asyncio.Task[None] | None) -> None:
    if loop is not None:
        loop.cancel()
