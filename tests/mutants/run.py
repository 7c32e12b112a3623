"""Plants each known bug once, in a copy of the tree, and demands that its test fails.

A money rule whose violation no test sees is not held. Run by `make test` and `make mutants`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.mutants.judge import judged
from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS, SLOW_MUTANTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("sidecar", "tests", "config", "deploy", "Dockerfile", ".dockerignore", "pyproject.toml")
IGNORED = shutil.ignore_patterns("node_modules", ".hypothesis")
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
def sound_tree() -> Iterator[Path]:
    """A copy of the tree, with what was compiled of it: a planted bug compiles its file alone."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=IGNORED)
            else:
                shutil.copy2(source, tree / name)
        yield tree


@contextmanager
def planted(mutant: Mutant, sound: Path) -> Iterator[Path | None]:
    """The tree with this bug in it; None where its place is not there exactly once."""
    text = (sound / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        # Every file but the one with the bug is shared by all: no test writes to these.
        shutil.copytree(sound, tree, copy_function=os.link, dirs_exist_ok=True)
        # What is installed for the tests is read, and never written.
        (tree / ".world").symlink_to(ROOT / ".world")
        target = tree / mutant.file
        target.unlink()
        target.write_text(text.replace(mutant.old, mutant.new))
        yield tree


def survives(mutant: Mutant, sound: Path) -> str:
    """Empty when the bug is caught; else what happened."""
    with planted(mutant, sound) as tree:
        if tree is None:
            return f"its place in {mutant.file} is not there exactly once: update the list"
        status, said = judged(tree, mutant.tests, TIME_MAX_S)
    if status is None:
        return f"its tests took over {TIME_MAX_S} s: give what they wait for a limit"
    # 1 is "tests ran and some failed"; anything else says nothing about the bug.
    broken = [fault for fault in BROKEN if fault in said]
    if status == 1 and not broken:
        return ""
    return f"pytest ended with {status}\n{said[-2000:]}"


def looked_for(mutant: Mutant, sound: Path) -> Look:
    """What happened at each look that did not catch it; LOOKS_MAX of these: it survives."""
    began = time.monotonic()
    missed: list[str] = []
    while len(missed) < LOOKS_MAX and (said := survives(mutant, sound)):
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
    with sound_tree() as sound, ThreadPoolExecutor(3 * (os.cpu_count() or 1)) as pool:
        # Long ones last would be waited for with nothing else to do.
        looks = list(pool.map(partial(looked_for, sound=sound), sorted(chosen, key=_slow_first)))
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
