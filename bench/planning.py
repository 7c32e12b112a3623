"""A plan for 10,000 replicas and 1,000,000 callers: what the database would see in a second.

    python -m bench.planning

Costs are measured on a real Postgres of this machine first (``planning_costs``), slices are
simulated (``planning_slices``), and the rest is multiplication (``planning_model``). It writes
bench/results/planning.md, where every figure is marked as what it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace

from bench.machine import ROOT
from bench.planning_costs import Measured
from bench.planning_model import Costs, Each, Fleet, Load, load, window_s
from bench.planning_slices import Count, Town
from bench.planning_slices import Fleet as Simulated
from bench.postgres import Server
from bench.stores import SETTINGS
from tests.world.postgres import PostgresServer

PAGE = ROOT / "bench" / "results" / "planning.md"
REPLICAS, CALLERS = 10_000, 1_000_000
# One payment for each caller in an hour, in ten minutes, in a minute.
RATES = tuple(CALLERS / every_s for every_s in (3_600, 600, 60))
SIZES = (10, 100, 1_000)
SIZE = 100
CAP = 10**9
SEED = 1
COUNTED_S = 60.0
FIRST_SLICES_S = 60.0
CALM_S = 60.0  # in place of lease_s and recovery.interval_s
COMMITS_S = (0.0005, 0.002, 0.005)
DISTANCES_S = (0.0002, 0.0005, 0.002, 0.01)
# What is left of a budget, in payments of each replica's slice.
LEFT = (10, 1, 0.1)
POOLED = 8


def simulate(rate: float, size: int, cap: int = CAP, deaths_s: float = 0.0) -> Simulated:
    """One budget of the whole fleet, once every replica has what it needs: for a minute."""
    ends_s = FIRST_SLICES_S + COUNTED_S
    town = Town(
        *(REPLICAS, rate, cap, size),
        deaths_s=deaths_s,
        lasts_s=ends_s,
        counts_from_s=FIRST_SLICES_S,
    )
    fleet = Simulated(town, SEED)
    fleet.run()
    return fleet


def rows(lines: Iterable[tuple[object, ...]], *heads: str) -> list[str]:
    """A table."""
    told = [tuple(map(str, line)) for line in lines]
    return [
        "| " + " | ".join(heads) + " |",
        "|---" * len(heads) + "|",
        *("| " + " | ".join(line) + " |" for line in told),
        "",
    ]


def measured(costs: Costs) -> list[str]:
    """What one of everything costs."""

    def line(name: str, each: Each) -> tuple[object, ...]:
        return (
            name,
            f"{each.transactions:.2f}",
            f"{each.statements:.1f}",
            f"{each.log_bytes / 1024:.2f}",
            f"{each.cpu_s * 1e3:.2f}",
        )

    return [
        *rows(
            (
                line("a payment, direct", costs.payment),
                line("an exchange of slices", costs.exchange),
                line("a heartbeat of an instance", costs.beat),
                line("a look of the recovery, nothing open", costs.look),
            ),
            *("measured: one of", "transactions", "statements", "log KB", "server CPU ms"),
        ),
        *rows(
            (
                ("round trips of a payment", f"{costs.round_trips:.1f}"),
                ("round trips that it keeps its window for", f"{costs.hot_round_trips:.1f}"),
                ("round trips that an exchange keeps it for", f"{costs.exchange_round_trips:.1f}"),
                ("a durable commit, the fastest tenth", f"{costs.commit_s * 1e3:.2f} ms"),
                ("each open payment in a look of the recovery", f"{costs.row_cpu_s * 1e6:.1f} us"),
                ("each listening connection, for a top-up", f"{costs.wake_cpu_s * 1e6:.0f} us"),
                ("memory of a connection that listens", _mb(costs.connection_bytes)),
            ),
            *("measured", ""),
        ),
    ]


def seconds(costs: Costs, leased: Mapping[float, Count]) -> list[str]:
    """The database's second, for every fleet."""
    lines = []
    for rate in RATES:
        exchanges_s = leased[rate].exchanges / COUNTED_S
        some, all_ = (Fleet(REPLICAS, CALLERS, rate, share) for share in (0.3, 1.0))
        fleets = {
            "direct, 30 % on one budget": some,
            "the same, calm": replace(some, lease_s=CALM_S, recovery_s=CALM_S),
            "direct, all on one budget": all_,
            f"leases, all on one budget, slices of {SIZE}": replace(
                all_, exchanges_s=exchanges_s, hot_exchanges_s=exchanges_s
            ),
        }
        lines += [_second(rate, name, load(fleet, costs)) for name, fleet in fleets.items()]
    return rows(
        lines,
        *("payments/s", "how", "transactions/s", "of these payments", "exchanges", "heartbeats"),
        *("looks", "log MB/s", "cores", "of these wakes", "busiest window", "what is in the way"),
    )


