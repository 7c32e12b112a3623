"""What is measured of one peer in one round: each function takes one runner and returns figures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.field import Figures, Runner
from bench.machine import Tree, Use, run_load
from bench.peers import CHAT, TOKEN

MEGABYTE = 1_000_000
STREAMS, STREAM_EVENTS, STREAM_GAP_US = 32, 50, 10_000
# Gaps so long that a reader which waits for its core merges nothing itself.
PACED_STREAMS, PACED_EVENTS, PACED_GAP_US = 8, 10, 50_000
SLOW_STREAMS, SLOW_EVENTS, SLOW_GAP_US = 500, 3, 1_000_000
# Below the replay cap: what the sidecar keeps so that it could pay for it.
REPLAYABLE_BYTES = 12 * MEGABYTE
CPU_S_LEAST = 1e-9

NOTHING = Use(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: rounds, and how long each run of the load takes."""

    rounds: int
    run_ms: int
    transfer_bytes: int
    ledger_rows: int
    others: int  # routes and callers, where there are many


QUICK = Scale(1, 400, 50 * MEGABYTE, 100_000, 1000)
FULL = Scale(5, 1000, 200 * MEGABYTE, 1_000_000, 1000)


def _use(tree: Tree | None) -> Use:
    return NOTHING if tree is None else tree.use()


def chat(
    runner: Runner, connections: int, run_ms: int, heads: str = "same", path: str = CHAT
) -> Figures:
    """Chat calls for a while: the load's own figures, and the proxy's CPU for each."""
    before = _use(runner.tree)
    numbers = run_load("load", "chat", runner.port, path, TOKEN, connections, run_ms, heads)
    cpu_s = _use(runner.tree).cpu_s - before.cpu_s
    return {**numbers, "cpu_us": cpu_s / max(numbers["requests"], 1) * 1e6}


def calls(scale: Scale) -> Callable[[Runner], Figures]:
    """Unpaid chat calls at concurrency 1, 32 and 128, with heads that change and that do not."""

    def calls_of(runner: Runner) -> Figures:
        one = chat(runner, 1, scale.run_ms)
        many = chat(runner, 32, scale.run_ms)
        changing = chat(runner, 32, scale.run_ms, "changing")
        most = chat(runner, 128, scale.run_ms)
        return {
            "p50_us": one["p50_us"],
            "p99_us": one["p99_us"],
            "rate_32": many["rate"],
            "cpu_us": many["cpu_us"],
            "rate_32_changing": changing["rate"],
            "cpu_us_changing": changing["cpu_us"],
            "rate_128": most["rate"],
            "rss_load_mb": _use(runner.tree).rss_mb,
        }

    return calls_of


def streams(runner: Runner) -> Figures:
    """Paced server-sent events: how late each comes, and whether two come as one."""
    one = run_load("load", "stream", runner.port, CHAT, TOKEN, 1, 10, 2_000)
    before = _use(runner.tree)
    many = run_load(
        "load", "stream", runner.port, CHAT, TOKEN, STREAMS, STREAM_EVENTS, STREAM_GAP_US
    )
    cpu_s = _use(runner.tree).cpu_s - before.cpu_s
    paced = run_load(
        "load", "stream", runner.port, CHAT, TOKEN, PACED_STREAMS, PACED_EVENTS, PACED_GAP_US
    )
    return {
        "first_event_us": one["first_p50_us"],
        "event_delay_us": paced["delay_p50_us"],
        "event_delay_p99_us": paced["delay_p99_us"],
        "events_merged_percent": paced["merged"] / paced["events"] * 100,
        "event_cpu_us": cpu_s / many["events"] * 1e6,
    }


def slow_streams(runner: Runner) -> Figures:
    """Five hundred streams at once, with an event a second each: memory and the first event."""
    if runner.tree is not None:
        runner.tree.forget_peak()
    before = _use(runner.tree)
    numbers = run_load(
        "load", "stream", runner.port, CHAT, TOKEN, SLOW_STREAMS, SLOW_EVENTS, SLOW_GAP_US
    )
    peak_mb = _use(runner.tree).peak_mb
    return {
        "slow_kb_each": (peak_mb - before.rss_mb) * 1024 / SLOW_STREAMS,
        "slow_rss_mb": peak_mb,
        "slow_first_ms": numbers["first_max_us"] / 1000,
    }


def transfers(scale: Scale) -> Callable[[Runner], Figures]:
    """One large body down, one up, one up that is small enough to be kept for a payment."""

    def transfers_of(runner: Runner) -> Figures:
        if not runner.peer.transfers:
            return {}
        figures: Figures = {}
        size = scale.transfer_bytes
        for name, way, path, bytes_ in (
            ("down", "down", f"/down-{size}", size),
            ("up", "up", "/up", size),
            ("replayable", "up", "/up", REPLAYABLE_BYTES),
        ):
            if runner.tree is not None:
                runner.tree.forget_peak()
            before = _use(runner.tree)
            numbers = run_load("transfer", way, runner.port, path, TOKEN, bytes_)
            figures[f"{name}_mb_s"] = numbers["mb_s"]
            figures[f"{name}_growth_mb"] = _use(runner.tree).peak_mb - before.rss_mb
        return figures

    return transfers_of


def paid(scale: Scale) -> Callable[[Runner], Figures]:
    """Calls that are paid one by one, and calls from credit with a fresh sign-in each."""

    def paid_of(runner: Runner) -> Figures:
        figures: Figures = {}
        for name, path in (("paid", runner.peer.paid), ("credit", runner.peer.credit)):
            if path:
                numbers = chat(runner, 32, scale.run_ms, path=path)
                figures[f"{name}_rate"] = numbers["rate"]
                figures[f"{name}_cpu_us"] = numbers["cpu_us"]
                figures[f"{name}_p50_us"] = chat(runner, 1, scale.run_ms, path=path)["p50_us"]
        return figures

    return paid_of


class Background:
    """Slow streams that are open while something else is measured."""

    def __init__(self, runner: Runner, count: int, seconds: int) -> None:
        self._words = (
            *("load", "stream", runner.port, CHAT, TOKEN),
            *(count, seconds, 1_000_000),
        )
        self._fault = ""
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()
        time.sleep(1.0)  # until all of them are open

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        if self._fault:
            raise RuntimeError(self._fault)

    def _run(self) -> None:
        try:
            run_load(*self._words)
        except RuntimeError as fault:
            self._fault = str(fault)
