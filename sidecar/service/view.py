"""What the admin port shows: the state of one service, read when somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

from sidecar import __version__
from sidecar.clock import Clock
from sidecar.config.model import Config
from sidecar.errors import LedgerError
from sidecar.http import Origin
from sidecar.ledger import Ledger
from sidecar.ledger.model import Asked, Payment
from sidecar.logs.redaction import Redactor
from sidecar.metrics import Metrics
from sidecar.metrics.tally import Shown
from sidecar.payments.by_hand import ByHand, Purchased
from sidecar.payments.events import ConfigReloaded, RequestServed
from sidecar.refusal import BudgetUse, Denied
from sidecar.service import spending
from sidecar.service.recent import Recent
from sidecar.service.secrets import Opened
from sidecar.service.spending import Spending

# Budgets, what is in doubt, whether all is frozen, what waits for a person; None: nobody knows.
_Books: TypeAlias = tuple[
    Sequence[BudgetUse], Sequence[Payment] | None, bool | None, Sequence[Payment] | None
]


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
        recent: Recent,
        catch_up: Callable[[], None] = lambda: None,
    ) -> None:
        """``catch_up`` has the metrics, and what is recent, hear of all that has happened."""
        self._config = config
        self._opened = opened
        self._secrets: tuple[str, ...] = opened.all
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._is_draining = is_draining
        self._recent = recent
        self._catch_up = catch_up
        self._spending = Spending(ledger, clock)
        self._started_at: datetime = clock.now()
        self.reload_by: Callable[[], Awaitable[ConfigReloaded]] | None = None
        self._by_hand: ByHand | None = None
        self._config_read_at = self._started_at
        self._config_mistakes: tuple[str, ...] = ()

    def use(self, config: Config, opened: Opened, by_hand: ByHand) -> None:
        """Show this config from now on, and buy credit by it."""
        self._config, self._opened, self._by_hand = config, opened, by_hand
        # What was a secret before may still stand in a refusal of then.
        self._secrets = (*dict.fromkeys((*self._secrets, *opened.all)),)
        self.__dict__.pop("_redactor", None)

    def note(self, told: ConfigReloaded) -> None:
        """Show what came of reading the config again."""
        self._config_mistakes = told.mistakes
        if told.ok:
            self._config_read_at = told.at
        self._recent.ring()

    async def reload(self) -> ConfigReloaded:
        """Read the config again."""
        assert self.reload_by is not None
        return await self.reload_by()

    async def top_up(self, route: str, account: str) -> Purchased:
        """Buy credit now."""
        assert self._by_hand is not None
        return await self._by_hand.buy(route, account)

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
        since = await self._ledger.freeze(self._clock.now())
        self._recent.ring()
        return since

    async def unfreeze(self) -> datetime | None:
        """Sign payments again; since when they were not, None where they were."""
        was = await self._ledger.unfreeze()
        self._recent.ring()
        return was

    async def asked(self) -> Sequence[Asked]:
        """Every payment that waits for a person."""
        return await self._ledger.asked()

    async def decide(self, payment_id: str, *, approve: bool) -> Payment | Denied:
        """A person's word on a payment that waits."""
        now = self._clock.now()
        decided = await self._ledger.decide(payment_id, "admin", now, approve=approve)
        self._recent.ring()
        return decided

    async def money(self) -> Mapping[str, Any]:
        """The ledger's spend over time, and balances with how long they will last."""
        spent, now = await self._spending.read(), self._clock.now()
        by_wallet = spending.by_wallet(spent, now, self._config.routes)
        return {
            "balances": self._recent.held.rows(now, by_wallet),
            "spending": spending.series(spent, now),
        }

    def observed(self) -> Mapping[str, Any]:
        """The newest refusals, without any secret; and whose top-ups are stopped."""
        self._catch_up()
        return {
            "refusals": [self._show_refusal(*each) for each in self._recent.refusals()],
            "top_ups_stopped": [
                {"route": route, "account": account} for route, account in self._recent.stopped()
            ],
        }

    async def news(self, seen: int) -> int:
        """How much has happened, once there is more than ``seen`` or it is time to look again."""
        return await self._recent.news(seen)

    def is_stopping(self) -> bool:
        """Whether those who watch are to let go."""
        return self._is_draining()

    def _show_refusal(self, at: datetime, served: RequestServed) -> Mapping[str, Any]:
        shown = {
            "at": at.isoformat(),
            "request_id": served.request_id,
            "route": served.route,
            "caller": served.caller,
            "method": served.method,
            "path": served.path,
            "status": served.status,
            "decision": served.decision,
            "rule": served.rule,
            "detail": served.detail,
        }
        redact = self._redactor.redact
        return {
            name: redact(value) if isinstance(value, str) else value
            for name, value in shown.items()
        }

    @cached_property
    def _redactor(self) -> Redactor:
        # Only made once there is a refusal to show: it takes a while.
        return Redactor(self._secrets)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, for this Accept header."""
        # Not on the loop: requests would wait for the first one.
        await asyncio.to_thread(self._metrics.load)
        books = await self._books()
        self._catch_up()
        return self._metrics.render(accept, self._clock.now(), *books)

    def counted(self) -> Shown:
        """What was counted here."""
        self._catch_up()
        return self._metrics.counted()

    async def shown(self) -> Shown:
        """The metrics as values."""
        books = await self._books()
        self._catch_up()
        return self._metrics.shown(self._clock.now(), *books)

    async def _books(self) -> _Books:
        """What the ledger knows of the metrics."""
        try:
            budgets, in_doubt = await self.budgets(), await self.in_doubt()
            frozen = await self.frozen_since() is not None
            asked = [each.payment for each in await self.asked()]
        except LedgerError:
            # Left out, so that its failure itself can be seen.
            return (), None, None, None
        return budgets, in_doubt, frozen, asked

    def describe(self) -> dict[str, Any]:
        """What the config made: version, wallets, routes; and what time it is here."""
        return {
            "version": __version__,
            "now": self._clock.now().isoformat(),
            "uptime_s": int((self._clock.now() - self._started_at).total_seconds()),
            "state": "draining" if self._is_draining() else "serving",
            "mode": self._config.mode,
            "config_read_at": self._config_read_at.isoformat(),
            "config_mistakes": list(self._config_mistakes),
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
