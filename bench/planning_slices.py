"""Slices of one budget in a fleet, event by event, in made-up time.

What a replica is given is decided by the sidecar's own rule (``ledger.slices.enlarged``); what it
pays, gives back and tells goes as ``ledger.leases`` has it. Counted is what the centre hears, and
what a payment was refused for while another replica held what it needed.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from random import Random

from sidecar.ledger.slices import enlarged

# A lease is renewed so often in its lifetime.
KEEPS = 3


@dataclass(frozen=True, slots=True)
class Town:
    """Who pays how often out of one budget. Amounts are in payments, which cost one each."""

    replicas: int
    payments_s: float  # of all together
    cap: int
    slice_payments: int
    lifetime_s: float = 60.0
    in_flight_s: float = 1.0
    deaths_s: float = 0.0  # replicas that die, for good, with what they hold
    lasts_s: float = 60.0
    counts_from_s: float = 0.0  # until then replicas take their first slices


@dataclass(slots=True)
class Replica:
    """What one replica knows of its slice; ``told``: what the centre has heard of that."""

    granted: int = 0
    returned: int = 0
    reserved: int = 0
    spent: int = 0
    told_returned: int = 0
    told_spent: int = 0
    drawn_then: int = 0
    alive: bool = True

    @property
    def free(self) -> int:
        return self.granted - self.returned - self.reserved - self.spent

    @property
    def outstanding(self) -> int:
        """What the centre counts as reserved for it."""
        return self.granted - self.told_returned - self.told_spent


@dataclass(slots=True)
class Count:
    """What came of it."""

    payments: int = 0
    refused: int = 0
    refused_early: int = 0  # somebody alive held what was lacking
    exchanges: int = 0
    keeps: int = 0  # of these, to renew and to give back
    stranded_most: int = 0  # held, and neither reserved nor spent, at one moment
    died: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """What the centre has in the end, once the living gave back what they held."""

    spent: int
    reserved: int  # for the dead


class Fleet:
    """One budget, its centre and its replicas."""

    def __init__(self, town: Town, seed: int) -> None:
        self.town = town
        self.count = Count()
        self.replicas = [Replica() for _ in range(town.replicas)]
        self.outstanding = self.settled = self.free = 0
        self._random = Random(seed)
        self._order = itertools.count()
        self._events: list[tuple[float, int, str, int]] = []

    def run(self) -> Count:
        """All of it; what was counted since ``counts_from_s``."""
        town, random = self.town, self._random
        keep_s = town.lifetime_s / KEEPS
        for number in range(town.replicas):
            self._at(random.random() * keep_s, "keep", number)
        self._at(random.expovariate(town.payments_s), "pay", 0)
        if town.deaths_s:
            self._at(random.expovariate(town.deaths_s), "die", 0)
        if town.counts_from_s:
            self._at(town.counts_from_s, "count", 0)
        while self._events:
            now, _, kind, number = heapq.heappop(self._events)
            if kind == "settle":
                self._settle(self.replicas[number])
            elif now < town.lasts_s:
                self._happen(now, kind, number, keep_s)
        return self.count

    def end(self) -> End:
        """The living leave; what the dead hold stays theirs."""
        counted = self.count.exchanges
        for replica in self.replicas:
            if replica.alive:
                self._give_back(replica, 0)
                self._exchange(replica, 0)
        self.count.exchanges = counted
        return End(self.settled, self.outstanding)

    def _happen(self, now: float, kind: str, number: int, keep_s: float) -> None:
        town, random = self.town, self._random
        if kind == "pay":
            self._pay(now, random.randrange(town.replicas))
            self._at(now + random.expovariate(town.payments_s), "pay", 0)
        elif kind == "keep":
            self._keep(self.replicas[number])
            self._at(now + keep_s, "keep", number)
        elif kind == "count":
            self.count = Count()
        else:
            self._die(self.replicas[random.randrange(town.replicas)])
            self._at(now + random.expovariate(town.deaths_s), "die", 0)

    def _at(self, moment: float, kind: str, number: int) -> None:
        heapq.heappush(self._events, (moment, next(self._order), kind, number))

    def _pay(self, now: float, number: int) -> None:
        replica = self.replicas[number]
        if not replica.alive:
            return
        if not replica.free:
            self._exchange(replica, 1)
        if not replica.free:
            self.count.refused += 1
            self.count.refused_early += self.free > 0
            return
        replica.reserved += 1
        self.free -= 1
        self.count.payments += 1
        self._at(now + self.town.in_flight_s, "settle", number)

    def _settle(self, replica: Replica) -> None:
        # What the dead had signed moves all the same; nobody tells the centre.
        replica.reserved -= 1
        replica.spent += 1

    def _keep(self, replica: Replica) -> None:
        if not replica.alive:
            return
        drawn = replica.reserved + replica.spent
        self._give_back(replica, self.town.slice_payments if drawn != replica.drawn_then else 0)
        replica.drawn_then = drawn
        has_news = replica.returned > replica.told_returned or replica.spent > replica.told_spent
        if has_news or replica.free:
            self.count.keeps += 1
            self._exchange(replica, 0)

    def _give_back(self, replica: Replica, keep: int) -> None:
        let_go = max(0, replica.free - keep)
        replica.returned += let_go
        self.free -= let_go

    def _exchange(self, replica: Replica, missing: int) -> None:
        """The centre hears what there is to tell, and adds what it may."""
        self.count.exchanges += 1
        self.outstanding -= replica.outstanding
        self.settled += replica.spent - replica.told_spent
        replica.told_spent, replica.told_returned = replica.spent, replica.returned
        left = self.town.cap - self.settled - self.outstanding - replica.outstanding
        more = enlarged(missing, self.town.slice_payments, left) or 0
        replica.granted += more
        self.free += more
        self.outstanding += replica.outstanding
        self.count.stranded_most = max(self.count.stranded_most, self.free)
        assert self.settled + self.outstanding <= self.town.cap, "slices are more than the cap"
        assert replica.free >= 0, "a replica has used more than it was given"

    def _die(self, replica: Replica) -> None:
        if replica.alive:
            replica.alive = False
            self.count.died += 1
            self.free -= replica.free
