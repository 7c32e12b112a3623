"""A person's word on a payment in doubt, beside what its chain says.

    posted    unless an endpoint proves that it never can be; where all have seen the transfer,
              that is the proof
    voided    only where no endpoint has seen the transfer, and each has proved that it never can
              be paid, or answered and cannot tell. One that failed may tell in a minute

Where no endpoint is configured, the word is all there is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.ledger.model import Proof
from sidecar.payments.evidence import Dead, Finding, Moved, Unknown
from sidecar.refusal import Denied


def weigh_posted(transaction: str, findings: Sequence[Finding]) -> Proof | Denied:
    """Why it is posted. Denied: ``chain_disagrees``."""
    for finding in findings:
        if isinstance(finding, Dead):
            return Denied(
                "chain_disagrees",
                f"its chain proves that it can never be paid ({finding.proof.kind})",
            )
    moved = [finding.proof for finding in findings if isinstance(finding, Moved)]
    if moved and len(moved) == len(findings):
        return moved[0]
    return Proof("person", transaction)


def weigh_voided(findings: Sequence[Finding]) -> Proof | Denied:
    """Why it is voided. Denied: ``chain_disagrees``; ``chain_undecided``."""
    dead: list[Proof] = []
    for finding in findings:
        match finding:
            case Moved(proof):
                return Denied(
                    "chain_disagrees", f"its chain has the transfer, in {proof.transaction}"
                )
            case Dead(proof):
                dead.append(proof)
            case Unknown():
                pass
    for finding in findings:
        if isinstance(finding, Unknown) and not finding.lasting:
            return Denied(
                "chain_undecided",
                f"its chain may tell yet ({finding.why}); where an endpoint will never answer "
                "again, take it out of the config",
            )
    if dead and len(dead) == len(findings):
        return dead[0]
    return Proof("person")
