"""The arithmetic of slices: what is added to one, what a report changes, how a use is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import LedgerError
from sidecar.ledger.slices import (
    SHARE,
    LeaseTerms,
    Report,
    Slice,
    enlarged,
    heard,
    seen_from_within,
)
from sidecar.ledger.sqlite_slices import Held
from sidecar.money import Usdc
from sidecar.refusal import BudgetUse

WINDOW = ("day", 0)
AMOUNTS = st.integers(0, 10**6)


@given(missing=AMOUNTS, size=AMOUNTS, left=st.integers(-(10**6), 10**6))
def test_what_is_added(missing: int, size: int, left: int) -> None:
    """What is missing always, where there is room; more only up to the size and a share of it."""
    more = enlarged(missing, size, left)

    assert (missing > left or left < 0) == (more is None)
    if more is not None:
        assert missing <= more <= left
        assert more <= max(missing, size)
        assert more == missing or more <= left // SHARE


@pytest.mark.parametrize(
    ("more", "missing", "size", "left"),
    [
        (10, 1, 10, 100),  # a whole slice, where an eighth of what is left is more
        (5, 1, 10, 40),  # an eighth, where it is less
        (30, 30, 10, 40),  # what a payment lacks, however large
        (1, 1, 10, 1),  # the last unit
        (None, 2, 10, 1),
        (0, 0, 10, 100),  # nothing is missing
        (0, -3, 10, 100),  # asked a second time
        (None, 0, 10, -1),  # the cap was lowered below what is gone
    ],
)
def test_examples_of_what_is_added(more: int | None, missing: int, size: int, left: int) -> None:
    """A slice grows by its size, an eighth of what is left, or what a payment lacks."""

    assert more == enlarged(missing, size, left)


@given(st.data())
def test_reports_in_any_order(data: st.DataObject) -> None:
    """Whatever reports are lost, late, or told twice, the centre counts what is used at least."""
    granted = data.draw(st.integers(0, 50))
    told, returned, spent = [Report(WINDOW, granted, 0, 0)], 0, 0
    for _ in range(data.draw(st.integers(0, 5))):
        room = granted - returned - spent
        returned += data.draw(st.integers(0, room))
        spent += data.draw(st.integers(0, granted - returned - spent))
        told.append(Report(WINDOW, granted, returned, spent))
    known = Slice(WINDOW, granted, 0, 0)
    before = known.outstanding
    for report in data.draw(st.lists(st.sampled_from(told), max_size=10)):
        known = heard(known, report)

        assert known.outstanding <= before
        before = known.outstanding
    # What the replica may still have in use, and what the centre keeps for it beside what moved.
    assert granted - returned - known.settled <= known.outstanding


@pytest.mark.parametrize(
    "report",
    [
        Report(WINDOW, 11, 0, 0),  # the centre forgot what it granted
        Report(WINDOW, 10, 6, 5),  # more than there ever was
    ],
)
def test_reports_that_cannot_be_true(report: Report) -> None:
    """A report that does not fit to what was granted changes nothing and is refused."""
    with pytest.raises(LedgerError, match='the slice of budget "day" is further than the centre'):
        heard(Slice(WINDOW, 10, 1, 1), report)


def test_seen_from_within() -> None:
    """A replica sees its own payments in place of its slice, and everybody else's as they are."""
    use = BudgetUse("day", Usdc(100), Usdc(20), Usdc(50), None)
    own = Slice(WINDOW, granted=30, returned=5, settled=10)

    seen = seen_from_within(use, own, Held(WINDOW, 100, 30, 5, reserved=3, spent=12, has_news=True))

    assert BudgetUse("day", Usdc(100), Usdc(22), Usdc(38), None) == seen
    assert Usdc(10) == seen.held


def test_a_lease_is_used_for_less() -> None:
    """A holder stops a tenth before its time is over, as two clocks may run at two speeds."""

    assert 54 == pytest.approx(LeaseTerms(Usdc(1), 60.0).usable_s)
