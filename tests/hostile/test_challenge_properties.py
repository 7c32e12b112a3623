"""Hostile sellers beyond the named ones: honest challenges, damaged at random.

``SIDECAR_HOSTILE_EXAMPLES``: how many in all, 5,000 unless it says otherwise; 200,000 take
some half an hour of one core. They are drawn in rounds, each from a seed of its own, because
hypothesis remembers what it has drawn: so what memory grows from round to round is ours.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.judge import violations
from tests.hostile.mutations import ON_EVM, ON_SOLANA, SIGN_INS, Answer, answers
from tests.hostile.reading import sound_offers
from tests.hostile.victims import VICTIMS, Victim, meet

EXAMPLES = int(os.environ.get("SIDECAR_HOSTILE_EXAMPLES", "5000"))
ROUND = 5_000
# What a round may leave behind is nothing; this is for an allocator that has not settled.
KILOBYTES_GROWN_MAX = 64 * 1024
EVM_VICTIMS = tuple(victim for victim in VICTIMS if "Solana" not in victim.name)
SOLANA_VICTIMS = tuple(victim for victim in VICTIMS if "Solana" in victim.name)
MEMBERS = VICTIMS[:4]


@pytest.mark.parametrize(
    ("bases", "victims", "share"),
    [
        pytest.param(ON_EVM, EVM_VICTIMS, 0.5, id="EVM"),
        pytest.param(ON_SOLANA, SOLANA_VICTIMS, 0.25, id="Solana"),
        pytest.param(SIGN_INS, MEMBERS, 0.25, id="sign-ins"),
    ],
)
def test_damaged(bases: tuple[Any, ...], victims: tuple[Victim, ...], share: float) -> None:
    """No damage to a challenge makes a route sign outside of its rules, or fall over, or grow."""
    wanted = int(EXAMPLES * share)
    seen: Counter[str] = Counter()
    held: list[int] = []
    for size in _rounds(wanted):
        _round(size, bases, victims, seen)
        held.append(_kilobytes())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\n{dict(seen)} in {len(held)} rounds; resident after the first {held[0]} KiB, after "
          f"the last {held[-1]} KiB; at most, with all before, {peak} KiB")  # fmt: skip

    assert wanted <= seen["answers"]
    # Else the damage was such that nobody could have been paid at all.
    assert seen["payments"] + seen["sign_ins"] > seen["answers"] // 50
    assert held[-1] - held[0] <= KILOBYTES_GROWN_MAX


def _rounds(wanted: int) -> Iterator[int]:
    while wanted > 0:
        yield min(ROUND, wanted)
        wanted -= ROUND


def _round(
    size: int, bases: tuple[Any, ...], victims: tuple[Victim, ...], seen: Counter[str]
) -> None:
    """Judge so many damaged answers, and count them."""

    @settings(
        max_examples=size,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(answers(bases), st.sampled_from(victims))
    def judge(answer: Answer, victim: Victim) -> None:
        meeting = meet(victim, answer.reply)
        layered = "x402layer" in victim.name
        sound = sound_offers(answer.document, with_defaults=layered)
        seen.update(
            answers=1,
            payments=len(meeting.payments),
            sign_ins=len(meeting.sign_ins),
            sound=bool(sound),
        )

        assert [] == violations(victim, meeting, sound)

    judge()


def _kilobytes() -> int:
    """What this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024
