"""What vendors hold for us: the last that each said, and readings when somebody needs to know.

A reading answers with what the vendor held after it was asked for, so that a top-up's proof
never rests on an older answer. Those who ask at the same time share one reading, and an account
is never read more often than its vendor allows.
Source: operations.md, Metrics; providers.md 1 (d) and 6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import field
from datetime import datetime, timedelta
from typing import TypeAlias

from sidecar.clock import Clock
from sidecar.errors import SidecarError
from sidecar.http import Upstream, run_exchange
from sidecar.payments.events import BalanceObserved, Emit
from sidecar.providers.base import Balance, Credential, Provider
from sidecar.values import dataclass

STEP_WAIT_S = 10.0
READING_WAIT_S = 30.0
READING_BYTES_MAX = 64 * 1024
# Of one route. Apps name x402layer's accounts, so there may be any number of names.
ACCOUNTS_MAX = 100

OnBalance: TypeAlias = Callable[[str, str, tuple[Balance, ...]], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A route whose vendor can be asked. ``upstream`` reaches the provider's origins."""

    route: str
    provider: Provider
    upstream: Upstream
    credential: Callable[[], Awaitable[Credential]]


@dataclass(frozen=True, slots=True)
class Known:
    """What a vendor said that it holds for an account, and when."""

    route: str
    account: str
    balances: tuple[Balance, ...]
    observed_at: datetime


@dataclass(slots=True)
class _Account:
    """One account: what is known of it, and its readings, numbered in the order they began."""

    known: Known | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    begun: int = 0
    ended: int = 0  # the last that came to an end
    answer: tuple[Balance, ...] | None = None  # of that one; None: it failed
    failure: str = ""
    free_at_s: float = 0.0  # monotonic; before this the vendor wants no other reading


class Balances:
    """The balances of every route. ``on_balance`` hears each one that is observed."""

    def __init__(
        self,
        clock: Clock,
        emit: Emit,
        on_balance: OnBalance,
        reading_wait_s: float = READING_WAIT_S,
    ) -> None:
        self._clock = clock
        self._emit = emit
        self._on_balance = on_balance
        self._reading_wait_s = reading_wait_s
        self._routes: dict[str, dict[str, _Account]] = {}

    def heir(self, on_balance: OnBalance, routes: Collection[str]) -> Balances:
        """Others, told of to whom they concern, that share what is known of these routes."""
        heir = Balances(self._clock, self._emit, on_balance, self._reading_wait_s)
        heir._routes = {name: self._routes.setdefault(name, {}) for name in routes}
        return heir

    def observe(self, route: str, account: str, balances: tuple[Balance, ...]) -> None:
        """Take what a vendor said, whoever asked; an answer without balances says nothing."""
        if not balances:
            return
        now = self._clock.now()
        found = self._account(route, account)
        told = {balance.unit for balance in balances}
        # A header tells of dollars alone; what else is held is known as it was.
        before = () if found.known is None else found.known.balances
        others = tuple(balance for balance in before if balance.unit not in told)
        found.known = Known(route, account, balances + others, now)
        for balance in balances:
            self._emit(BalanceObserved(route, account, balance, now))
        self._on_balance(route, account, balances)

    def latest(self, route: str, account: str) -> tuple[tuple[Balance, ...], datetime] | None:
        """The last balances, and when they were observed; None before the first."""
        found = self._routes.get(route, {}).get(account)
        if found is None or found.known is None:
            return None
        return found.known.balances, found.known.observed_at

    def known(self) -> tuple[Known, ...]:
        """The last balances of every account."""
        return tuple(
            found.known
            for accounts in self._routes.values()
            for found in accounts.values()
            if found.known is not None
        )

    def failure(self, route: str, account: str) -> str | None:
        """Why the last reading failed; None when it did not."""
        found = self._routes.get(route, {}).get(account)
        return (found.failure or None) if found is not None else None

    async def read(self, source: Source, account: str) -> tuple[Balance, ...] | None:
        """What the vendor holds, asked after this call; None when it cannot be read."""
        spacing_s = source.provider.traits.balance_spacing_s
        if not spacing_s:
            return None
        reading = self._account(source.route, account)
        # One that is under way was asked before this call; one that waits for its turn was not.
        wanted = reading.begun + 1
        async with reading.turn:
            if reading.ended >= wanted:
                return reading.answer
            early_s = reading.free_at_s - self._clock.monotonic_s()
            if early_s > 0:
                await self._clock.sleep(early_s)
            reading.begun += 1
            reading.free_at_s = self._clock.monotonic_s() + spacing_s
            before = self.latest(source.route, account)
            reading.answer = await self._ask(source, account, reading)
            reading.ended = reading.begun
            # What was observed in the meantime may be newer than this answer (a top-up's, say).
            if reading.answer and self.latest(source.route, account) == before:
                self.observe(source.route, account, reading.answer)
            return reading.answer

    async def recent(self, source: Source, account: str) -> tuple[Balance, ...] | None:
        """The same, for one that was refused; what is as young as readings may be is kept.

        But not what tells of credit: that was used up since, here or by others.
        """
        latest = self.latest(source.route, account)
        spacing = timedelta(seconds=source.provider.traits.balance_spacing_s)
        if latest is not None and self._clock.now() - latest[1] < spacing:
            balances = latest[0]
            if not balances[0].can_consume:
                return balances
        return await self.read(source, account)

    async def run(self, sources: Collection[Source], interval_s: float) -> None:
        """Read every known account on an interval, where its vendor allows, until cancelled."""
        # Each vendor by itself: one that does not answer must not age the others' balances.
        async with asyncio.TaskGroup() as polls:
            for source in sources:
                polls.create_task(self._poll(source, interval_s))

    async def _poll(self, source: Source, interval_s: float) -> None:
        # Only what sells credit (Prepaid) tells accounts apart.
        listed: tuple[str, ...] = getattr(source.provider, "accounts", ("",))
        while source.provider.traits.balance_spacing_s:
            seen = (each.account for each in self.known() if each.route == source.route)
            for account in dict.fromkeys((*listed, *seen)):
                await self.read(source, account)
            await self._clock.sleep(interval_s)

    async def _ask(
        self, source: Source, account: str, reading: _Account
    ) -> tuple[Balance, ...] | None:
        try:
            async with asyncio.timeout(self._reading_wait_s):
                credential = await source.credential()
                answer = await run_exchange(
                    source.upstream,
                    source.provider.balance(credential, account),
                    wait_s=STEP_WAIT_S,
                    body_bytes_max=READING_BYTES_MAX,
                )
        except TimeoutError:
            reading.failure = f"the balance could not be read in {self._reading_wait_s:g} s"
        except SidecarError as fault:
            reading.failure = fault.diagnostics()
        else:
            reading.failure = ""
            return answer
        return None

    def _account(self, route: str, account: str) -> _Account:
        accounts = self._routes.setdefault(route, {})
        # The one that was used last stands last; the first makes room.
        found = accounts.pop(account, None) or _Account()
        accounts[account] = found
        if len(accounts) > ACCOUNTS_MAX:
            del accounts[next(iter(accounts))]
        return found
