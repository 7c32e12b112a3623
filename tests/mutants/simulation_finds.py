"""Bugs that the simulation has found, or could not see before its model was made stricter."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CLOCK = "tests/unit/test_clock.py"
TOP_UPS = "tests/flows/test_topups.py"
EVM = "tests/unit/payments/test_evidence.py"
SOLANA = "tests/unit/payments/test_solana_evidence.py"
WRITES = "tests/faults/test_ledger_writes.py"

SIMULATION_FINDS = (
    Mutant(
        "takes the newest lead of the wall clock for all of a request's time",
        "sidecar/clock.py",
        "lead_s = next(lead_s for lead_s, until_s in self._leads if until_s >= mark_s)",
        "lead_s = self._leads[-1][0]",
        (f"{CLOCK}::test_after", f"{TOP_UPS}::test_clock_set_before_the_refusal"),
    ),
    Mutant(
        "forgets how the wall clock stood when a request was sent",
        "sidecar/clock.py",
        "        self.now()\n        return self._leads[-1][1]\n",
        "        return self._clock.monotonic_s()\n",
        (f"{CLOCK}::test_after", f"{CLOCK}::test_clock_that_is_slewed"),
    ),
    Mutant(
        "takes a step of the wall clock by an hour for one that is slewed",
        "sidecar/clock.py",
        "if leads and lead_s - leads[-1][0] < 1:",
        "if leads:",
        (CLOCK,),
    ),
    Mutant(
        "dates a refused request before the charge is asked for",
        "sidecar/payments/prepaid.py",
        "        def rule() -> TopUpRule:\n"
        "            return TopUpRule(after(self.sent_s), route.terms.hourly_max)\n",
        "        dated = TopUpRule(\n"
        '            __import__("datetime").datetime(2026, 11, 21, 12, tzinfo=__import__("datetime").UTC)\n'
        '            + __import__("datetime").timedelta(seconds=self.sent_s),\n'
        "            route.terms.hourly_max,\n"
        "        )\n\n"
        "        def rule() -> TopUpRule:\n"
        "            return dated\n",
        (f"{TOP_UPS}::test_clock_set_while_it_is_bought",),
    ),
    Mutant(
        "asks an EVM chain for its id only after the other reads",
        "sidecar/payments/evidence.py",
        "    if (yield from evm.chain_id(url)) != asset.chain_id:\n        return ELSEWHERE\n"
        "    assert",
        "    assert",
        (f"{EVM}::test_led_elsewhere",),
    ),
    Mutant(
        "asks an EVM chain for its id only before the other reads",
        "sidecar/payments/evidence.py",
        "    if isinstance(finding, Dead) and (yield",
        "    if False and (yield",
        (f"{EVM}::test_led_elsewhere",),
    ),
    Mutant(
        "asks a cluster for its name only after the other reads",
        "sidecar/payments/solana_evidence.py",
        "    if (yield from solana.network(url)) != payment.network:\n        return ELSEWHERE\n"
        "    tip",
        "    tip",
        (f"{SOLANA}::test_led_elsewhere",),
    ),
    Mutant(
        "asks a cluster for its name only before the other reads",
        "sidecar/payments/solana_evidence.py",
        "    if (yield from solana.network(url)) != payment.network:\n        return ELSEWHERE\n"
        "    return Dead",
        "    return Dead",
        (f"{SOLANA}::test_led_elsewhere",),
    ),
    Mutant(
        "holds for nobody what a failed commit has claimed",
        "sidecar/ledger/sqlite_writer.py",
        "    for payment_id in books.claims.unsure if writes else ():\n"
        "        books.release(payment_id)\n",
        "",
        (f"{WRITES}::test_claim_that_was_written",),
    ),
    Mutant(
        "takes a failed commit's claims for sure",
        "sidecar/ledger/sqlite_claims.py",
        "{} if committed else self._unsure | self._made",
        "{}",
        (f"{WRITES}::test_claim_that_was_written",),
    ),
)
