"""Replicas of one centre, each with a machine of its own, and a cable that can be pulled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path

from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.leased import LeasedLedger
from sidecar.ledger.model import Budget, Intent, Payment, Window
from sidecar.ledger.slices import Grant, LeaseTerms, Report, Slice, Slices, Want
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse, Denied
from tests.world.fakes import NOON, FakeClock
from tests.world.intents import RECEIPT, authorization, intent
from tests.world.leased_store import TERMS, Centre

CAP = Budget("cap", Usdc(100), Window.DAY)


class Cable:
    """What leads to the centre: it can be away, and it can lose an answer."""

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        self.away = False
        self.loses_answers = False
        self.asked = 0  # how often the centre was
        self.after: Callable[[], Awaitable[None]] | None = None  # before an answer is heard

    async def exchange(
        self,
        holder: str,
        reports: Sequence[Report],
        wants: Sequence[Want],
        pin: tuple[Intent, datetime] | None,
        terms: LeaseTerms,
    ) -> Grant:
        self._require()
        self.asked += 1
        grant = await self._slices.exchange(holder, reports, wants, pin, terms)
        if self.after is not None:
            await self.after()
        if self.loses_answers:
            raise LedgerError("the answer was lost")
        return grant

    async def uses(
        self, holder: str, budgets: Sequence[Budget], at: datetime
    ) -> tuple[tuple[BudgetUse, Slice], ...]:
        self._require()
        return await self._slices.uses(holder, budgets, at)

    def _require(self) -> None:
        if self.away:
            raise LedgerError("the centre cannot be reached")


class Replica:
    """A machine with a file of its own; ``ledger`` is its one process."""

    def __init__(
        self, path: Path, centre: Centre, name: str, terms: LeaseTerms, clock: FakeClock
    ) -> None:
        self.path = path
        self.clock = clock
        self._centre = centre
        self._name = name
        self._terms = terms
        self._starts = 0
        self._payments = 0
        self._there: Ledger | None = None

    async def start(self, terms: LeaseTerms | None = None) -> None:
        """A process on its file, whether or not there was one before."""
        self._starts += 1
        self.instance = f"{self._name}-{self._starts}"
        self._there, slices = await self._centre.open(self.instance)
        self.cable = Cable(slices)
        self.ledger = await LeasedLedger.open(
            self._there,
            self.cable,
            self.path,
            self.instance,
            terms or self._terms,
            self.clock,
            lambda sentence: None,
        )

    async def kill(self) -> None:
        """kill -9."""
        if self._there is not None:
            await self.ledger.abandon()
            await self._centre.kill(self.instance, self._there)
            self._there = None

    async def stop(self) -> None:
        """Leave in order."""
        if self._there is not None:
            await self.ledger.close()
            self._there = None

    def intent(self, amount: int = 1, budget: Budget = CAP) -> Intent:
        """A payment of a purchase that nobody made before."""
        self._payments += 1
        return intent(f"{self._name}-{self._payments}", amount=amount, budgets=(budget,))

    async def reserve(self, amount: int = 1, budget: Budget = CAP) -> Payment | Denied:
        return await self.ledger.reserve(self.intent(amount, budget), NOON)

    async def pay(self, amount: int = 1, budget: Budget = CAP) -> Payment | Denied:
        """A payment that is posted and delivered; or why not."""
        made = await self.reserve(amount, budget)
        if isinstance(made, Payment):
            await self.ledger.authorize(made.id, authorization(made.id), NOON)
            await self.ledger.post(made.id, RECEIPT, NOON)
            await self.ledger.deliver(made.id, NOON)
        return made

    async def pay_until_refused(self, amount: int = 1) -> int:
        """How much could be paid."""
        paid = 0
        # No cap here is nearly as high.
        while paid < 300 and isinstance(await self.pay(amount), Payment):
            paid += amount
        return paid


class Replicas:
    """All of them, and the centre as it counts."""

    def __init__(self, folder: Path, centre: Centre) -> None:
        self.folder = folder
        self.centre = centre
        self.clock = FakeClock()
        self._started: list[Replica] = []
        self._auditors = count(1)

    async def start(
        self, name: str, terms: LeaseTerms = TERMS, path_of: str | None = None
    ) -> Replica:
        """One more machine; or one more process on the machine of another."""
        path = self.folder / f"{path_of or name}.db"
        replica = Replica(path, self.centre, name, terms, self.clock)
        self._started.append(replica)
        await replica.start()
        return replica

    async def gone(self, budget: Budget = CAP) -> tuple[int, int]:
        """What the centre counts as reserved, and as spent."""
        ledger, slices = await self.centre.open(f"auditor-{next(self._auditors)}")
        ((use, _),) = await slices.uses("nobody", [budget], NOON)
        await ledger.close()
        return use.reserved.atomic, use.spent.atomic

    async def close(self) -> None:
        for replica in self._started:
            await replica.stop()