def _second(rate: float, name: str, found: Load) -> tuple[object, ...]:
    return (
        f"{rate:,.0f}",
        name,
        f"{found.all.transactions:,.0f}",
        *(
            f"{part.transactions:,.0f}"
            for part in (found.payments, found.exchanges, found.beats, found.looks)
        ),
        f"{found.all.log_bytes / 2**20:.1f}",
        f"{found.all.cpu_s:.1f}",
        f"{found.wakes.cpu_s:.2f}",
        f"{found.hot_busy:.2f}",
        ", ".join(found.obstacles) or "nothing",
    )


def slices() -> list[str]:
    """What leases save, and what they cost: simulated."""
    saved = (
        (
            f"{rate:,.0f}",
            size,
            f"{count.exchanges / count.payments:.2f}",
            f"{count.exchanges / COUNTED_S:,.0f}",
            f"{count.keeps / COUNTED_S:,.0f}",
            f"{count.stranded_most:,}",
        )
        for rate in RATES
        for size in SIZES
        for count in (simulate(rate, size).count,)
    )
    last = []
    for part in LEFT:
        cap = int(REPLICAS * SIZE * part)
        fleet = Simulated(Town(REPLICAS, RATES[1], cap, SIZE, lasts_s=COUNTED_S), SEED)
        count = fleet.run()
        asked = min(cap, count.payments + count.refused)
        early = f"{1 - count.payments / asked:.0%}"
        last.append((f"{cap:,}", f"{asked:,}", f"{count.payments:,}", early))
    dead = simulate(RATES[1], SIZE, deaths_s=1.0)
    lost = dead.end().reserved / sum(not replica.alive for replica in dead.replicas)
    return [
        *rows(
            saved,
            *("payments/s", "slice", "exchanges/payment", "exchanges/s", "of these renewals"),
            "held unspent at most",
        ),
        f"The last of a budget: {RATES[1]:,.0f} payments/s for {COUNTED_S:.0f} s, "
        f"slices of {SIZE}:",
        "",
        *rows(last, "left", "could be paid", "were paid", "refused though others held it"),
        f"A replica that dies for good leaves {lost:.0f} payments' worth reserved on the average.",
        "",
    ]


HEAD = (
    "No machine of ours holds so many. One of everything was **measured**, on a real Postgres with",
    f"{os.cpu_count()} cores beside other work; what slices do was **simulated**, by the ledger's",
    "own rule for their size; the rest is **computed** from these, and as wrong as they are. Your",
    "cores, disk and network differ: `python -m bench.planning` on a machine of yours.",
)
ASSUMED = (
    "`lease_s` and `recovery.interval_s` are 15 s, and 60 s where it says calm. The database is",
    "half a millisecond away, a payment is in flight for a second, one top-up a second wakes",
    "everybody. `busiest window` is the part of its time for which somebody has it.",
)
POOLER = (
    "Behind pgbouncer in transaction mode the moves need some dozens; there is no listening there,",
    "and whoever waits for a top-up looks again after a while.",
)


