"""Hostile sellers: every named answer at every route, and what may be signed for it.

Each case goes the whole way from the 402 to a signature, by each provider, with each kind of
wallet; the judge decodes what was signed by other libraries than those that signed.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest

from tests.hostile.case import Case
from tests.hostile.cases import CASES
from tests.hostile.judge import expected, paid, violations
from tests.hostile.victims import VICTIMS, Victim, meet

MEMORY_BYTES_MAX = 64 * 1024 * 1024
NAMES = [case.name for case in CASES]
# Those who sign in where a seller asks for it.
MEMBERS = VICTIMS[:5]
SURE = [victim for victim in VICTIMS if victim.sure]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_nothing_outside_the_rules(case: Case) -> None:
    """No route signs anything for this answer but what its rules and the answer both allow."""
    found = {}
    for victim in VICTIMS:
        wrong = violations(victim, meet(victim, case.reply), case.sound)
        if wrong:
            found[victim.name] = wrong

    assert {} == found


@pytest.mark.parametrize("victim", SURE, ids=[victim.name for victim in SURE])
def test_sound_offers_are_paid(victim: Victim) -> None:
    """The cheapest sound offer that the rules allow is paid, whatever stands around it."""
    cases = [case for case in CASES if case.everywhere]
    ours = {case.name: expected(victim, case) for case in cases}
    theirs = {case.name: paid(meet(victim, case.reply), case) for case in cases}

    assert ours == theirs


def test_sign_ins() -> None:
    """Members' sellers get a sign-in only where it speaks to them, about now, in plain text."""
    cases = [case for case in CASES if case.theme in ("sign-in", "welcome")]
    wanted = {
        (case.name, victim.name): int(case.theme == "welcome" and victim in MEMBERS)
        for case in cases
        for victim in VICTIMS
    }
    given = {
        (case.name, victim.name): len(meet(victim, case.reply).sign_ins)
        for case in cases
        for victim in VICTIMS
    }

    assert wanted == given


def test_memory() -> None:
    """No answer makes a route take more memory than a few times its bounds."""
    peaks: Counter[str] = Counter()
    tracemalloc.start()
    try:
        for case in CASES:
            for victim in VICTIMS[:1] + VICTIMS[8:9]:
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
                meet(victim, case.reply)
                _, peak = tracemalloc.get_traced_memory()
                peaks[case.name] = max(peaks[case.name], peak - before)
    finally:
        tracemalloc.stop()
    [(name, peak)] = peaks.most_common(1)
    print(f"the most memory: {peak / 1e6:.1f} MB, for {name!r}")

    assert peak <= MEMORY_BYTES_MAX


def test_enough_cases() -> None:
    """There are at least a hundred cases, no two of one name, and some may not be signed at all."""
    themes = Counter(case.theme for case in CASES)
    print(f"{len(CASES)} cases: {dict(themes)}")

    assert len(CASES) >= 100
    assert len(set(NAMES)) == len(CASES)
    assert sum(not case.sound for case in CASES) >= 100
