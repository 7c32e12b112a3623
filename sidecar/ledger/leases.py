"""A replica's side of its slices: when the centre has to be asked, and what for.

A lease is the centre's word that the replica may go on for a while: nothing is frozen, and these
payees are pinned. It counts from the moment before the centre was asked, by the steady clock, and
ends a margin early. Slices outlive it: they are on both disks, and wait for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeAlias, TypeVar

from sidecar.clock import Clock
from sidecar.errors import LedgerError
from sidecar.ledger import denials, sqlite_slices
from sidecar.ledger.model import Budget, Intent, Payment
from sidecar.ledger.slices import Grant, LeaseTerms, Slice, Slices, Want, seen_from_within
from sidecar.ledger.sqlite_slices import Absent, Held
from sidecar.ledger.sqlite_writer import Writer
from sidecar.ledger.windows import WindowKey
from sidecar.refusal import BudgetUse, Denied

T = TypeVar("T")
# None: it takes the centre to say.
_Answer: TypeAlias = Payment | Denied | Absent | None

# Other processes of this machine may spend what this one has taken; not every time.
ROUNDS_MAX = 16
KEEPS = 3  # in a lifetime, so that one may fail


class Leases:
    """What one ledger file holds of the centre's budgets."""

    def __init__(
        self, writer: Writer, slices: Slices, holder: str, terms: LeaseTerms, clock: Clock
    ) -> None:
        self._writer = writer
        self._slices = slices
        self._holder = holder
        self._terms = terms
        self._clock = clock
        self._until_s = float("-inf")
        self._pinned: dict[tuple[str, ...], float] = {}
        self._used: dict[WindowKey, tuple[int, int]] = {}
        self._answers = 0
        # One question at a time: an answer that came late would undo what a newer one said.
        self._turn = asyncio.Lock()

    @property
    def takes_slices(self) -> bool:
        """Whether any are taken; else what there was is brought to its end, and given back."""
        return self._terms.size.atomic > 0

    async def require(self) -> None:
        """Go on, with the lease that there is or a new one. LedgerError: there is none."""
        if self._is_live():
            return
        async with self._turn:
            if not self._is_live():
                await self._renew(await self.held())

    def _is_live(self) -> bool:
        return self._clock.monotonic_s() < self._until_s

    async def reserve(self, intent: Intent, at: datetime) -> Payment | Denied | Absent:
        """Reserve it here, out of slices that are taken or enlarged where they lack."""
        await self.require()
        answers = self._answers
        answer = await self._try(intent, at)
        if answer is not None:
            return answer
        async with self._turn:
            # Whoever was before us may have brought enough for us, too.
            if self._answers != answers:
                answer = await self._try(intent, at)
            for _ in range(ROUNDS_MAX):
                if answer is not None:
                    return answer
                answer = await self._take(intent, at)
        raise LedgerError("other processes spend every slice before this one can; try again")

    async def _try(self, intent: Intent, at: datetime) -> _Answer:
        if not self._is_pinned(intent):
            return await self._writer.do(lambda books: sqlite_slices.bind(books, intent, at))
        return _unless_lacking(
            await self._writer.do(lambda books: sqlite_slices.reserve(books, intent, at))
        )

    async def _take(self, intent: Intent, at: datetime) -> _Answer:
        held, wants = await self._writer.do(
            lambda books: (
                sqlite_slices.held(books.connection),
                sqlite_slices.wants(books.connection, intent, at),
            ),
            writes=False,
        )
        asked_s = self._clock.monotonic_s()
        grant = await self._ask(held, wants, (intent, at) if intent.pin_place is not None else None)
        if grant.refusal is not None or grant.lacking is not None:
            await self._accept(grant, (), asked_s)
            return grant.refusal or await self._no_room(grant, wants, intent)
        tried = await self._writer.do(
            lambda books: sqlite_slices.accept_and_reserve(books, grant, wants, intent, at)
        )
        self._accepted(asked_s)
        if intent.pin_place is not None:
            now_s = self._clock.monotonic_s()
            self._pinned = {pin: end_s for pin, end_s in self._pinned.items() if end_s > now_s}
            self._pinned[_pin_of(intent)] = asked_s + self._terms.usable_s
        return _unless_lacking(tried.answer)

    def _is_pinned(self, intent: Intent) -> bool:
        """Whether the centre need not be asked for the payee."""
        if intent.pin_place is None:
            return True
        end_s = self._pinned.get(_pin_of(intent), float("-inf"))
        return self._clock.monotonic_s() < end_s

    def forget_pins(self) -> None:
        """The next payment asks for its payee again."""
        self._pinned.clear()

    async def keep(self) -> None:
        """Give back what is not used, tell what was spent, and renew. LedgerError: not now.

        A slice that nothing was drawn from since the last time is given back whole. Who holds
        none and has nothing to tell asks for nothing.
        """
        async with self._turn:
            keep = {
                each.window: self._terms.size.atomic
                for each in await self.held()
                if self._used.get(each.window) != (each.reserved, each.spent)
            }
            held = await self._give_back(keep)
            self._used = {each.window: (each.reserved, each.spent) for each in held}
            if any(each.has_news or each.free for each in held):
                await self._renew(held)

    async def run(self, switched: Callable[[], Awaitable[None]]) -> None:
        """Keep on, and look again at once when something was ``switched``, until cancelled."""
        while True:
            rang = False
            with suppress(TimeoutError):
                async with asyncio.timeout(self._terms.lifetime_s / KEEPS):
                    await switched()
                    rang = True
            # Without the centre the lease runs out, and whoever wants to pay hears of that.
            with suppress(LedgerError):
                await (self._look() if rang else self.keep())

    async def _look(self) -> None:
        async with self._turn:
            await self._renew(await self.held())

    async def give_back(self) -> None:
        """Let go of all that is not used. Where the centre cannot hear it now, it will."""
        async with self._turn:
            held = await self._give_back({})
            if any(each.has_news for each in held):
                with suppress(LedgerError):
                    await self._renew(held)

    async def _give_back(self, keep: dict[WindowKey, int]) -> tuple[Held, ...]:
        return await self._writer.do(lambda books: sqlite_slices.give_back(books.connection, keep))

    async def alone(self, switch: Callable[[], Awaitable[T]]) -> T:
        """Do this while no answer of the centre is under way."""
        async with self._turn:
            return await switch()

    async def uses(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        """``Ledger.budgets``: the centre's word, and our own in place of our slices."""
        told = await self._slices.uses(self._holder, budgets, at)
        here = await self._writer.do(
            lambda books: [
                sqlite_slices.held_in(books.connection, part.window) for _, part in told
            ],
            writes=False,
        )
        return tuple(
            seen_from_within(use, part, own) for (use, part), own in zip(told, here, strict=True)
        )

    async def held(self) -> tuple[Held, ...]:
        """Every slice that the centre still counts for these books."""
        return await self._writer.do(
            lambda books: sqlite_slices.held(books.connection), writes=False
        )

    async def _renew(self, held: Sequence[Held]) -> None:
        asked_s = self._clock.monotonic_s()
        await self._accept(await self._ask(held, (), None), (), asked_s)

    async def _ask(
        self, held: Sequence[Held], wants: Sequence[Want], pin: tuple[Intent, datetime] | None
    ) -> Grant:
        reports = [each.report for each in held]
        return await self._slices.exchange(self._holder, reports, wants, pin, self._terms)

    async def _accept(self, grant: Grant, wants: Sequence[Want], asked_s: float) -> None:
        await self._writer.do(lambda books: sqlite_slices.accept(books.connection, grant, wants))
        self._accepted(asked_s)

    def _accepted(self, asked_s: float) -> None:
        # Only now is it on the disk, the switch that stops all signing included.
        self._until_s = asked_s + self._terms.usable_s
        self._answers += 1

    async def _no_room(self, grant: Grant, wants: Sequence[Want], intent: Intent) -> Denied:
        use = grant.lacking
        assert use is not None
        (window,) = [want.window for want in wants if want.budget.name == use.name]
        none = Slice(window, 0, 0, 0)
        part = next((each for each in grant.slices if each.window == window), none)
        own = await self._writer.do(
            lambda books: sqlite_slices.held_in(books.connection, window), writes=False
        )
        return denials.no_room(seen_from_within(use, part, own), intent.amount)


def _unless_lacking(answer: Payment | Denied | Absent) -> _Answer:
    """A refusal by what is held here is none yet: the centre may have more."""
    return None if isinstance(answer, Denied) and answer.budget is not None else answer


def _pin_of(intent: Intent) -> tuple[str, ...]:
    place = intent.pin_place
    assert place is not None
    return (intent.route, intent.purpose, intent.network, place, intent.payee)
