"""Worlds that one rule depends on, and that chance alone makes too seldom."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.simulation.scenario import Call, Scenario, Trouble

# How many of a hundred worlds each theme gets.
SHARE = 4
HALTED_S = 640.0


def themed(made: Scenario, random: Random) -> Scenario:
    """The same world, or one with a theme."""
    themes = (_frozen_between, _late_nodes, _cuts, _long_halt)
    place = random.randrange(100) // SHARE
    return themes[place](made, random) if place < len(themes) else made


def _frozen_between(made: Scenario, random: Random) -> Scenario:
    """Frozen for a moment, while the disk is slow: between one commit of a payment and the next."""
    troubles = [Trouble(0.0, "slow disk", 1.0)]
    for _ in range(6):
        at_s = random.random() * 20
        troubles += [Trouble(at_s, "freeze", 1.0), Trouble(at_s + 3.0, "freeze", 0.0)]
    return replace(made, prepaid=False, troubles=_in_order(troubles))


def _late_nodes(made: Scenario, random: Random) -> Scenario:
    """What is paid late is asked of a Solana cluster some of whose nodes are a minute behind."""
    return replace(
        _on_solana(made),
        troubles=(Trouble(0.0, "lag", 60.0),),
        calls=_once(made.calls, until_s=90.0),
        dates=False,
        answers=("hang", "500"),
        moves=("later",),
        finality_s=2,
    )


def _cuts(made: Scenario, random: Random) -> Scenario:
    """Whatever is paid for comes in part, and is asked for again."""
    calls = tuple(
        replace(call, tries=6, patience_s=random.choice((3.0, 25.0))) for call in made.calls
    )
    return replace(
        made,
        prepaid=False,
        calls=calls,
        dishonesty=0.5,
        answers=("cut", "drip"),
        moves=("now",),
        stubborn=False,
    )


def _long_halt(made: Scenario, random: Random) -> Scenario:
    """A Solana cluster stands still for longer than a seller's blockhash lives, and goes on."""
    return replace(
        _on_solana(made),
        troubles=(Trouble(2.0, "halt", 1.0), Trouble(HALTED_S, "halt", 0.0)),
        calls=_once(made.calls, until_s=HALTED_S + 60),
        dates=True,
        answers=("hang", "500"),
        moves=("later", "never"),
        finality_s=2,
        recovery_s=15.0,
    )


def _on_solana(made: Scenario) -> Scenario:
    return replace(
        made, prepaid=False, solana=True, rpcs=1, liar=False, forgets_s=0, dishonesty=1.0
    )


def _once(calls: tuple[Call, ...], until_s: float) -> tuple[Call, ...]:
    """Each is tried once, at the beginning; and one keeps the world going until then."""
    first = tuple(replace(call, starts_s=0.0, tries=1) for call in calls)
    return *first, replace(first[0], starts_s=until_s, body=b"the last", key=None)


def _in_order(troubles: list[Trouble]) -> tuple[Trouble, ...]:
    return tuple(sorted(troubles, key=lambda trouble: trouble.at_s))
