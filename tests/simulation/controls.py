"""The simulation's control: each bug of a money rule is planted in a copy, and seeds must find it.

``python -m tests.simulation.controls [word ...]`` runs those whose name has such a word, each for
at most a minute of one core, and prints which seed saw it, and when. It ends with 1 where one was
not seen, or died of its own fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS
from tests.mutants.trees import sound_trees
from tests.simulation.run import FAULT, live

WAIT_S = 60
# Those of the list that break a money rule in code that the simulation runs. Not there is "tops up
# for each that waits": the ledger holds that rule, too, and buys once for them all.
CHOSEN = (
    "signs again while a payment is in doubt",
    "forgets what it could not release",
    "takes a 402 after payment for unpaid",
    "ignores the open payment after a restart",
    "voids what is unused now",
    "voids by the local clock",
    "takes a failed read for absence",
    "writes down after sending",
    "tops up beside another process",
    "tops up for a refusal that is older than the last top-up",
    "takes a served request for credit that came",
    "takes credit that came for one that helps",
    "gives a top-up up, and so allows the next",
    "gives a top-up up that was paid and refused",
    "reserves while frozen",
    "presents while frozen what it would not sign again",
    "writes down while frozen",
    "goes on presenting after a freeze",
    "voids on Solana what a late node does not show",
    "voids on Solana by the time alone",
)
# A bug that does not even run is seen by any seed, and shows nothing.
BROKEN = tuple(
    f"{FAULT}{fault}Error"
    for fault in ("Name", "Import", "Syntax", "Attribute", "Type", "UnboundLocal")
)
OWN = (
    Mutant(
        "own: believes one of two endpoints",
        "sidecar/payments/prover.py",
        "        if any(type(finding) is not type(first) for finding in findings):",
        "        if False:",
        (),
    ),
    Mutant(
        "own: voids what the latest block does not show",
        "sidecar/payments/evidence.py",
        "    if expired:\n        at_final = hex(final.number)\n",
        "    if True:\n        at_final = hex(final.number)\n",
        (),
    ),
    Mutant(
        "own: spends past the cap",
        "sidecar/ledger/sqlite_budgets.py",
        "WHERE reserved + spent + ?3 <= ?4\n",
        "WHERE spent + ?3 <= ?4\n",
        (),
    ),
    Mutant(
        "own: lets go before the outcome is known",
        "sidecar/payments/payer.py",
        "        held = False\n        try:\n            outcome = await self._presentations",
        "        held = False\n        await self._release(payment.id)\n"
        "        try:\n            outcome = await self._presentations",
        (),
    ),
    Mutant(
        "own: marks delivered what was cut",
        "tests/simulation/apps.py",
        "        ended = process.payer.delivered if complete else process.payer.released\n",
        "        ended = process.payer.delivered\n",
        (),
    ),
    Mutant(
        "own: voids on Solana without a look at the history",
        "sidecar/payments/solana_evidence.py",
        "    found = yield from _search(url, payment, tip, commitment)\n",
        "    found = None\n",
        (),
    ),
    Mutant(
        "own: believes another network's endpoint",
        "sidecar/payments/solana_evidence.py",
        "    if (yield from solana.network(url)) != payment.network:\n        return ELSEWHERE\n"
        "    return Dead",
        "    return Dead",
        (),
    ),
    Mutant(
        "own: forgets on Solana that a blockhash lives on",
        "sidecar/payments/solana_evidence.py",
        "    if not expired:\n",
        "    if False:\n",
        (),
    ),
    Mutant(
        "own: takes a seller's blockhash for dead by the time",
        "sidecar/payments/solana_evidence.py",
        "    return not valid\n",
        "    return True\n",
        (),
    ),
)


def found(mutant: Mutant) -> str:
    """By which seed the bug was seen, after how many seconds, and as what; or why not."""
    with sound_trees() as trees, trees.planted(mutant) as tree:
        if tree is None:
            return f"its place in {mutant.file} is not there exactly once"
        run = subprocess.run(
            [sys.executable, "-m", "tests.simulation.run", "0", str(WAIT_S)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    count, *breaches = run.stdout.splitlines()
    broken = [breach for breach in breaches if breach.startswith(BROKEN)]
    seen = [breach for breach in breaches if not breach.startswith(FAULT)]
    if broken or run.stderr:
        return f"does not run: {broken or run.stderr[-300:]}"
    seeds, _, seconds = count.partition(" ")
    # What the seed shows without the bug as well is no sign of the bug.
    if seen and live(int(seeds) - 1).breaches:
        return f"seed {int(seeds) - 1} breaks without it, too"
    if seen:
        return f"CAUGHT by seed {int(seeds) - 1} after {seconds} s: {seen[0][:100]}"
    return f"not seen in {seeds} seeds, {seconds} s {breaches[:1]}"


def main() -> int:
    """Run them; 0 when each was caught."""
    words = sys.argv[1:] or [""]
    by_name = {mutant.name: mutant for mutant in MUTANTS}
    planned = (*(by_name[name] for name in CHOSEN), *OWN)
    chosen = [mutant for mutant in planned if any(word in mutant.name for word in words)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = pool.map(found, chosen)
        missed = 0
        for mutant, result in zip(chosen, results, strict=True):
            missed += not result.startswith("CAUGHT")
            print(f"{mutant.name}: {result}", flush=True)
    print(f"controls: {len(chosen) - missed} caught, {missed} not")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
