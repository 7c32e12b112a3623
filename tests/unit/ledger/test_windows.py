"""Which windows a payment has to fit into, at each moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sidecar.ledger import windows
from sidecar.ledger.model import Budget, Window
from sidecar.ledger.windows import WindowKey
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.world.fakes import NOON

BUDGETS = tuple(Budget(window.name, Usdc(1_000), window) for window in Window)


def wanted(budgets: tuple[Budget, ...], at: datetime) -> dict[WindowKey, Budget]:
    found = windows.wanted(budgets, Usdc(1), at)
    assert not isinstance(found, Denied)
    return dict(found)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_at_each_moment(at: datetime) -> None:
    """A payment falls into the window that each of its budgets has at its own moment."""
    for moment in (at, at + timedelta(hours=1), at + timedelta(days=1)):
        keys = sorted((each.name, each.starts_at(moment) * 1000) for each in BUDGETS)

        assert keys == [*wanted(BUDGETS, moment)]


def test_last_of_an_hour() -> None:
    """The last microsecond of an hour is in its window, and the next one in the next."""
    budgets = (Budget("any", Usdc(1), Window.HOUR),)
    last = NOON + timedelta(hours=1) - timedelta(microseconds=1)
    starts = [
        starts_at
        for at in (NOON, last, last + timedelta(microseconds=1))
        for _, starts_at in wanted(budgets, at)
    ]
    noon_ms = int(NOON.timestamp()) * 1000

    assert [noon_ms, noon_ms, noon_ms + 3_600_000] == starts


def test_limit_of_now() -> None:
    """Budgets of the same names with other limits are others: a new limit counts at once."""
    before = (Budget("any", Usdc(5), Window.DAY),)
    after = (replace(before[0], limit=Usdc(3)),)
    found = [wanted(budgets, NOON) for budgets in (before, after, before)]

    assert [5, 3, 5] == [windows.cap(budget) for each in found for budget in each.values()]
