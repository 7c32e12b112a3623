"""The plan's arithmetic: a cost times how often it comes, and what is in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.planning_model import Costs, Each, Fleet, load, window_s

COSTS = Costs(
    payment=Each(5, 50, 4_000, 0.005),
    exchange=Each(1, 20, 600, 0.002),
    beat=Each(1, 6, 100, 0.001),
    look=Each(4, 24, 0, 0.001),
    row_cpu_s=0.00001,
    wake_cpu_s=0.00005,
    connection_bytes=1_000_000,
    round_trips=10,
    commit_s=0.001,
    hot_round_trips=1,
    exchange_round_trips=2,
)
FLEET = Fleet(
    replicas=1_500, callers=100_000, payments_s=200, hot_share=0.5, round_trip_s=0.002, top_ups_s=2
)


def test_direct() -> None:
    """Without leases each payment is the database's: its moves, and its part of the one window."""
    found = load(FLEET, COSTS)

    assert Each(1_000, 10_000, 800_000, 1.0) == found.payments
    assert Each() == found.exchanges
    assert pytest.approx(100 * (2 * 0.001 + 0.002)) == found.hot_busy


def test_leases() -> None:
    """With leases the database sees exchanges, and no payment."""
    found = load(replace(FLEET, exchanges_s=50, hot_exchanges_s=20), COSTS)

    assert Each() == found.payments
    assert Each(50, 1_000, 30_000, 0.1) == found.exchanges
    assert pytest.approx(20 * (0.001 + 2 * 0.002)) == found.hot_busy
    assert 0 == found.rows_shown_s


def test_what_comes_without_payments() -> None:
    """Heartbeats, recoveries and wakes come by the number of replicas."""
    found = load(FLEET, COSTS)

    assert 1_500 * 3 / 15 == found.beats.transactions
    assert 1_500 / 15 * 4 == found.looks.transactions
    assert 1_500 / 15 * 200 == found.rows_shown_s
    assert pytest.approx(100 * 0.001 + 20_000 * 0.00001) == found.looks.cpu_s
    assert pytest.approx(2 * 1_500 * 0.00005) == found.wakes.cpu_s


def test_all() -> None:
    """The whole is the sum of its parts."""
    found = load(replace(FLEET, exchanges_s=1, hot_exchanges_s=1), COSTS)
    parts = (found.payments, found.exchanges, found.beats, found.looks, found.wakes)

    assert sum(part.transactions for part in parts) == found.all.transactions
    assert sum(part.log_bytes for part in parts) == found.all.log_bytes
    assert pytest.approx(sum(part.cpu_s for part in parts)) == found.all.cpu_s


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ()),
        ({"hot_share": 1.0}, ("the one window (0.8 of its time)",)),
        ({"hot_share": 0.0, "payments_s": 15_000}, ("the server's CPU (91 cores)",)),
    ],
    ids=["fits", "window", "cores"],
)
def test_obstacles(changes: dict[str, float], words: tuple[str, ...]) -> None:
    """A window or a server that is busy most of its time is named."""
    assert words == load(replace(FLEET, **changes), COSTS).obstacles  # type: ignore[arg-type]


def test_distance() -> None:
    """The further away the books, the longer a payment keeps its window."""
    assert pytest.approx(0.002) == window_s(COSTS, 0.0)
    assert pytest.approx(0.012) == window_s(COSTS, 0.01)
