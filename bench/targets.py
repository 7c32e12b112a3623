"""The targets: what the sidecar has to reach, what it hopes for, and what it did in this run.

Every bound is here and nowhere else. A target may have several parts; it has reached what all of
them have.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from bench.field import Book
from bench.figures import (
    BARE,
    DIRECT,
    LITELLM,
    MICRO,
    NAIVE,
    NGINX,
    NODE,
    SIDECAR,
    added_beside,
    beside,
    number,
    ratio,
)

Taken = Callable[[Book], float | None]


class Reached(IntEnum):
    """How far; the least of its parts is the whole's."""

    NOT_MEASURED = 0
    MISSED = 1
    GATE = 2
    STRETCH = 3

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Bound:
    """One figure, and what it has to be: at least, or at most."""

    gate: float
    stretch: float
    taken: Taken
    least: bool = False

    def reached(self, value: float | None) -> Reached:
        """What this value has reached."""
        if value is None:
            return Reached.NOT_MEASURED
        sign = 1 if self.least else -1
        if sign * value >= sign * self.stretch:
            return Reached.STRETCH
        return Reached.GATE if sign * value >= sign * self.gate else Reached.MISSED


def at_least(gate: float, stretch: float, taken: Taken) -> Bound:
    """More is better."""
    return Bound(gate, stretch, taken, least=True)


def at_most(gate: float, stretch: float, taken: Taken) -> Bound:
    """Less is better."""
    return Bound(gate, stretch, taken)


