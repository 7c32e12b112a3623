"""The simulation's control: each bug of a money rule is planted in a copy, and seeds must find it.

``python -m tests.simulation.controls [word ...]`` runs those whose name has such a word, each for
at most a minute on one core, and prints after how many seeds it was found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.mutants.mutant import Mutant
from tests.mutants.mutants import MUTANTS
from tests.mutants.run import planted

WAIT_S = 60
# Their code is not part of the simulation: the proxy's delivery, sign-ins, Solana.
ELSEWHERE = ("sidecar/proxy/", "sidecar/siwx/", "sidecar/payments/solana_evidence.py")
PROOF = '__import__("sidecar.ledger.model").ledger.model.Proof("expired")'
OWN = (
    Mutant(
        "own: voids by the local clock",
        "sidecar/payments/prover.py",
        "        findings = [",
        "        if self._clock.now() > payment.authorization.expires_at:\n"
        f"            return Dead({PROOF})\n"
        "        findings = [",
        (),
    ),
    Mutant(
        "own: takes a failed read for absence",
        "sidecar/payments/prover.py",
        "            return Unknown(fault.diagnostics())",
        f"            return Dead({PROOF})",
        (),
    ),
    Mutant(
        "own: believes one of two endpoints",
        "sidecar/payments/prover.py",
        "        if any(type(finding) is not type(first) for finding in findings):",
        "        if False:",
        (),
    ),
    Mutant(
        "own: writes down after sending",
        "sidecar/payments/payer.py",
        "        denied = await self._ledger.authorize(payment.id, authorization, now)\n",
        "        signed = order.route.signer.sign(authorization)\n"
        "        early = order.request.with_headers(payment_header(payment.envelope, signed))\n"
        "        await order.route.upstream.send(early, wait_s=1)\n"
        "        denied = await self._ledger.authorize(payment.id, authorization, now)\n",
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
)


def found(mutant: Mutant) -> str:
    """After how many seeds and seconds the bug was seen, and by which invariant; or nothing."""
    with planted(mutant) as tree:
        if tree is None:
            return f"its place in {mutant.file} is not there exactly once"
        began_s = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "tests.simulation.run", "0", str(WAIT_S)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        took_s = time.monotonic() - began_s
    seeds, _, breach = run.stdout.strip().partition(" ")
    if run.returncode == 1 and breach:
        return f"CAUGHT after {seeds} seeds, {took_s:.0f} s: {breach[:100]}"
    return f"not seen in {seeds} seeds {run.stderr[-300:]}"


def main() -> int:
    """Run them; 0 when each was caught."""
    words = sys.argv[1:] or [""]
    chosen = [
        mutant
        for mutant in (*MUTANTS, *OWN)
        if any(word in mutant.name for word in words) and not mutant.file.startswith(ELSEWHERE)
    ]
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
