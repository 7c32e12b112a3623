"""Everything that the README says about speed, measured in one run: see bench/README.md.

python -m bench.run [--quick] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import growth, instructions, measures
from bench.field import Book, all_started, started, take_turns, upstream
from bench.machine import CORES, PROXY_CORE, ROOT, WORLD
from bench.measures import FULL, QUICK, SLOW_STREAMS, Scale
from bench.peers import PEERS, Peer
from bench.plot import svg
from bench.report import DIRECT, NAIVE, NGINX, report
from bench.sidecars import SIDECARS

ALL = (*PEERS, *SIDECARS)
COUNTED = (NGINX, NAIVE, *(peer.name for peer in SIDECARS))
MICRO_WAIT_S = 120.0


@contextmanager
def section(name: str) -> Iterator[None]:
    """Say on the standard error where it is, and how long that took."""
    began = time.monotonic()
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    yield
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def measure_field(scale: Scale, folder: Path, up: int, book: Book) -> None:
    """All peers at once, each thing in turns."""
    with ExitStack() as stack:
        with section("start everybody"):
            runners = stack.enter_context(all_started(ALL, folder, up, book))
        with section("chat calls"):
            for measure_calls in measures.calls(scale):
                take_turns(runners, scale.rounds, measure_calls, book)
        with section("streams"):
            take_turns(runners, scale.rounds, measures.streams, book)
        with section("large bodies"):
            for measure_transfer in measures.transfers(scale):
                take_turns(runners, scale.rounds, measure_transfer, book)
        payers = [runner for runner in runners if runner.peer.paid]
        with section("paid calls"):
            take_turns(payers, scale.rounds, measures.paid(scale), book)
        with section("slow streams"):
            take_turns(runners[1:], 1, measures.slow_streams(scale), book)


def measure_starts(scale: Scale, folder: Path, up: int, book: Book) -> None:
    """More starts in turns, of those that start soon: the first one of each was with the field."""
    soon: list[Peer] = [
        peer for peer in ALL if (book.median(peer.name, "first_200_ms") or 1e9) < 4000
    ]
    for round_ in range(scale.rounds - 1):
        for peer in soon:
            home = folder / f"start-{round_}"
            home.mkdir(mode=0o700, exist_ok=True)
            with started(peer, home, up, book):
                pass


def measure_micro(scale: Scale, folder: Path, book: Book) -> None:
    """The payment path alone, in a process of its own."""
    words = [sys.executable, "-m", "bench.micro", str(scale.rounds), str(folder)]
    done = subprocess.run(
        ["taskset", "--cpu-list", str(PROXY_CORE), *words],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=MICRO_WAIT_S,
    )
    if done.returncode != 0:
        book.fail("micro", done.stderr[-200:])
        return
    book.note("micro", json.loads(done.stdout))


def measure(scale: Scale, book: Book) -> None:
    """All of it, in a folder that is gone afterwards."""
    # On the disk of the repository: a folder in memory would make durable writes free.
    with (
        tempfile.TemporaryDirectory(dir=WORLD, ignore_cleanup_errors=True) as place,
        upstream(Path(place)) as up,
    ):
        folder = Path(place)
        measure_field(scale, folder, up, book)
        with section("starts"):
            measure_starts(scale, folder, up, book)
        with section("growth"):
            growth.measure(scale, folder, up, book)
        with section("payment path"):
            measure_micro(scale, folder, book)
        if scale is FULL:
            counted = [peer for peer in ALL if peer.name in COUNTED]
            with section("instructions"):
                instructions.measure(counted, folder, up, book)


def main() -> None:
    """Measure, print the tables, and leave them with the figures and the plot."""
    parser = argparse.ArgumentParser(prog="bench", description="The sidecar beside its peers.")
    parser.add_argument("--quick", action="store_true", help="about two minutes, one round")
    parser.add_argument("--out", type=Path, default=WORLD / "results")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    book = Book()
    load = os.getloadavg()[0]
    began = time.monotonic()
    measure(scale, book)
    took_s = time.monotonic() - began
    title = (
        f"{scale.rounds} interleaved rounds, medians; {took_s / 60:.0f} minutes on {len(CORES)} "
        f"cores, {platform.machine()}, Python {platform.python_version()}; "
        f"load average before {load:.1f}."
    )
    names = [DIRECT, *(peer.name for peer in ALL)]
    rows = f"{scale.ledger_rows:,}"
    counts = (rows, rows, f"{scale.others:,}", str(SLOW_STREAMS))
    text = report(book, names, title, counts)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "table.md").write_text(text)
    (options.out / "plot.svg").write_text(svg(book, names[1:]))
    figures = {"title": title, "taken": book.taken, "missing": book.missing}
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(text)
    print(f"left in {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
