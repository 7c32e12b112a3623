"""Plants each known bug once, in a copy of the tree, and demands that its test fails.

A money rule whose violation no test sees is not held. Run by `make test` and `make mutants`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.judge import judged
from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS, SLOW_MUTANTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("sidecar", "tests", "config", "deploy", "Dockerfile", ".dockerignore", "pyproject.toml")
IGNORED = shutil.ignore_patterns("__pycache__", "node_modules", ".hypothesis")
TIME_MAX_S = 300
# A bug of two that race may pass its test once by luck. How often it did is printed.
LOOKS_MAX = 3
# A bug that does not even run is seen by any test, and shows nothing.
BROKEN = ("NameError", "SyntaxError", "ImportError", "IndentationError")


@contextmanager
def planted(mutant: Mutant) -> Iterator[Path | None]:
    """A copy of the tree with this bug in it; None where its place is not there exactly once."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=IGNORED)
            else:
                shutil.copy(source, tree / name)
        # What is installed for the tests is read, and never written.
        (tree / ".world").symlink_to(ROOT / ".world")
        target = tree / mutant.file
        text = target.read_text()
        if text.count(mutant.old) != 1:
            yield None
            return
        target.write_text(text.replace(mutant.old, mutant.new))
        yield tree


def survives(mutant: Mutant) -> str:
    """Empty when the bug is caught; else what happened."""
    with planted(mutant) as tree:
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


def looked_for(mutant: Mutant) -> list[str]:
    """What happened at each look that did not catch it; LOOKS_MAX of these: it survives."""
    missed: list[str] = []
    while len(missed) < LOOKS_MAX and (said := survives(mutant)):
        missed.append(said)
    return missed


def main(words: Sequence[str] = ()) -> int:
    """Run those whose names hold any of these words, or all; 0 when every one is caught.

    ``--slow`` runs those instead that each take a whole day of the canary's.
    """
    known = SLOW_MUTANTS if "--slow" in words else MUTANTS
    wanted = [word for word in words if word != "--slow"]
    chosen = [m for m in known if not wanted or any(word in m.name for word in wanted)]
    # Most of these tests wait for a process of their own half of the time.
    with ThreadPoolExecutor(max_workers=2 * (os.cpu_count() or 1)) as pool:
        looks = list(zip(chosen, pool.map(looked_for, chosen), strict=True))
    survivors = [mutant for mutant, missed in looks if len(missed) == LOOKS_MAX]
    for mutant, _ in looks:
        print(f"{'SURVIVED' if mutant in survivors else 'caught  '}  {mutant.name}")
    # Last, where a log that was cut to its end still shows them.
    for mutant, missed in looks:
        for said in missed:
            print(f"\nmissed: {mutant.name} ({' '.join(mutant.tests)}): {said}")
    print(f"mutants: {len(chosen) - len(survivors)} caught, {len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
