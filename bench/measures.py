"""What is measured of one peer in one round: each function takes one runner and returns figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench.field import Figures, Runner
from bench.machine import Tree, Use, run_load
from bench.peers import CHAT, TOKEN

MEGABYTE = 1_000_000
FIRSTS = 9
STREAMS, STREAM_EVENTS, STREAM_GAP_US = 32, 50, 10_000
# Gaps so long that a reader which waits for its core merges nothing itself.
PACED_STREAMS, PACED_EVENTS, PACED_GAP_US = 8, 10, 50_000
SLOW_STREAMS, SLOW_GAP_US = 500, 1_000_000
# Below the replay cap: what the sidecar keeps so that it could pay for it. A hundred, in pieces.
REPLAYABLE_BYTES, REPLAYABLE_TIMES = 12 * MEGABYTE, 8
PAIR_TIMES = 3
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
    slow_events: int  # of each slow stream, a second apart


QUICK = Scale(1, 400, 50 * MEGABYTE, 100_000, 1000, 2)
FULL = Scale(5, 1000, 200 * MEGABYTE, 1_000_000, 1000, 4)


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


def calls(scale: Scale) -> tuple[Callable[[Runner], Figures], ...]:
    """Unpaid chat calls at concurrency 1, 32 and 128, with heads that change and that do not."""

    def calls_of_one(runner: Runner) -> Figures:
        one = chat(runner, 1, scale.run_ms)
        return {"p50_us": one["p50_us"], "p99_us": one["p99_us"]}

    def calls_of_32(runner: Runner) -> Figures:
        many = chat(runner, 32, scale.run_ms)
        changing = chat(runner, 32, scale.run_ms, "changing")
        return {
            "rate_32": many["rate"],
            "cpu_us": many["cpu_us"],
            "rate_32_changing": changing["rate"],
            "cpu_us_changing": changing["cpu_us"],
        }

    def calls_of_128(runner: Runner) -> Figures:
        figures = {"rate_128": chat(runner, 128, scale.run_ms)["rate"]}
        if runner.tree is not None:
            figures["rss_load_mb"] = runner.tree.use().rss_mb
        return figures

    return calls_of_one, calls_of_32, calls_of_128


def pair(scale: Scale) -> Callable[[Runner], Figures]:
    """Calls at concurrency 32 alone: for two that are compared with each other, in short turns."""

    def pair_of(runner: Runner) -> Figures:
        many = chat(runner, 32, scale.run_ms)
        return {"pair_rate": many["rate"], "pair_cpu_us": many["cpu_us"]}

    return pair_of


def streams(runner: Runner) -> Figures:
    """Paced server-sent events: how late each comes, and whether two come as one."""
    firsts = [
        run_load("load", "stream", runner.port, CHAT, TOKEN, 1, 2, 2_000)["first_p50_us"]
        for _ in range(FIRSTS)
    ]
    before = _use(runner.tree)
    many = run_load(
        "load", "stream", runner.port, CHAT, TOKEN, STREAMS, STREAM_EVENTS, STREAM_GAP_US
    )
    cpu_s = _use(runner.tree).cpu_s - before.cpu_s
    paced = run_load(
        "load", "stream", runner.port, CHAT, TOKEN, PACED_STREAMS, PACED_EVENTS, PACED_GAP_US
    )
    return {
        "first_event_us": statistics.median(firsts),
        "event_delay_us": paced["delay_p50_us"],
        "event_delay_p99_us": paced["delay_p99_us"],
        "events_merged_percent": paced["merged"] / paced["events"] * 100,
        "event_cpu_us": cpu_s / many["events"] * 1e6,
    }


def slow_streams(scale: Scale) -> Callable[[Runner], Figures]:
    """Five hundred streams at once, with an event a second each: memory and the first event."""

    def slow_streams_of(runner: Runner) -> Figures:
        if runner.tree is not None:
            runner.tree.forget_peak()
        before = _use(runner.tree)
        words = (SLOW_STREAMS, scale.slow_events, SLOW_GAP_US)
        numbers = run_load("load", "stream", runner.port, CHAT, TOKEN, *words)
        peak_mb = _use(runner.tree).peak_mb
        return {
            "slow_kb_each": (peak_mb - before.rss_mb) * 1024 / SLOW_STREAMS,
            "slow_rss_mb": peak_mb,
            "slow_first_ms": numbers["first_max_us"] / 1000,
        }

    return slow_streams_of


def transfer(name: str, way: str, size: int, times: int = 1) -> Callable[[Runner], Figures]:
    """A large body, again and again: how fast, and what the proxy grew by.

    Not every peer takes any body.
    """

    def transfer_of(runner: Runner) -> Figures:
        if not runner.peer.transfers:
            return {}
        if runner.tree is not None:
            runner.tree.forget_peak()
        before = _use(runner.tree)
        path = f"/down-{size}" if way == "down" else "/up"
        words = ("transfer", way, runner.port, path, TOKEN, size)
        seconds = sum(run_load(*words)["seconds"] for _ in range(times))
        grown_mb = _use(runner.tree).peak_mb - before.rss_mb
        rate = times * size / seconds / MEGABYTE
        return {f"{name}_mb_s": rate, f"{name}_growth_mb": grown_mb}

    transfer_of.__name__ = f"{name}_of_{size // MEGABYTE}_MB"
    return transfer_of


def transfers(scale: Scale) -> tuple[Callable[[Runner], Figures], ...]:
    """One large body down, one up, and some up that are small enough to be kept for a payment."""
    return (
        transfer("down", "down", scale.transfer_bytes),
        transfer("up", "up", scale.transfer_bytes),
        transfer("replayable", "up", REPLAYABLE_BYTES, REPLAYABLE_TIMES),
    )


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
