"""How far workers go: calls per second and the CPU of each, beside nginx with as many.

    python -m bench.workers [ROUNDS]

Here the proxies may use every core. Load and upstream share the last one with them, so on a
machine of two cores the rate cannot double: what is left of the second core is what a second
worker gains. On such a machine the CPU for each call says more than the rate, and with other work
on it neither says anything; the load average is printed before and after.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.field import Book, Figures, Runner, started, take_turns, upstream
from bench.machine import CORES
from bench.measures import chat
from bench.peers import (
    NGINX_FRAME,
    NGINX_PROXY,
    UPSTREAM_KEY,
    Launch,
    Peer,
    Upstream,
    launch_nginx,
)
from bench.sidecars import Variant, launch

ROUNDS = 5
CONNECTIONS = 64
RUN_MS = 1_500
WORKERS = (1, 2)
_ROW = "{:<22}{:>12}{:>12}{:>12}{:>12}"


def on_all_cores(
    start: Callable[[Path, int, Upstream], Launch], folder: Path, port: int, up: Upstream
) -> Launch:
    """As it is started otherwise, but on every core."""
    launched = start(folder, port, up)
    cores = ",".join(map(str, CORES))
    return replace(launched, command=["taskset", "--cpu-list", cores, *launched.command])


def nginx(workers: int, folder: Path, port: int, up: Upstream) -> Launch:
    """nginx with so many workers, which the kernel deals connections out to, as to ours."""
    server = NGINX_PROXY.format(port=port, scheme=up.scheme, key=UPSTREAM_KEY, tls="")
    text = NGINX_FRAME.format(
        folder=folder,
        upstream=up.port,
        servers=server.replace("backlog=4096", "backlog=4096 reuseport"),
    )
    text = text.replace("worker_processes 1", f"worker_processes {workers}")
    return launch_nginx(folder, text.replace("master_process off", "master_process on"))


def peers() -> tuple[Peer, ...]:
    """Each with one worker, and with two."""
    return tuple(
        Peer(f"{name}, {workers} worker{'s' * (workers > 1)}", partial(on_all_cores, start))
        for workers in WORKERS
        for name, start in (
            ("nginx", partial(nginx, workers)),
            ("sidecar", partial(launch, Variant(f"workers: {workers}"))),
        )
    )


def calls(runner: Runner) -> Figures:
    """Unpaid chat calls on connections that stay."""
    figures = chat(runner, CONNECTIONS, RUN_MS)
    return {"rate": figures["rate"], "cpu_us": figures["cpu_us"], "p99_us": figures["p99_us"]}


def main() -> None:
    """Measure in turns, and print the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(f"{len(CORES)} cores, load average before: {os.getloadavg()[0]:.1f}")
    book = Book()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        up = stack.enter_context(upstream(Path(name)))
        each = [stack.enter_context(started(peer, Path(name), up, book)) for peer in peers()]
        take_turns([runner for runner in each if runner is not None], rounds, calls, book)
    print(f"load average after: {os.getloadavg()[0]:.1f}; medians of {rounds} rounds\n")
    print(_ROW.format("", "calls/s", "CPU us", "p99 us", "idle MB"))
    for peer in book.taken:
        figures = [book.median(peer, name) for name in ("rate", "cpu_us", "p99_us", "rss_idle_mb")]
        print(_ROW.format(peer, *("-" if one is None else f"{one:,.0f}" for one in figures)))
    for name, why in book.missing.items():
        print(f"missing: {name}: {why}")


if __name__ == "__main__":
    main()
