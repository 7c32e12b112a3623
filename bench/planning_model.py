"""What a database sees of a fleet: measured costs times how often each of them comes.

Nothing here is measured. ``Costs`` are what one thing costs, ``Fleet`` is how many of it there are.
"""

from __future__ import annotations

from dataclasses import dataclass

# A share of its time that a row, or a core, can be busy before those who wait get many.
BUSY_MAX = 0.7
SERVER_CORES = 64


@dataclass(frozen=True, slots=True)
class Each:
    """What one of something costs the database."""

    transactions: float = 0.0
    statements: float = 0.0
    log_bytes: float = 0.0
    cpu_s: float = 0.0

    def times(self, often: float) -> Each:
        """So many of them."""
        return Each(
            self.transactions * often,
            self.statements * often,
            self.log_bytes * often,
            self.cpu_s * often,
        )

    def plus(self, other: Each) -> Each:
        """Both."""
        return Each(
            self.transactions + other.transactions,
            self.statements + other.statements,
            self.log_bytes + other.log_bytes,
            self.cpu_s + other.cpu_s,
        )


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured."""

    payment: Each  # paid from the database's own books
    exchange: Each  # of a slice
    beat: Each  # of an instance's lease
    look: Each  # one pass of the recovery over books with nothing open
    row_cpu_s: float  # for each payment that such a pass is shown
    wake_cpu_s: float  # for each connection that is told of a top-up
    connection_bytes: float
    round_trips: float  # of one payment
    commit_s: float
    # For how many round trips one payment, or exchange, keeps others from its window.
    hot_round_trips: float
    exchange_round_trips: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who is there, and how often each does something."""

    replicas: int
    callers: int
    payments_s: float
    hot_share: float  # of all payments, on one budget
    in_flight_s: float = 1.0
    lease_s: float = 15.0
    recovery_s: float = 15.0
    top_ups_s: float = 1.0
    round_trip_s: float = 0.0005  # between a replica and the database
    exchanges_s: float = 0.0  # of all slices, as simulated; 0: there are none
    hot_exchanges_s: float = 0.0  # of the one budget's


@dataclass(frozen=True, slots=True)
class Load:
    """What the database does in a second."""

    payments: Each
    exchanges: Each
    beats: Each
    looks: Each
    wakes: Each
    hot_busy: float  # the part of its time for which the busiest window is taken
    rows_shown_s: float  # of payments in flight, to recoveries; each asks the chain about each

    @property
    def all(self) -> Each:
        """Everything."""
        total = self.payments
        for part in (self.exchanges, self.beats, self.looks, self.wakes):
            total = total.plus(part)
        return total

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why this does not fit; none where it does."""
        found = []
        if self.hot_busy > BUSY_MAX:
            found.append(f"the one window ({self.hot_busy:.1f} of its time)")
        if self.all.cpu_s > BUSY_MAX * SERVER_CORES:
            found.append(f"the server's CPU ({self.all.cpu_s:.0f} cores)")
        return tuple(found)


def load(fleet: Fleet, costs: Costs) -> Load:
    """A second of this fleet."""
    leased = fleet.exchanges_s > 0
    direct_s = 0.0 if leased else fleet.payments_s
    if leased:
        hot_s = costs.commit_s + costs.exchange_round_trips * fleet.round_trip_s
        hot_busy = fleet.hot_exchanges_s * hot_s
    else:
        hot_busy = fleet.payments_s * fleet.hot_share * window_s(costs, fleet.round_trip_s)
    looks_s = fleet.replicas / fleet.recovery_s
    rows_s = looks_s * direct_s * fleet.in_flight_s
    return Load(
        payments=costs.payment.times(direct_s),
        exchanges=costs.exchange.times(fleet.exchanges_s),
        # An instance tells three times in the length of its lease that it lives.
        beats=costs.beat.times(fleet.replicas * 3 / fleet.lease_s),
        looks=costs.look.times(looks_s).plus(Each(cpu_s=rows_s * costs.row_cpu_s)),
        wakes=Each(cpu_s=fleet.top_ups_s * fleet.replicas * costs.wake_cpu_s),
        hot_busy=hot_busy,
        rows_shown_s=rows_s,
    )


def window_s(costs: Costs, round_trip_s: float) -> float:
    """How long one payment, from books at this distance, keeps others from its window.

    It raises it, and lowers it again: each time until its commit.
    """
    return 2 * costs.commit_s + costs.hot_round_trips * round_trip_s
