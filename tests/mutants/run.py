"""Plants each known bug once, in a copy of the tree, and demands that its test fails.

A money rule whose violation no test sees is not held. Run by `make test` and `make mutants`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from tests.mutants.judge import judged
from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS, SLOW_MUTANTS
from tests.mutants.trees import Trees, sound_trees
from tests.world.postgres import PRISTINE, PostgresServer
from tests.world.processes import NotInstalledError

TIME_MAX_S = 300
# A bug of two that race may pass its test once by luck. How often it did is printed.
LOOKS_MAX = 3
# Their tests start processes.
SLOW = ("tests/e2e", "tests/canary", "tests/deploy", "tests/faults", "tests/hostile")
# A bug that does not even run is seen by any test, and shows nothing.
BROKEN = ("NameError", "SyntaxError", "ImportError", "IndentationError")


@dataclass(frozen=True, slots=True)
class Look:
    """How a bug was looked for."""

    mutant: Mutant
    missed: tuple[str, ...]
    took_s: float


@contextmanager
def one_initdb() -> Iterator[dict[str, str]]:
    """Variables by which the tests of all bugs start their servers from what initdb made once."""
    with ExitStack() as stack:
        environment = {}
        # Without it those that need one say so.
        with suppress(NotInstalledError):
            made = stack.enter_context(closing(PostgresServer()))
            environment[PRISTINE] = str(made.pristine)
        yield environment


def survives(mutant: Mutant, trees: Trees, environment: Mapping[str, str]) -> str:
    """Empty when the bug is caught; else what happened."""
    with trees.planted(mutant) as tree:
        if tree is None:
            return f"its place in {mutant.file} is not there exactly once: update the list"
        status, said = judged(tree, mutant.tests, TIME_MAX_S, environment)
    if status is None:
        return f"its tests took over {TIME_MAX_S} s: give what they wait for a limit"
    # 1 is "tests ran and some failed"; anything else says nothing about the bug.
    broken = [fault for fault in BROKEN if fault in said]
    if status == 1 and not broken:
        return ""
    return f"pytest ended with {status}\n{said[-2000:]}"


def looked_for(mutant: Mutant, trees: Trees, environment: Mapping[str, str]) -> Look:
    """What happened at each look that did not catch it; LOOKS_MAX of these: it survives."""
    began = time.monotonic()
    missed: list[str] = []
    while len(missed) < LOOKS_MAX and (said := survives(mutant, trees, environment)):
        missed.append(said)
    return Look(mutant, tuple(missed), time.monotonic() - began)


def _slow_first(mutant: Mutant) -> bool:
    return not any(test.startswith(SLOW) for test in mutant.tests)


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.mutants.run", description=__doc__)
    parser.add_argument("words", nargs="*", help="those whose names hold any of these; else all")
    parser.add_argument("--slow", action="store_true", help="those that take a canary's whole day")
    parser.add_argument("--times", action="store_true", help="what each took, the slowest last")
    return parser.parse_args(words)


def main(words: Sequence[str] = ()) -> int:
    """Run what is asked for; 0 when every bug is caught, 2 when there is none of such a name."""
    args = _parsed(words)
    known = SLOW_MUTANTS if args.slow else MUTANTS
    chosen = [m for m in known if not args.words or any(word in m.name for word in args.words)]
    if not chosen:
        print(f"no planted bug has any of these words in its name: {' '.join(args.words)}")
        return 2
    # Most of these tests wait for a process of their own most of the time.
    threads = 4 * (os.cpu_count() or 1)
    with sound_trees() as trees, one_initdb() as environment, ThreadPoolExecutor(threads) as pool:
        look_for = partial(looked_for, trees=trees, environment=environment)
        # Long ones last would be waited for with nothing else to do.
        looks = list(pool.map(look_for, sorted(chosen, key=_slow_first)))
    survivors = [look for look in looks if len(look.missed) == LOOKS_MAX]
    for look in looks:
        print(f"{'SURVIVED' if look in survivors else 'caught  '}  {look.mutant.name}")
    if args.times:
        for look in sorted(looks, key=lambda look: look.took_s):
            print(f"{look.took_s:6.1f} s  {look.mutant.name} ({' '.join(look.mutant.tests)})")
    # Last, where a log that was cut to its end still shows them.
    for look in looks:
        for said in look.missed:
            print(f"\nmissed: {look.mutant.name} ({' '.join(look.mutant.tests)}): {said}")
    print(f"mutants: {len(looks) - len(survivors)} caught, {len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
