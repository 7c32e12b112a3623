"""A slice: the part of a budget's window that one replica holds, and spends by itself.

It has three counts, in atomic units, and none of them ever falls:

    granted    what the centre has kept for the replica; the replica may know of less
    returned   what the replica has let go of: durably on its own disk before the centre hears
    settled    what has moved of it, as far as the centre has heard

The centre counts ``granted - settled - returned`` as reserved and ``settled`` as spent, with the
same condition as a payment, so slices and payments together never exceed a cap. The replica sets
aside and spends no more than ``granted - returned``, as it knows them. A message that is lost,
late or said twice finds counts that are as high or higher, so it can only leave the centre
counting too much for a while, never too little: no crash needs a rule of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sidecar.errors import LedgerError
from sidecar.ledger.model import Budget, Intent
from sidecar.ledger.windows import WindowKey
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse, Denied
from sidecar.values import dataclass

# No slice is more than this part of what is left, so that the last of a budget is spread thin.
SHARE = 8
# Of a lease, what its holder does not use: two clocks may run at two speeds.
MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How much a replica takes at a time, and for how long it may spend without being heard of."""

    size: Usdc
    lifetime_s: float

    @property
    def usable_s(self) -> float:
        """For how long after it asked a holder may go on."""
        return self.lifetime_s * (1 - MARGIN)


@dataclass(frozen=True, slots=True)
class Report:
    """What a replica knows of one of its slices."""

    window: WindowKey
    granted: int
    returned: int
    spent: int  # of all that was granted, what has moved


@dataclass(frozen=True, slots=True)
class Want:
    """A slice that is to be this large at least, where its budget has room.

    It names the whole, not what is to be added: asked a second time, it adds nothing.
    """

    window: WindowKey
    budget: Budget
    granted: int
    resets_at: datetime | None  # of the window, for whoever is refused


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice as the centre has it."""

    window: WindowKey
    granted: int
    returned: int
    settled: int

    @property
    def outstanding(self) -> int:
        """What the centre counts as reserved for it."""
        return self.granted - self.returned - self.settled


class Used(Protocol):
    """What the holder's own books say of a window: ``free`` may still be reserved there."""

    @property
    def reserved(self) -> int: ...

    @property
    def spent(self) -> int: ...

    @property
    def free(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Grant:
    """The centre's answer: what the replica may go on with for the time of a lease.

    ``slices``: all of this replica's that are outstanding, and those that were named.
    ``lacking``: a wanted one has no room in this budget, so none was enlarged and nobody pinned.
    ``refusal``: another payee is pinned, and none was enlarged either.
    """

    slices: tuple[Slice, ...]
    frozen_since: datetime | None
    lacking: BudgetUse | None = None
    refusal: Denied | None = None


class Slices(Protocol):
    """The centre, as replicas see it that take slices. LedgerError: it could not be asked."""

    async def exchange(
        self,
        holder: str,
        reports: Sequence[Report],
        wants: Sequence[Want],
        pin: tuple[Intent, datetime] | None,
        terms: LeaseTerms,
    ) -> Grant:
        """Take reports down and enlarge what is wanted, all or none of it, in one transaction.

        ``pin``: the payee of this payment is pinned, or must be the one that is. LedgerError also
        where the centre knows of less than it has granted: it is older than this replica.
        """
        ...

    async def uses(
        self, holder: str, budgets: Sequence[Budget], at: datetime
    ) -> tuple[tuple[BudgetUse, Slice], ...]:
        """Each budget's use as the centre counts it, and the part of it that is this holder's."""
        ...


def heard(known: Slice, report: Report) -> Slice:
    """A slice as the centre has it after a report. LedgerError: the two cannot both be true."""
    after = replace(
        known,
        returned=max(known.returned, report.returned),
        settled=max(known.settled, report.spent),
    )
    if report.granted > known.granted or after.outstanding < 0:
        raise LedgerError(
            f'the slice of budget "{known.window[0]}" is further than the centre knows: the centre '
            "was put back to an earlier state, or the replica's file was; nothing is paid from it"
        )
    return after


def enlarged(missing: int, size: int, left: int) -> int | None:
    """How much to add to a slice that lacks ``missing`` in a window that has ``left``.

    None: there is no room. Nothing is added where nothing is missing, and that too wants a window
    that is not over its cap, which may have been lowered.
    """
    if missing > left or left < 0:
        return None
    if missing <= 0:
        return 0
    return max(missing, min(size, left // SHARE))


def seen_from_within(use: BudgetUse, held: Slice, used: Used) -> BudgetUse:
    """A budget's use with the holder's own payments told exactly, in place of its slice."""
    return BudgetUse(
        use.name,
        use.limit,
        Usdc(use.spent.atomic + max(0, used.spent - held.settled)),
        Usdc(use.reserved.atomic - held.outstanding + used.reserved),
        use.resets_at,
        Usdc(max(0, used.free)),
    )
