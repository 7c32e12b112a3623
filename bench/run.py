"""Everything that the README says about speed, measured in one run: see bench/README.md.

python -m bench.run [--quick] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench import growth, instructions, measures, tls
from bench.field import Book, all_started, started, take_turns, upstream
from bench.figures import BARE, DIRECT, MICRO, NAIVE, NGINX, SIDECAR
from bench.machine import CORES, PROXY_CORE, ROOT, WORLD, on_core
from bench.measures import FULL, PAIR_TIMES, QUICK, SLOW_STREAMS, Scale
from bench.peers import PEERS, Peer, Upstream
from bench.plot import svg
from bench.report import report
from bench.sidecars import SIDECARS
from bench.targets import TARGETS, verdicts

ALL = (*PEERS, *SIDECARS)
COUNTED = (NGINX, NAIVE, SIDECAR, "sidecar, lane off", BARE)
MICRO_ROUNDS_LEAST, MICRO_WAIT_S = 5, 120.0
# A start is one figure, and chance makes a fifth of it.
STARTS_LEAST, SOON_MS = 9, 4000
# After this nothing more is begun: what is under way then ends within half an hour in all.
ENOUGH_S = {QUICK: 10 * 60.0, FULL: 26 * 60.0}


@contextmanager
def section(name: str) -> Iterator[None]:
    """Say on the standard error where it is, and how long that took."""
    began = time.monotonic()
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    yield
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def measure_field(scale: Scale, folder: Path, up: Upstream, book: Book) -> None:
    """All peers at once, each thing in turns."""
    with ExitStack() as stack:
        with section("start everybody"):
            runners = stack.enter_context(all_started(ALL, folder, up, book))
        with section("chat calls"):
            for measure_calls in measures.calls(scale):
                take_turns(runners, scale.rounds, measure_calls, book)
        two = [runner for runner in runners if runner.peer.name in {SIDECAR, BARE}]
        with section("the sidecar beside a bare one"):
            take_turns(two, scale.rounds * PAIR_TIMES, measures.pair(scale), book)
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


def measure_starts(scale: Scale, folder: Path, up: Upstream, book: Book) -> None:
    """More starts in turns, of those that start soon: the first one of each was with the field.

    Each round begins with another peer: after whom one starts makes some percent.
    """
    soon: list[Peer] = [
        peer for peer in ALL if (book.median(peer.name, "first_200_ms") or 1e9) < SOON_MS
    ]
    rounds = scale.rounds if scale is QUICK else max(scale.rounds, STARTS_LEAST)
    began = time.monotonic()
    for round_ in range(rounds - 1):
        if book.is_late():
            book.fail("starts", f"out of time after {round_ + 1} of {rounds} rounds")
            return
        turn = round_ % len(soon) if soon else 0
        for peer in (*soon[turn:], *soon[:turn]):
            home = folder / f"start-{round_}"
            home.mkdir(mode=0o700, exist_ok=True)
            with started(peer, home, up, book):
                pass
    each_s = (time.monotonic() - began) / max(rounds - 1, 1)
    print(f"{rounds - 1} rounds of {each_s:.1f} s", end=" ", file=sys.stderr, flush=True)


def measure_micro(scale: Scale, folder: Path, book: Book) -> None:
    """The payment path alone, in a process of its own."""
    rounds = max(scale.rounds, MICRO_ROUNDS_LEAST)
    words = [sys.executable, "-m", "bench.micro", str(rounds), str(folder)]
    try:
        done = subprocess.run(
            on_core(PROXY_CORE, words),
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=MICRO_WAIT_S,
        )
    except subprocess.TimeoutExpired as fault:
        book.fail("payment path", str(fault))
        return
    if done.returncode != 0:
        book.fail("payment path", done.stderr[-200:])
        return
    for figures in json.loads(done.stdout):
        book.note(MICRO, figures)


def measure(scale: Scale, book: Book) -> None:
    """All of it, in a folder that is gone afterwards."""
    # On the disk of the repository: a folder in memory would make durable writes free.
    with (
        tempfile.TemporaryDirectory(dir=WORLD, ignore_cleanup_errors=True) as place,
        upstream(Path(place)) as up,
    ):
        folder = Path(place)
        measure_field(scale, folder, up, book)
        parts = {
            "starts": partial(measure_starts, scale, folder, up, book),
            "TLS upstream": partial(tls.measure, scale, folder, up, book),
            "growth": partial(growth.measure, scale, folder, up, book),
            "payment path": partial(measure_micro, scale, folder, book),
        }
        if scale is FULL:
            counted = [peer for peer in ALL if peer.name in COUNTED]
            parts["instructions"] = partial(instructions.measure, counted, folder, up, book)
        for name, measure_part in parts.items():
            if book.is_late():
                book.fail(name, "out of time")
                continue
            try:
                with section(name):
                    measure_part()
            except (RuntimeError, OSError, sqlite3.Error, subprocess.SubprocessError) as fault:
                book.fail(name, str(fault))


def main() -> None:
    """Measure, print the tables, and leave them with the figures and the plot."""
    parser = argparse.ArgumentParser(prog="bench", description="The sidecar beside its peers.")
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--out", type=Path, default=WORLD / "results")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    # Whoever ends this ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # As it is installed: a tree that is worked on may have none, and its peers have theirs.
    compileall.compile_dir(ROOT / "sidecar", quiet=1)
    book = Book(time.monotonic() + ENOUGH_S[scale])
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
    figures = {
        "title": title,
        "verdicts": [verdict.as_document() for verdict in verdicts(TARGETS, book)],
        "taken": book.taken,
        "missing": book.missing,
    }
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(text)
    print(f"left in {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
