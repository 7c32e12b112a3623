"""Hostile sellers beyond the named ones: honest challenges, damaged at random.

``SIDECAR_HOSTILE_EXAMPLES``: how many in all, 5,000 unless it says otherwise; 200,000 take
some half an hour of one core.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.judge import violations
from tests.hostile.mutations import ON_EVM, ON_SOLANA, SIGN_INS, Answer, answers
from tests.hostile.reading import sound_offers
from tests.hostile.victims import VICTIMS, Victim, meet

EXAMPLES = int(os.environ.get("SIDECAR_HOSTILE_EXAMPLES", "5000"))
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
    """No damage to a challenge makes a route sign outside of its rules, or fall over."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=int(EXAMPLES * share),
        deadline=None,
        database=None,
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
    print(f"{dict(seen)}")

    assert int(EXAMPLES * share) <= seen["answers"]
    # Else the damage was such that nobody could have been paid at all.
    assert seen["payments"] + seen["sign_ins"] > seen["answers"] // 50
