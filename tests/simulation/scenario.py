"""What a seed is: who there is, what they are like, and what goes wrong and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from sidecar.ledger.model import Breaker, Budget, Window
from sidecar.money import Usdc
from tests.world.vendor import AMOUNT

PRICE = Usdc(10_000)
# How the money moves: now, so many seconds later, or never.
MOVES = ("now", "now", "later", "never")
# What is said about it. The number is a status; a + says that it carries a receipt of success.
ANSWERS = (
    *("200+", "200+", "200", "200-", "500", "503", "504", "402", "402-", "408", "409", "425"),
    *("429", "400", "404", "500+", "hang", "reset", "cut", "drip"),
)
HORIZON_S, LONG_S = 60.0, 1_500.0
MISROUTED_S = 60.0
AHEAD_S = (0.0, 0.0, 3.0, -3.0, 12.0, -12.0)


PASSING = frozenset(
    {"rpc", "disk", "slow disk", "jump", "sulk", "freeze", "halt", "misroute", "lag"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """What its app believes is one call, and how patient the app is."""

    slot: int
    caller: str
    body: bytes
    key: str | None  # its Idempotency-Key
    starts_s: float
    patience_s: float
    tries: int
    roams: float  # how often a retry goes to another address

    @property
    def group(self) -> str:
        """What nobody outside can tell from this call."""
        return f"{self.caller} {'key ' + self.key if self.key else self.body.decode()}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that happens at a moment; with the number 0 it is over.

    ``kind``: kill, jump (a wall clock, seconds), rpc (down), lag (of the chain's nodes,
    seconds), disk and slow disk (how many commits), spend (a vendor's credit is used up),
    sulk (a vendor serves nobody), freeze (by the operator), halt (of a Solana cluster),
    misroute (an endpoint answers for another network), dust (into our token account).
    """

    at_s: float
    kind: str
    number: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world."""

    slots: int
    prepaid: bool
    solana: bool
    calls: tuple[Call, ...]
    troubles: tuple[Trouble, ...]
    dies_at: tuple[int, ...]  # after how many moments each life ends; 0: by itself never
    budgets: tuple[Budget, ...]
    breaker: Breaker
    dishonesty: float
    answers: tuple[str, ...]
    moves: tuple[str, ...]
    stubborn: bool  # the seller treats every presentation of one payment alike
    replays: bool
    rpcs: int
    liar: bool
    finality_s: int
    drift: float
    ahead_s: float  # of the machine's one clock
    chain_ahead_s: float
    unsure_disk: float
    dictates_memo: bool
    dates: bool  # the seller names the blockhash, and our wallet has no endpoint
    forgets_s: int
    keeps_memos: bool
    recovery_s: float
    late_s: float | None
    mute: bool
    dawdles: bool
    low_water: bool


def scenario(random: Random) -> Scenario:
    """The world of a seed."""
    slots = random.choice((1, 1, 1, 2, 2, 3))
    prepaid = random.random() < 0.35
    solana = not prepaid and random.random() < 0.45
    amount = AMOUNT if prepaid else PRICE
    often = random.choice((1, 2, 3, 5, 50, 50, 50))
    window = random.choice((Window.HOUR, Window.DAY, Window.TOTAL))
    budgets = [Budget("route", Usdc(amount.atomic * often), window)]
    if random.random() < 0.3:
        budgets.append(Budget("purse", Usdc(amount.atomic * often + 1), Window.DAY))
    # Some vendors are lived with for longer than an undelivered payment is waited for.
    horizon_s = LONG_S if prepaid and random.random() < 0.2 else HORIZON_S
    rpcs = random.choice((0, 1, 1, 1, 1, 2, 2))
    return Scenario(
        slots=slots,
        prepaid=prepaid,
        solana=solana,
        calls=_calls(random, slots, prepaid, horizon_s),
        troubles=(*_bad_disk(random), *_troubles(random, prepaid, solana)),
        dies_at=tuple(random.choice((0, 0, random.randint(1, 60))) for _ in range(8)),
        budgets=tuple(budgets),
        breaker=Breaker(random.choice((1, 5, 5)), timedelta(days=1)),
        dishonesty=random.choice((0.0, 0.2, 0.5, 0.8, 1.0)),
        answers=ANSWERS,
        moves=MOVES,
        stubborn=random.random() < 0.4,
        replays=random.random() < 0.7,
        rpcs=rpcs,
        liar=rpcs == 2 and random.random() < 0.5,
        finality_s=random.choice((2, 2, 20, 64)),
        drift=random.choice((0.0, 0.0, 0.0, 0.01, -0.01)),
        ahead_s=random.choice(AHEAD_S),
        chain_ahead_s=random.choice((0.0, 0.0, 0.0, 2.0, -2.0, 12.0, -12.0, 40.0)),
        unsure_disk=random.choice((0.0, 0.0, 0.5)),
        dictates_memo=random.random() < 0.2,
        dates=solana and (rpcs == 0 or random.random() < 0.2),
        forgets_s=random.choice((0, 0, 0, 0, 100)),
        keeps_memos=random.random() < 0.8,
        recovery_s=60.0 if horizon_s > HORIZON_S else random.choice((5.0, 15.0, 30.0)),
        late_s=random.choice((0.0, 0.0, 2.0, 30.0, None)),
        mute=random.random() < 0.2,
        dawdles=random.random() < 0.5,
        low_water=random.random() < 0.3,
    )


def _calls(random: Random, slots: int, prepaid: bool, horizon_s: float) -> tuple[Call, ...]:
    """A few apps; some say the same thing twice, some name their purchases."""
    calls = []
    for app in range(random.randint(1, 3)):
        caller = random.choice((f"app{app}", f"app{app}", "shared"))
        slot = random.randrange(slots)
        patience_s = random.choice((0.05, 0.5, 2.0, 8.0, 25.0, 60.0))
        tries = random.choice((1, 3, 3, 3, 6))
        roams = random.choice((0.0, 0.0, 0.5))
        habit = random.random()
        for number in range(random.randint(1, 6 if prepaid else 3)):
            same = random.random() < 0.4
            body = "again" if same else f"{app}-{number}"
            key = None
            if habit < 0.35:
                key = "named" if random.random() < 0.4 else f"{app}-{number}"
            starts_s = random.choice((0.0, random.random(), random.random() * horizon_s))
            calls.append(Call(slot, caller, body.encode(), key, starts_s, patience_s, tries, roams))
    return tuple(calls)


def _bad_disk(random: Random) -> tuple[Trouble, ...]:
    """Some machines have a disk that fails now and then, and is slow, from beginning to end."""
    if random.random() < 0.7:
        return ()
    slow = random.choice((0.0, 0.2, 0.5))
    return Trouble(0.0, "disk", random.choice((0.1, 0.3))), Trouble(0.0, "slow disk", slow)


def _troubles(random: Random, prepaid: bool, solana: bool) -> tuple[Trouble, ...]:
    kinds = ["kill", "kill", "jump", "rpc", "rpc", "lag", "disk", "slow disk", "freeze", "freeze"]
    if prepaid:
        kinds += ["spend"] * 6 + ["sulk"] * 3
    kinds.append("misroute")
    if solana:
        kinds += ["halt", "misroute", "dust"]
    troubles = []
    for _ in range(random.choice((0, 1, 2, 4, 7))):
        kind, at_s = random.choice(kinds), random.random() * HORIZON_S * random.choice((0.05, 1))
        number = random.choice((0.1, 0.5, 1.0))
        if kind == "jump":
            number = random.choice((5.0, 40.0, 200.0, 700.0, 3600.0)) * random.choice((1, -1))
        if kind == "lag":
            number = random.choice((5.0, 25.0, 60.0))
        troubles.append(Trouble(at_s, kind, number))
        if kind == "dust":
            number = random.choice((1.0, 3.0, 120.0))
        if kind in PASSING:
            lasts_s = random.choice((0.5, 5.0, 60.0))
            # There and back within one look at a chain: only a second endpoint helps.
            ends_s = at_s + (MISROUTED_S if kind == "misroute" else lasts_s)
            troubles.append(Trouble(ends_s, kind, 0.0))
    return tuple(sorted(troubles, key=lambda trouble: trouble.at_s))
