"""The field: all peers running at once before one upstream, and measured in turns.

Every figure is taken once for each peer before any is taken again, so that a machine whose speed
drifts does so for all of them.
"""

from __future__ import annotations

import math
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import LOAD_CORE, PROXY_CORE, WORLD, Tree, answers, free_port, running
from bench.peers import CHAT, TOKEN, Peer, Upstream
from bench.sidecars import seller_terms

# A long ledger is checked before anything is paid from it.
START_WAIT_S = 180.0
POLL_S = 0.002
SETTLE_S = 1.0

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Runner:
    """A peer that runs: ``tree`` is None for no proxy at all."""

    peer: Peer
    port: int
    tree: Tree | None


@dataclass(slots=True)
class Book:
    """Every figure that was taken: by peer, then by name.

    After ``ends_s``, of the monotonic clock, no other round of anything is begun.
    """

    ends_s: float = math.inf
    taken: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def note(self, peer: str, figures: Figures) -> None:
        for name, value in figures.items():
            self.taken.setdefault(peer, {}).setdefault(name, []).append(value)

    def fail(self, peer: str, what: str) -> None:
        """A figure that could not be taken has a reason, which the table shows."""
        self.missing.setdefault(peer, what)

    def median(self, peer: str, name: str) -> float | None:
        """None where nothing was taken."""
        values = self.taken.get(peer, {}).get(name)
        return statistics.median(values) if values else None

    def ratios(self, name: str, peer: str, other: str) -> list[float]:
        """One peer's figure to another's in the same round, round by round."""
        mine = self.taken.get(peer, {}).get(name, [])
        theirs = self.taken.get(other, {}).get(name, [])
        return [one / two for one, two in zip(mine, theirs, strict=False) if two]

    def absorb(self, other: Book, prefix: str) -> None:
        """Take over another book's figures, under names that begin with ``prefix``."""
        for peer, figures in other.taken.items():
            for name, values in figures.items():
                self.taken.setdefault(peer, {}).setdefault(prefix + name, []).extend(values)
        for peer, why in other.missing.items():
            self.fail(f"{peer}: {prefix}", why)

    def is_late(self) -> bool:
        """Whether the time for all of it has passed."""
        return time.monotonic() > self.ends_s


@contextmanager
def upstream(folder: Path) -> Iterator[Upstream]:
    """The mock upstream."""
    port = free_port()
    command = [str(WORLD / "bin" / "upstream"), str(port), *seller_terms(port)]
    with running(command, LOAD_CORE, folder / "upstream.log") as tree:
        await_answer(port, "upstream", tree)
        yield Upstream(port)


def await_answer(port: int, name: str, tree: Tree) -> None:
    """Return with the first 200; RuntimeError or TimeoutError when there will be none."""
    ends = time.monotonic() + START_WAIT_S
    while not answers(port, CHAT, TOKEN):
        if not tree.alive():
            raise RuntimeError(f"{name} ended before it answered")
        if time.monotonic() > ends:
            raise TimeoutError(f"{name} did not answer within {START_WAIT_S:.0f} s")
        time.sleep(POLL_S)


@contextmanager
def started(peer: Peer, folder: Path, up: Upstream, book: Book) -> Iterator[Runner | None]:
    """A peer from its spawn to its end; how long it took to its first 200, and what it holds."""
    home = folder / re.sub(r"[^A-Za-z0-9]+", "-", peer.name)
    home.mkdir(exist_ok=True, mode=0o700)
    port = free_port()
    launch = peer.start(home, port, up)
    if launch.missing:
        book.fail(peer.name, launch.missing)
        yield None
        return
    began = time.monotonic()
    with running(launch.command, PROXY_CORE, home / "log", launch.environment) as tree:
        try:
            await_answer(port, peer.name, tree)
        except (RuntimeError, TimeoutError) as fault:
            said = (home / "log").read_text(errors="replace").splitlines()
            book.fail(peer.name, ": ".join([str(fault), *said[-1:]]))
            yield None
            return
        first_ms = (time.monotonic() - began) * 1000
        time.sleep(SETTLE_S)
        book.note(peer.name, {"first_200_ms": first_ms, "rss_idle_mb": tree.use().rss_mb})
        yield Runner(peer, port, tree)


@contextmanager
def all_started(
    peers: Sequence[Peer], folder: Path, up: Upstream, book: Book
) -> Iterator[tuple[Runner, ...]]:
    """Those that start; no proxy at all comes first."""
    with ExitStack() as stack:
        runners = [Runner(Peer("direct", peers[0].start), up.port, None)]
        for peer in peers:
            runner = stack.enter_context(started(peer, folder, up, book))
            if runner is not None:
                runners.append(runner)
        yield tuple(runners)


def take_turns(
    runners: Sequence[Runner], rounds: int, measure: Callable[[Runner], Figures], book: Book
) -> None:
    """Each peer once, then each again. One that fails is out of this measurement, and named."""
    out: set[str] = set()
    what = getattr(measure, "__name__", "measure")
    for round_ in range(rounds):
        if book.is_late():
            book.fail(what, f"out of time after {round_} of {rounds} rounds")
            return
        for runner in runners:
            name = runner.peer.name
            if name in out:
                continue
            try:
                if runner.tree is not None and not runner.tree.alive():
                    raise RuntimeError("it has ended")
                book.note(name, measure(runner))
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as fault:
                out.add(name)
                book.fail(f"{name}: {what}", str(fault))
