"""The tables, in Markdown: targets first, then medians, and each as a ratio to its peers."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import growth
from bench.field import Book
from bench.figures import (
    MICRO,
    NAIVE,
    NGINX,
    NODE,
    NONE,
    PYTHON,
    added,
    added_beside,
    beside,
    number,
    ratio,
)
from bench.targets import TARGETS, verdict_lines, verdicts

Cell = Callable[[Book, str], str]


def figure(name: str) -> Cell:
    """The median itself."""
    return lambda book, peer: number(book.median(peer, name))


def more(name: str) -> Cell:
    """What it adds to no proxy at all."""
    return lambda book, peer: number(added(book, name, peer))


def more_than(name: str, other: str) -> Cell:
    """What it adds, as a multiple of what another adds."""
    return lambda book, peer: number(added_beside(book, name, peer, other))


def times(name: str, other: str) -> Cell:
    """The median as a multiple of another's."""
    return lambda book, peer: number(beside(book, name, peer, other))


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, a sentence, and columns by their heads."""

    heading: str
    says: str
    columns: dict[str, Cell]

    def lines(self, book: Book, peers: Sequence[str]) -> list[str]:
        """Peers without a single figure are left out: the list of what is missing has them."""
        rows = []
        for peer in peers:
            cells = [cell(book, peer) for cell in self.columns.values()]
            if any(cell != NONE for cell in cells):
                rows.append(f"| {peer} | {' | '.join(cells)} |")
        if not rows:
            return []
        rule = "|---|" + "---|" * len(self.columns)
        head = f"| | {' | '.join(self.columns)} |"
        return [f"### {self.heading}", "", self.says, "", head, rule, *rows, ""]


TABLES = (
    Table(
        "Chat calls",
        "One kilobyte each way, keep-alive. Added: over no proxy at all, at concurrency 1. "
        "CPU: of the proxy with its children, for each call at 32.",
        {
            "added p50 us": more("p50_us"),
            "x nginx": more_than("p50_us", NGINX),
            "added p99 us": more("p99_us"),
            "p99 x nginx": more_than("p99_us", NGINX),
            "calls/s at 32": figure("rate_32"),
            "of nginx": times("rate_32", NGINX),
            "x naive": times("rate_32", NAIVE),
            "changing heads, of nginx": times("rate_32_changing", NGINX),
            "calls/s at 128": figure("rate_128"),
            "CPU us": figure("cpu_us"),
            "CPU x nginx": times("cpu_us", NGINX),
            "CPU us, changing heads": figure("cpu_us_changing"),
        },
    ),
    Table(
        "TLS upstream",
        "The same calls to an upstream behind TLS 1.3; added: over the same upstream without.",
        {
            "added p50 us": more("tls_p50_us"),
            "x nginx": more_than("tls_p50_us", NGINX),
            "calls/s at 32": figure("tls_rate_32"),
            "of nginx": times("tls_rate_32", NGINX),
            "x naive": times("tls_rate_32", NAIVE),
            "CPU us": figure("tls_cpu_us"),
            "CPU x nginx": times("tls_cpu_us", NGINX),
        },
    ),
    Table(
        "Without what it counts and writes",
        "Calls at 32 alone, in turns with a sidecar that has no metrics, no log, no budgets and "
        "no tokens.",
        {"calls/s": figure("pair_rate"), "CPU us": figure("pair_cpu_us")},
    ),
    Table(
        "Start and memory",
        "From the spawn to the first proxied 200; resident memory of the proxy with its children.",
        {
            "first 200 ms": figure("first_200_ms"),
            "x naive": times("first_200_ms", NAIVE),
            "idle MB": figure("rss_idle_mb"),
            "after load MB": figure("rss_load_mb"),
            "500 slow streams, KB each": figure("slow_kb_each"),
            "with them MB": figure("slow_rss_mb"),
            "slowest first event ms": figure("slow_first_ms"),
        },
    ),
    Table(
        "Streams",
        "Server-sent events. First: from the request to the first event. Delay and merging: of "
        "8 streams with an event each 50 ms; CPU: of 32 streams with one each 10 ms.",
        {
            "first event, added us": more("first_event_us"),
            "x nginx": more_than("first_event_us", NGINX),
            "delay p50 us": figure("event_delay_us"),
            "delay p99 us": figure("event_delay_p99_us"),
            "merged %": figure("events_merged_percent"),
            "CPU us an event": figure("event_cpu_us"),
            "CPU x nginx": times("event_cpu_us", NGINX),
        },
    ),
    Table(
        "Large bodies",
        "Replayable: 12 MB up, eight times, which the sidecar keeps so that it could pay for the "
        "request.",
        {
            "down MB/s": figure("down_mb_s"),
            "down, of nginx": times("down_mb_s", NGINX),
            "up MB/s": figure("up_mb_s"),
            "up, of nginx": times("up_mb_s", NGINX),
            "replayable, of nginx": times("replayable_mb_s", NGINX),
            "growth down MB": figure("down_growth_mb"),
            "growth up MB": figure("up_growth_mb"),
            "growth replayable MB": figure("replayable_growth_mb"),
        },
    ),
    Table(
        "Paid calls",
        "Per request: 402, payment, 200, at concurrency 32; the sidecar's with a ledger, synced to "
        "the disk. The seller is a stub: it looks whether a payment is there, and checks nothing. "
        "From credit: a fresh sign-in with each call; the vendor allows 5 at a time.",
        {
            "paid calls/s": figure("paid_rate"),
            "x Node": times("paid_rate", NODE),
            "x Python": times("paid_rate", PYTHON),
            "CPU us": figure("paid_cpu_us"),
            "p50 ms alone": lambda book, peer: number(
                _thousandth(book.median(peer, "paid_p50_us"))
            ),
            "from credit calls/s": figure("credit_rate"),
            "from credit CPU us": figure("credit_cpu_us"),
        },
    ),
    Table(
        "Instructions",
        "In user space, for each call at concurrency 1, counted by callgrind.",
        {
            "instructions": figure("instructions_same"),
            "x nginx": times("instructions_same", NGINX),
            "changing heads": figure("instructions_changing"),
            "changing heads x nginx": times("instructions_changing", NGINX),
        },
    ),
)

GROWTH = (
    ("payments in the ledger, paid calls", growth.LONG, "paid"),
    ("payments in the ledger, unpaid calls", growth.LONG, "unpaid"),
    ("routes and callers, unpaid calls", growth.MANY, "unpaid"),
    ("open streams, unpaid calls", growth.OPEN, "unpaid"),
)


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1000


def growth_lines(book: Book, counts: Sequence[str]) -> list[str]:
    """What more of something costs, as a ratio to as little of it as can be."""
    lines = [
        "### Does a call cost more with more of it?",
        "",
        "The sidecar beside itself, round by round: 1.00 is no difference. Noise: the one with as "
        "little as can be, to its own second turn in the same round.",
        "",
        "| | CPU of a call at 32 | its noise | | p50 at 1 | its noise | | start |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (what, more_of, kind), count in zip(GROWTH, counts, strict=True):
        cells = [
            cell
            for name in (f"{kind}_cpu_us", f"{kind}_p50_us")
            for cell in growth_cells(book, name, more_of)
        ]
        start = number(beside(book, "first_200_ms", more_of, growth.FEW))
        lines.append(f"| {count} {what} | {' | '.join(cells)} | {start} |")
    return [*lines, ""]


def growth_cells(book: Book, name: str, more_of: str) -> tuple[str, str, str]:
    """The ratio with its least and most, those of the noise, and whether it is within."""
    found = book.ratios(name, more_of, growth.FEW)
    noise = book.ratios(name, growth.AGAIN, growth.FEW)
    if not found or not noise:
        return NONE, NONE, NONE
    middle = statistics.median(found)
    # The second turn may have been the slower one, or the first.
    most = max(*noise, *(1 / one for one in noise))
    within = "within" if middle <= most else "more"
    return f"{middle:.2f} ({_span(found)})", _span(noise), within


def _span(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def micro_lines(book: Book) -> list[str]:
    """Signing and reserving beside the least that they could cost."""

    def us(name: str) -> float | None:
        return book.median(MICRO, name)

    rows = (
        ("sign a payment, x coincurve's raw signature", "sign_us", "raw_sign_us"),
        ("durable reservation, one payer, x raw fdatasync", "reserve_us", "fdatasync_us"),
        ("reservations/s of 32 payers, x one payer's", "reserve_us", "reserve_32_us"),
    )
    lines = ["### The payment path alone", "", "| | us | beside us | ratio |", "|---|---|---|---|"]
    for what, mine, theirs in rows:
        cells = (number(us(mine)), number(us(theirs)), number(ratio(us(mine), us(theirs))))
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return [*lines, ""]


def report(book: Book, peers: Sequence[str], title: str, counts: Sequence[str]) -> str:
    """The whole of it."""
    lines = [title, "", *verdict_lines(verdicts(TARGETS, book))]
    for table in TABLES:
        lines += table.lines(book, peers)
    lines += growth_lines(book, counts) + micro_lines(book)
    if book.missing:
        lines += ["### Missing", ""]
        lines += [f"- {peer}: {' '.join(why.split())[:200]}" for peer, why in book.missing.items()]
    return "\n".join(lines).rstrip() + "\n"
