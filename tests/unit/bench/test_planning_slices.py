"""The simulated fleet: what it spends and holds adds up, whatever happens to its replicas."""

from __future__ import annotations

import pytest

from bench.planning_slices import Fleet, Town

TOWN = Town(replicas=50, payments_s=100.0, cap=100_000, slice_payments=20, lasts_s=120.0)


def changed(**changes: float) -> Town:
    """The town with something else about it."""
    values = {name: getattr(TOWN, name) for name in Town.__slots__}
    return Town(**{**values, **changes})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cap", [0, 1, 300, 5_000, 100_000])
@pytest.mark.parametrize("deaths_s", [0.0, 0.2])
def test_never_over_the_cap(seed: int, cap: int, deaths_s: float) -> None:
    """At no moment is more spent and held than the cap: the run looks after each exchange."""
    fleet = Fleet(changed(cap=cap, deaths_s=deaths_s), seed)
    fleet.run()
    end = fleet.end()

    assert end.spent + end.reserved <= cap


@pytest.mark.parametrize("deaths_s", [0.0, 0.2])
def test_all_is_told(deaths_s: float) -> None:
    """In the end the centre has every payment of the living, and keeps what the dead hold."""
    fleet = Fleet(changed(deaths_s=deaths_s), 1)
    count = fleet.run()
    end = fleet.end()
    held = sum(each.outstanding for each in fleet.replicas if not each.alive)

    assert sum(each.spent for each in fleet.replicas) == count.payments
    assert held == end.reserved
    assert sum(each.told_spent for each in fleet.replicas) == end.spent
    assert (deaths_s > 0) == (count.died > 0) == (held > 0)


def test_a_wide_budget_refuses_nobody() -> None:
    """Where there is room for all, every payment is made."""
    count = Fleet(TOWN, 1).run()

    assert 0 == count.refused
    assert 100 * 120 == pytest.approx(count.payments, rel=0.05)


def test_the_last_of_a_budget() -> None:
    """Refused while another replica holds what is lacking: counted, and never paid over the cap."""
    fleet = Fleet(changed(cap=500, slice_payments=100), 1)
    count = fleet.run()

    assert 0 < count.refused_early <= count.refused
    assert count.payments <= 500


def test_larger_slices_ask_less() -> None:
    """A larger slice means fewer exchanges, down to those that renew the lease."""
    counts = [Fleet(changed(slice_payments=size), 1).run() for size in (1, 10, 100)]

    assert counts[0].exchanges > 5 * counts[2].exchanges
    assert counts[2].exchanges < 2 * counts[2].keeps


def test_rare_payments_save_nothing() -> None:
    """A replica that pays once in a lease asks more often than it pays, whatever its slice."""
    count = Fleet(changed(payments_s=1.0, lasts_s=600.0), 1).run()

    assert count.exchanges > count.payments


def test_counted_from() -> None:
    """What happened before the counting is not counted, and is spent all the same."""
    fleet = Fleet(changed(counts_from_s=60.0), 1)
    count = fleet.run()

    assert 100 * 60 == pytest.approx(count.payments, rel=0.1)
    assert fleet.end().spent > 1.5 * count.payments
