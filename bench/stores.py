"""Payments per second: SQLite, Postgres direct, Postgres with leases, by one replica and by four.

    python -m bench.stores [--rounds N] [--seconds S]

Each case is taken once before any is taken again, on books of its own, and medians are told. What
every case has spent is compared with its payments. It writes bench/results/stores.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from bench.growth import intent
from bench.machine import ROOT
from bench.paying import SLICE_PAYMENTS, STORES, budgets_of, opened, start
from bench.postgres import Server, Work
from tests.world.postgres import PostgresServer, database_of

PAGE = ROOT / "bench" / "results" / "stores.md"
PAYERS = 16
REPLICAS = (1, 4)
KINDS = ("shared", "own")
SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "max_connections": "200"}
STATES_TOLD = 4
NAMES = {"sqlite": "SQLite", "postgres": "Postgres", "leased": "Postgres with leases"}


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One row: a store, how many processes pay out of it, and whether they share a budget."""

    store: str
    replicas: int
    kind: str


@dataclass(slots=True)
class Turns:
    """What was seen of a case, turn by turn."""

    rates: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    client_ms: list[float] = field(default_factory=list)  # CPU for one payment
    server_ms: list[float] = field(default_factory=list)
    transactions: list[float] = field(default_factory=list)
    log_kb: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)  # of all: clients and server
    states: Counter[str] = field(default_factory=Counter)


def fdatasync_us(folder: Path) -> float:
    """The median of 4 KB written and synced: what no durable commit can do without."""
    took = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(100):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took) * 1e6


def busy_s() -> float:
    """CPU that the whole machine has used."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    # All but idle, waiting for the disk, and what guests have in their own columns again.
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


async def spent_of(store: str, place: str) -> int:
    """What the shared budget says was spent, after everybody left."""
    async with opened(store, place, "auditor") as ledger:
        (use,) = await ledger.budgets(budgets_of("shared", ""), datetime.now(UTC))
    assert use.reserved.atomic == 0, use
    return use.spent.atomic


def places(case: Case, url: str, folder: Path) -> list[str]:
    """Where each replica's books are. Those with leases have a file each, as machines have."""
    match case.store:
        case "sqlite":
            return [str(folder / "ledger.db")] * case.replicas
        case "leased":
            return [f"{url}={folder / f'{n}.db'}" for n in range(case.replicas)]
        case _:
            return [url] * case.replicas


def take_turn(case: Case, server: Server, url: str, seconds: float, turns: Turns) -> None:
    """All of a case's replicas at once, and what they and the server did."""
    with tempfile.TemporaryDirectory() as name:
        where = places(case, url, Path(name))
        payers = [
            start(case.store, place, f"replica-{n}", PAYERS, seconds, case.kind)
            for n, place in enumerate(where)
        ]
        with server.watched(database_of(url)) as work:
            for payer in payers:
                assert payer.stdin is not None
                payer.stdin.write("\n")
                payer.stdin.flush()
            said = [json.loads(payer.communicate()[0]) for payer in payers]
        _note(turns, said, work)
        if case.kind == "shared":
            price = intent("any", ()).amount.atomic
            warmed = asyncio.run(spent_of(case.store, where[0])) // price
            told = sum(each["payments"] + each["warm"] for each in said)
            assert warmed == told, f"{case}: {warmed} in the books, {told} were made"


def _note(turns: Turns, said: list[dict[str, Any]], work: Work) -> None:
    payments = sum(each["payments"] for each in said)
    lasted_s = max(each["lasted_s"] for each in said)
    client_s = sum(each["cpu_s"] for each in said)
    turns.rates.append(payments / lasted_s)
    turns.p50_ms.append(median(each["p50_ms"] for each in said))
    turns.client_ms.append(client_s / payments * 1e3)
    turns.server_ms.append(work.cpu_s / payments * 1e3)
    turns.transactions.append(work.transactions / payments)
    turns.log_kb.append(work.log_bytes / payments / 1024)
    turns.cores.append((client_s + work.cpu_s) / lasted_s)
    turns.states.update(work.states)


def measure(rounds: int, seconds: float) -> tuple[dict[Case, Turns], list[str]]:
    """Every case, in rounds; and what is said of the machine."""
    cases = [Case(*each) for each in product(STORES, REPLICAS, KINDS)]
    found: dict[Case, Turns] = defaultdict(Turns)
    synced, began, used = [], time.monotonic(), busy_s()
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(SETTINGS))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(closing(Server(postgres.url(user="postgres"))))
        for number in range(rounds):
            synced.append(fdatasync_us(folder))
            for case in cases:
                with postgres.database() as url:
                    take_turn(case, server, url, seconds, found[case])
                print(number + 1, case, f"{found[case].rates[-1]:.0f}/s", flush=True)
    lasted_s = time.monotonic() - began
    machine = [
        f"{os.cpu_count()} cores, {(busy_s() - used) / lasted_s:.1f} of them busy on the average "
        "with this and with whatever else ran",
        f"4 KB written and synced: {median(synced):.0f} us (median)",
        f"{rounds} rounds of {seconds:g} s; {PAYERS} payers in each replica; a slice is enough for "
        f"{SLICE_PAYMENTS} payments",
    ]
    return found, machine