@dataclass(frozen=True, slots=True)
class Target:
    """What is measured, and its bounds in the same order."""

    what: str
    bounds: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, and its figures in one run."""

    target: Target
    figures: tuple[float | None, ...]

    @property
    def parts(self) -> tuple[Reached, ...]:
        """What each figure has reached."""
        pairs = zip(self.target.bounds, self.figures, strict=True)
        return tuple(bound.reached(value) for bound, value in pairs)

    @property
    def reached(self) -> Reached:
        """What all of them have."""
        return min(self.parts)

    def line(self) -> str:
        """Its row of the table; where the parts differ, it says which is which."""
        bounds = self.target.bounds
        words = [str(part) for part in self.parts]
        cells = (
            self.target.what,
            "; ".join(number(bound.gate) for bound in bounds),
            "; ".join(number(bound.stretch) for bound in bounds),
            "; ".join(map(number, self.figures)),
            words[0] if len(set(words)) == 1 else "; ".join(words),
        )
        return f"| {' | '.join(cells)} |"

    def as_document(self) -> dict[str, object]:
        """For figures.json."""
        return {
            "what": self.target.what,
            "gate": [bound.gate for bound in self.target.bounds],
            "stretch": [bound.stretch for bound in self.target.bounds],
            "figures": list(self.figures),
            "parts": [str(part) for part in self.parts],
            "reached": str(self.reached),
        }


def _times(name: str, other: str) -> Taken:
    return lambda book: beside(book, name, SIDECAR, other)


def _percent(name: str, other: str) -> Taken:
    def taken(book: Book) -> float | None:
        times = beside(book, name, SIDECAR, other)
        return None if times is None else 100 * times

    return taken


def _added(name: str) -> Taken:
    return lambda book: added_beside(book, name, SIDECAR, NGINX)


def _median(name: str) -> Taken:
    return lambda book: book.median(SIDECAR, name)


def _alone(name: str, other: str) -> Taken:
    return lambda book: ratio(book.median(MICRO, name), book.median(MICRO, other))


def _merged(book: Book) -> float | None:
    """More than the machine itself merges, and nginx."""
    name = "events_merged_percent"
    mine = book.median(SIDECAR, name)
    others = [book.median(peer, name) or 0.0 for peer in (DIRECT, NGINX)]
    return None if mine is None else max(0.0, mine - max(others))


def _slower_way(book: Book) -> float | None:
    ways = [beside(book, name, SIDECAR, NGINX) for name in ("up_mb_s", "down_mb_s")]
    return min((way for way in ways if way is not None), default=None)


def _growth_mb(book: Book) -> float | None:
    grown = [book.median(SIDECAR, name) for name in ("up_growth_mb", "down_growth_mb")]
    return max((one for one in grown if one is not None), default=None)


def _lost_percent(book: Book) -> float | None:
    """Of the two turns in the same round, for they stand next to each other."""
    kept = book.ratios("pair_rate", SIDECAR, BARE)
    return 100 * (1 - statistics.median(kept)) if kept else None


TARGETS = (
    Target(
        "calls/s at 32, % of one nginx worker: heads that do not change; that do",
        (
            at_least(60, 75, _percent("rate_32", NGINX)),
            at_least(45, 55, _percent("rate_32_changing", NGINX)),
        ),
    ),
    Target(
        "calls/s at 32, x naive aiohttp; x Node `@x402/fetch`; x LiteLLM",
        (
            at_least(6, 8, _times("rate_32", NAIVE)),
            at_least(30, 40, _times("rate_32", NODE)),
            at_least(400, 500, _times("rate_32", LITELLM)),
        ),
    ),
    Target(
        "added p50; p99 at 1, x nginx's",
        (at_most(1.5, 1.25, _added("p50_us")), at_most(1.8, 1.4, _added("p99_us"))),
    ),
    Target(
        "HTTPS upstream: CPU of a call; added p50, x nginx doing the same",
        (at_most(1.6, 1.3, _times("tls_cpu_us", NGINX)), at_most(1.5, 1.2, _added("tls_p50_us"))),
    ),
    Target(
        "streams: added first event; CPU of an event, x nginx; % of events merged, over nginx's",
        (
            at_most(1.5, 1.25, _added("first_event_us")),
            at_most(1.8, 1.5, _times("event_cpu_us", NGINX)),
            at_most(0, 0, _merged),
        ),
    ),
    Target(
        "500 slow streams: KB each; total resident MB",
        (at_most(10, 8, _median("slow_kb_each")), at_most(60, 50, _median("slow_rss_mb"))),
    ),
    Target(
        "idle resident MB, with payments, ledger and metrics",
        (at_most(50, 45, _median("rss_idle_mb")),),
    ),
    Target(
        "first proxied 200 after the spawn, x naive aiohttp",
        (at_most(1.4, 1.1, _times("first_200_ms", NAIVE)),),
    ),
    Target(
        "large bodies: the slower of up and down, x nginx; up while replayable; grown by MB",
        (
            at_least(1.0, 1.3, _slower_way),
            at_least(0.65, 0.8, _times("replayable_mb_s", NGINX)),
            at_most(8, 4, _growth_mb),
        ),
    ),
    Target(
        "sign, x coincurve's raw signature", (at_most(2, 1.3, _alone("sign_us", "raw_sign_us")),)
    ),
    Target(
        "durable reservation: 1 payer, x raw fdatasync; 32 payers, x the rate of 1",
        (
            at_most(2, 1.5, _alone("reserve_us", "fdatasync_us")),
            at_least(6, 9, _alone("reserve_us", "reserve_32_us")),
        ),
    ),
    Target("paid calls/s, x Node `@x402/fetch`", (at_least(10, 15, _times("paid_rate", NODE)),)),
    Target(
        "metrics, log, budgets and tokens: % of throughput lost", (at_most(12, 6, _lost_percent),)
    ),
)


def verdicts(targets: tuple[Target, ...], book: Book) -> tuple[Verdict, ...]:
    """What each of them has reached."""
    return tuple(
        Verdict(target, tuple(bound.taken(book) for bound in target.bounds)) for target in targets
    )


def verdict_lines(found: tuple[Verdict, ...]) -> list[str]:
    """The table, and how many have reached what."""

    def how_many(least: Reached) -> int:
        return sum(verdict.reached >= least for verdict in found)

    return [
        "### Targets",
        "",
        f"Of {len(found)}, {how_many(Reached.GATE)} have reached their gate, and "
        f"{how_many(Reached.STRETCH)} their stretch: all parts of a row, which `;` parts.",
        "",
        "| | gate | stretch | this run | |",
        "|---|---|---|---|---|",
        *(verdict.line() for verdict in found),
        "",
    ]