def follows(costs: Costs, leased: Mapping[float, Count]) -> list[str]:
    """What a plan should take from it."""
    busy, rare = leased[RATES[2]], leased[RATES[0]]
    standing = load(Fleet(REPLICAS, CALLERS, 0.0, 0.0), costs).all
    most = 1 / window_s(replace(costs, commit_s=COMMITS_S[0]), DISTANCES_S[1])
    return [
        f"- {REPLICAS:,} replicas that pay nothing are {standing.transactions:,.0f} transactions a "
        f"second and {standing.cpu_s:.1f} cores: raise `lease_s` and `recovery.interval_s`.",
        f"- One budget without leases ends at some {most:,.0f} payments a second on a good disk: "
        "it is one row, and each commit has it alone. Budgets of their own have no such end.",
        f"- Leases pay where a replica pays often: at {RATES[2] / REPLICAS:.1f} payments a second "
        f"{busy.exchanges / busy.payments:.2f} exchanges each, in the place of five transactions; "
        f"at one in {REPLICAS / RATES[0]:.0f} s {rare.exchanges / rare.payments:.2f}.",
        f"- All slices together ({REPLICAS:,} times the size) must be small beside what is left of "
        "a budget: else some hold what others are refused.",
        "- Fewer, larger replicas save all of it: heartbeats, looks, renewals, connections and "
        "slices are counted by the replica.",
        "",
    ]


def page(costs: Costs) -> str:
    """All of it, for people."""
    leased = {rate: simulate(rate, SIZE).count for rate in RATES}
    listening = REPLICAS * costs.connection_bytes
    shown = load(Fleet(REPLICAS, CALLERS, RATES[1], 1.0), costs).rows_shown_s
    most = (
        (
            f"{each * 1e3:g} ms",
            *(
                f"{1 / window_s(replace(costs, commit_s=commit_s), each):,.0f}"
                for commit_s in (costs.commit_s, *COMMITS_S)
            ),
        )
        for each in DISTANCES_S
    )
    connections = (
        ("that listen, one a replica", f"{REPLICAS:,}", _mb(listening)),
        (f"for moves, {POOLED} a replica", f"{REPLICAS * POOLED:,}", _mb(listening * POOLED)),
    )
    return "\n".join(
        [
            f"# {REPLICAS:,} replicas, {CALLERS:,} callers",
            "",
            *HEAD,
            "",
            "## Computed: what to take from it",
            "",
            *follows(costs, leased),
            "## Measured",
            "",
            *measured(costs),
            "## Computed: the database's second",
            "",
            *seconds(costs, leased),
            *ASSUMED,
            "",
            "## Computed: payments per second on one budget, without leases, at most",
            "",
            *rows(
                most,
                *("round trip", "with this disk's commit"),
                *(f"with one of {commit_s * 1e3:g} ms" for commit_s in COMMITS_S),
            ),
            "## Simulated: slices",
            "",
            *slices(),
            "## Computed: connections without a pooler",
            "",
            *rows(connections, "connections", "how many", "memory"),
            *POOLER,
            "",
            "## Computed: what recoveries look at",
            "",
            "Each replica's recovery is shown every payment in flight, and asks the chain of it:",
            f"{shown:,.0f} a second at {RATES[1]:,.0f} payments/s.",
            "",
        ]
    )


def _mb(size: float) -> str:
    return f"{size / 2**20:,.1f} MB" if size < 2**30 else f"{size / 2**30:,.1f} GB"


def main() -> None:
    """Measure, simulate, multiply, and write the page."""
    with ExitStack() as stack:
        settings = {**SETTINGS, "max_connections": "400"}
        postgres = stack.enter_context(PostgresServer(settings))
        server = stack.enter_context(closing(Server(postgres.url(user="postgres"))))
        costs = Measured(postgres, server).costs()
    PAGE.write_text(page(costs))
    print(PAGE)


if __name__ == "__main__":
    main()
