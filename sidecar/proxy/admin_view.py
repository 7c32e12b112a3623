"""What the admin port shows and switches, as its handler asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sidecar.ledger.model import Asked, Payment
from sidecar.payments.by_hand import Purchased
from sidecar.payments.events import ConfigReloaded
from sidecar.refusal import BudgetUse, Denied


class AdminView(Protocol):
    """What there is to see, and to switch. LedgerError from all that asks the ledger."""

    async def readiness(self) -> Mapping[str, str | None]:
        """Each check by its name, and what is wrong with it; None where nothing is."""
        ...

    async def budgets(self) -> Sequence[BudgetUse]:
        """Every budget in its current window."""
        ...

    async def in_doubt(self) -> Sequence[Payment]:
        """Every payment in doubt, oldest first."""
        ...

    async def payments(self, limit: int) -> Sequence[Payment]:
        """The newest payments first."""
        ...

    async def frozen_since(self) -> datetime | None:
        """Since when no payment is signed; None while they are."""
        ...

    async def freeze(self) -> datetime:
        """Sign no payment from now on; since when that is so."""
        ...

    async def unfreeze(self) -> datetime | None:
        """Sign payments again; since when they were not, None where they were."""
        ...

    async def asked(self) -> Sequence[Asked]:
        """Every payment that waits for a person, oldest first."""
        ...

    async def decide(self, payment_id: str, *, approve: bool) -> Payment | Denied:
        """A person's word on a payment that waits. Denied: it does not wait."""
        ...

    async def top_up(self, route: str, account: str) -> Purchased:
        """Buy credit now; "" stands for the route's only account. Raises what paying does."""
        ...

    async def reload(self) -> ConfigReloaded:
        """Read the config again, and go by all of it or by nothing of it."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What JSON can say without the ledger: version, now, uptime_s, state, wallets, routes."""
        ...

    def observed(self) -> Mapping[str, Any]:
        """As JSON, what was seen since the start: refusals, without secrets, top_ups_stopped."""
        ...

    async def money(self) -> Mapping[str, Any]:
        """As JSON: balances, and spending over time."""
        ...

    async def news(self, seen: int) -> int:
        """How much has happened: called with the last answer, it comes back when there is more.

        Not more often than about once a second, and after some seconds also without news, as the
        ledger may have been changed by others. At once when the sidecar is stopping.
        """
        ...

    def is_stopping(self) -> bool:
        """Whether those who watch are to let go."""
        ...

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, for this Accept header.

        Raises nothing: what the ledger cannot say is left out, as that is when the counters
        are wanted most.
        """
        ...