def table(found: dict[Case, Turns]) -> list[str]:
    """The rates, each beside SQLite's with one process and the same kind of budgets."""
    lines = [
        "| store | replicas | budgets | payments/s (least to most) | beside SQLite, 1 | p50 ms | "
        "client CPU ms | server CPU ms | cores | transactions | log KB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case, turns in found.items():
        base = found[Case("sqlite", 1, case.kind)].rates
        # Round by round: what slows the machine down slows both.
        beside = median(one / other for one, other in zip(turns.rates, base, strict=True))
        rate = median(turns.rates)
        central = case.store != "sqlite"
        lines.append(
            f"| {NAMES[case.store]} | {case.replicas} | {case.kind} | {rate:.0f} "
            f"({min(turns.rates):.0f} to {max(turns.rates):.0f}) | {beside:.2f} | "
            f"{median(turns.p50_ms):.0f} | {median(turns.client_ms):.2f} | "
            + (f"{median(turns.server_ms):.2f} | " if central else "- | ")
            + f"{median(turns.cores):.1f} | "
            + (f"{median(turns.transactions):.2f} | " if central else "- | ")
            + (f"{median(turns.log_kb):.1f} |" if central else "- |")
        )
    return lines


def limits(found: dict[Case, Turns]) -> list[str]:
    """Where each store ends, by what was seen of it."""
    own, shared = (found[Case("postgres", REPLICAS[-1], kind)] for kind in ("own", "shared"))
    client, server = median(own.client_ms), median(own.server_ms)
    cores = os.cpu_count() or 1
    row = sum(count for state, count in shared.states.items() if state.startswith("Lock:"))
    file, files = (found[Case(store, REPLICAS[-1], "own")] for store in ("sqlite", "leased"))
    return [
        f"- **Postgres, direct: CPU.** A payment is {client:.1f} ms of it in its replica and "
        f"{server:.1f} ms in the server, for {median(own.transactions):.0f} transactions: "
        f"{cores} cores make {cores / (client + server) * 1e3:.0f} a second at most, with nothing "
        "else on them. Replicas on machines of their own leave the server's part.",
        f"- **One budget for all: its row.** {row / shared.states.total():.0%} of the connections "
        "in a transaction waited for it. One payment has it at a time, until its commit.",
        f"- **SQLite: waiting.** {median(file.client_ms):.1f} ms of CPU a payment are not the end "
        "of it; all processes take turns at one log and its disk, and at what CPU others leave.",
        f"- **Leases: the replica's disk.** {median(files.transactions):.2f} transactions of a "
        f"payment are the server's; {REPLICAS[-1]} replicas have a log each, and here one disk.",
        "",
    ]


def waits(found: dict[Case, Turns]) -> list[str]:
    """What the server's connections in a transaction were at, whenever somebody looked."""
    lines = ["| store | replicas | budgets | what connections in a transaction were at |"]
    lines.append("|---|---|---|---|")
    for case, turns in found.items():
        total = turns.states.total()
        if case.store == "sqlite" or not total:
            continue
        told = ", ".join(
            f"{state} {count / total:.0%}" for state, count in turns.states.most_common(STATES_TOLD)
        )
        lines.append(f"| {NAMES[case.store]} | {case.replicas} | {case.kind} | {told} |")
    return lines


READING = (
    "A payment is five moves: claim, reserve, authorize, post, deliver; no seller is asked.",
    "Replicas, server and disk are one machine's: **compare within this page only**. CPU,",
    "transactions and log are for one payment; `cores` is what clients and server kept busy.",
    "`shared` is one budget for all, `own` one for each payer. After each turn with a shared",
    "budget its books were compared with what was paid, to the unit.",
)
STATES = (
    "`Client: ClientRead` is a transaction that waits for its replica's next word, `Lock:` one",
    "that waits for another's row or purchase, `IO: WALSync` and `LWLock: WALWrite` a commit that",
    "waits for the disk, `running` one that has the CPU or waits for it.",
)


def page(found: dict[Case, Turns], machine: list[str]) -> str:
    """All of it, for people."""
    return "\n".join(
        [
            "# Payments per second, by store",
            "",
            *READING,
            "",
            *(f"- {line}" for line in machine),
            "",
            *table(found),
            "",
            "## Where the limit is",
            "",
            *limits(found),
            *waits(found),
            "",
            *STATES,
            "",
        ]
    )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser("bench.stores", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    found, machine = measure(given.rounds, given.seconds)
    PAGE.write_text(page(found, machine))
    print(PAGE)


if __name__ == "__main__":
    main()
