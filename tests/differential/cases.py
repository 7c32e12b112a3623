"""Requests and answers by a seed: ordinary, odd and hostile, split wherever bytes can be split."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.differential.answering import Script, answer, challenge, receipt
from tests.differential.asking import PAID, PAID_BY_MEMBERS, PLACES, TARGETS, again, request
from tests.differential.dice import Dice


@dataclass(frozen=True)
class Case:
    """One connection of an app.

    ``answers``: how many it waits for before it sends the next ``part``, and ends; a connection
    that is closed on it ends it too. ``paid``: what is said to requests that carry a payment.
    """

    seed: int
    parts: tuple[tuple[tuple[bytes, ...], int], ...]
    scripts: tuple[Script, ...]
    paid: tuple[Script, ...]
    methods: tuple[str, ...]


def make_case(seed: int) -> Case:
    """The case of this seed."""
    dice = Dice(seed)
    count = dice.random.choice((1, 1, 2, 3, 4))
    place = dice.one(*PLACES)
    made = [request(dice, place)]
    for _ in range(count - 1):
        data, method = made[-1]
        made.append((again(dice, data), method) if dice.often(60) else request(dice, place))
    methods = tuple(method for _, method in made)
    wants_money = 50 if place in {PAID, PAID_BY_MEMBERS} else 5 if place != TARGETS[0] else 0
    for_members = place.startswith(b"/member/")
    joined = count > 1 and dice.often(25)
    scripts = tuple(
        challenge(dice)
        if dice.often(wants_money)
        else answer(dice, for_members=for_members, asked_again=for_members or joined)
        for _ in range(count * 3)
    )
    paid = tuple(receipt(dice) for _ in range(count * 3)) if wants_money else ()
    if joined:
        whole = b"".join(data for data, _ in made)
        starts = tuple(sum(len(data) for data, _ in made[:number]) for number in range(count))
        pieces = dice.split(whole, starts)
        if dice.often(50):
            # Each sent ahead of the answers to those before it, in segments of its own.
            pieces = tuple(piece for data, _ in made for piece in dice.split(data))
        parts: tuple[tuple[tuple[bytes, ...], int], ...] = ((pieces, count),)
        late = dice.random.choice((0, 3, 8))
        scripts = tuple(replace(script, late=late) for script in scripts)
    else:
        parts = tuple((dice.split(data), number + 1) for number, (data, _) in enumerate(made))
    return Case(seed, parts, scripts, paid, methods)


def without_delay(case: Case) -> Case:
    """The same, of an upstream that answers at once."""
    scripts = tuple(replace(script, late=0) for script in case.scripts)
    return replace(case, scripts=scripts)
