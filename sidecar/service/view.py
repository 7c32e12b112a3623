"""What the admin port shows: the state of one service, read when somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sidecar import __version__
from sidecar.clock import Clock
from sidecar.config.model import Config
from sidecar.errors import LedgerError
from sidecar.http import Origin
from sidecar.ledger import Ledger
from sidecar.ledger.model import Asked, Payment
from sidecar.metrics import Metrics
from sidecar.refusal import BudgetUse, Denied
from sidecar.service.secrets import Opened


class View:
    """``proxy.admin.AdminView``."""

    def __init__(
        self,
        config: Config,
        opened: Opened,
        ledger: Ledger,
        metrics: Metrics,
        clock: Clock,
        is_draining: Callable[[], bool],
    ) -> None:
        self._config = config
        self._opened = opened
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._is_draining = is_draining
        self._started_at: datetime = clock.now()

    async def readiness(self) -> Mapping[str, str | None]:
        """Each check, and what is wrong with it; None where nothing is."""
        ledger, frozen = None, None
        try:
            await self._ledger.check_writable()
            since = await self._ledger.frozen_since()
            if since is not None:
                frozen = f"no payment is signed since {since:%Y-%m-%d %H:%M:%S} UTC"
        except LedgerError as fault:
            ledger = fault.diagnostics()
        return {
            "ledger": ledger,
            "frozen": frozen,
            "draining": "the sidecar is stopping" if self._is_draining() else None,
        }

    async def budgets(self) -> Sequence[BudgetUse]:
        """Every budget in its current window."""
        budgets = tuple(self._config.budgets.values())
        return await self._ledger.budgets(budgets, self._clock.now())

    async def in_doubt(self) -> Sequence[Payment]:
        """Every payment in doubt."""
        return await self._ledger.in_doubt()

    async def payments(self, limit: int) -> Sequence[Payment]:
        """The newest payments first."""
        return await self._ledger.payments(None, limit)

    async def frozen_since(self) -> datetime | None:
        """Since when no payment is signed; None while they are."""
        return await self._ledger.frozen_since()

    async def freeze(self) -> datetime:
        """Sign no payment from now on; since when that is so."""
        return await self._ledger.freeze(self._clock.now())

    async def unfreeze(self) -> datetime | None:
        """Sign payments again; since when they were not, None where they were."""
        return await self._ledger.unfreeze()

    async def asked(self) -> Sequence[Asked]:
        """Every payment that waits for a person."""
        return await self._ledger.asked()

    async def decide(self, payment_id: str, *, approve: bool) -> Payment | Denied:
        """A person's word on a payment that waits."""
        now = self._clock.now()
        return await self._ledger.decide(payment_id, "admin", now, approve=approve)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, for this Accept header."""
        # Not on the loop: requests would wait for the first one.
        await asyncio.to_thread(self._metrics.load)
        now = self._clock.now()
        try:
            budgets, in_doubt = await self.budgets(), await self.in_doubt()
            frozen = await self.frozen_since() is not None
            asked = [each.payment for each in await self.asked()]
        except LedgerError:
            # What the ledger knows is left out, so that its failure itself can be seen.
            return self._metrics.render(accept, now, (), None)
        return self._metrics.render(accept, now, budgets, in_doubt, frozen, asked)

    def describe(self) -> dict[str, Any]:
        """What the config made: version, wallets, routes."""
        return {
            "version": __version__,
            "uptime_s": int((self._clock.now() - self._started_at).total_seconds()),
            "state": "draining" if self._is_draining() else "serving",
            "mode": self._config.mode,
            "wallets": {
                name: {"address": wallet.address} for name, wallet in self._opened.wallets.items()
            },
            "routes": {
                name: {
                    "provider": route.provider,
                    "upstream": str(Origin.of(route.upstream)),
                    "wallet": route.wallet,
                    "networks": sorted(route.networks),
                    "max_payment": str(route.max_payment) if route.max_payment else None,
                    "price_jump_max": str(route.price_jump_max) if route.price_jump_max else None,
                    "budgets": [budget.name for budget in route.budgets],
                }
                for name, route in self._config.routes.items()
            },
        }
