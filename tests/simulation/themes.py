"""Worlds that one rule depends on, and that chance alone makes too seldom."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from sidecar.ledger.model import Budget, Window
from sidecar.money import Usdc
from tests.simulation.scenario import HORIZON_S, Call, Scenario, Trouble
from tests.world.vendor import AMOUNT

# How many of a hundred worlds each theme gets.
SHARE = 4
HALTED_S = 640.0
# Longer than an undelivered payment is waited for, after it is final.
FORGOTTEN_S = 1_000.0
# Longer than one look at a chain takes: within one, nothing but a second endpoint helps.
AWAY_S = 8.0
PLENTY = (Budget("route", Usdc(AMOUNT.atomic * 50), Window.TOTAL),)


def themed(made: Scenario, random: Random) -> Scenario:
    """The same world, or one with a theme."""
    themes = (
        _frozen_between,
        _late_nodes,
        _cuts,
        _long_halt,
        _full_disk,
        _mute_vendor,
        _sulking_vendor,
        _late_top_up,
        _led_away,
    )
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


def _full_disk(made: Scenario, random: Random) -> Scenario:
    """What comes in part cannot be let go of: the disk is full every other moment."""
    cut = _cuts(made, random)
    calls = tuple(replace(call, slot=0, key=None) for call in cut.calls)
    troubles, at_s = [], 0.0
    while at_s < HORIZON_S:
        full_s = at_s + 1 + random.random() * 2
        at_s = full_s + 1 + random.random() * 2
        troubles += [Trouble(full_s, "disk", 1.0), Trouble(at_s, "disk", 0.0)]
    return replace(cut, slots=1, calls=calls, dishonesty=1.0, troubles=tuple(troubles))


def _mute_vendor(made: Scenario, random: Random) -> Scenario:
    """A vendor serves by credit that it tells nobody of, and the credit is used up."""
    used_up_s = 25 + random.random() * 40
    return replace(
        _honest_vendor(made),
        mute=True,
        calls=_apart(made.calls, tuple(range(0, 100, 10))),
        troubles=(Trouble(used_up_s, "spend", 1.0),),
    )


def _sulking_vendor(made: Scenario, random: Random) -> Scenario:
    """A vendor shows the credit, and refuses all the same."""
    return replace(
        _honest_vendor(made),
        mute=False,
        calls=_apart(made.calls, tuple(range(0, 100, 10))),
        troubles=(Trouble(0.0, "sulk", 1.0), Trouble(random.random() * 100, "sulk", 0.0)),
    )


def _late_top_up(made: Scenario, random: Random) -> Scenario:
    """A top-up is paid, late or at once, and answered for by nobody; then all are long away."""
    return replace(
        _honest_vendor(made),
        dishonesty=1.0,
        moves=("now", "later"),
        answers=("hang", "500"),
        finality_s=2,
        late_s=None,
        calls=_apart(made.calls, (0.0, 2.0, FORGOTTEN_S, FORGOTTEN_S + 60)),
        troubles=(),
        rpcs=1,
        liar=False,
        forgets_s=0,
        recovery_s=60.0,
        dies_at=(0,) * len(made.dies_at),
        breaker=replace(made.breaker, undelivered_max=5),
    )


def _led_away(made: Scenario, random: Random) -> Scenario:
    """While what is paid is looked for, the endpoint becomes another network's."""
    calls = tuple(
        replace(made.calls[0], starts_s=float(starts_s), tries=1, body=b"%d" % starts_s, key=None)
        for starts_s in range(0, 90, 5)
    )
    troubles = []
    for turn in range(8):
        at_s = turn * 2 * AWAY_S + random.random() * AWAY_S
        troubles += [Trouble(at_s, "misroute", 1.0), Trouble(at_s + AWAY_S, "misroute", 0.0)]
    return replace(
        _on_solana(made),
        calls=calls,
        troubles=_in_order(troubles),
        dates=False,
        answers=("hang", "500"),
        moves=("later", "never"),
        recovery_s=5.0,
        keeps_memos=True,
        budgets=PLENTY,
    )


def _honest_vendor(made: Scenario) -> Scenario:
    """It takes what it is paid and credits it at once, and there is money for many times."""
    return replace(
        made,
        prepaid=True,
        solana=False,
        dates=False,
        dishonesty=0.0,
        late_s=0.0,
        low_water=False,
        budgets=PLENTY,
    )


def _apart(calls: tuple[Call, ...], at_s: tuple[float, ...]) -> tuple[Call, ...]:
    """The first of them, tried once at each of these moments."""
    return tuple(replace(calls[0], starts_s=start_s, tries=1, patience_s=30.0) for start_s in at_s)


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
