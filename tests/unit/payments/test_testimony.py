"""A person's word beside every mixture of what endpoints say."""

from __future__ import annotations

import pytest

from sidecar.ledger.model import Proof
from sidecar.payments.evidence import Dead, Finding, Moved, Unknown
from sidecar.payments.testimony import weigh_posted, weigh_voided
from sidecar.refusal import Denied

MOVED, DEAD = Moved(Proof("chain", "0xa")), Dead(Proof("expired"))
FAILED, LASTING = Unknown("no answer"), Unknown("forgotten", lasting=True)
PERSON = Proof("person")


def outcome(answer: Proof | Denied) -> str:
    return answer.rule if isinstance(answer, Denied) else answer.kind


@pytest.mark.parametrize(
    ("findings", "comes_to"),
    [
        ([], "person"),
        ([MOVED], "chain"),
        ([MOVED, MOVED], "chain"),
        ([MOVED, FAILED], "person"),
        ([FAILED], "person"),
        ([LASTING], "person"),
        ([DEAD], "chain_disagrees"),
        ([MOVED, DEAD], "chain_disagrees"),
        ([FAILED, DEAD], "chain_disagrees"),
    ],
)
def test_posted(findings: list[Finding], comes_to: str) -> None:
    """Posted on the chain's word, else on the person's; never where the chain says it cannot be."""
    assert comes_to == outcome(weigh_posted("0xb", findings))


def test_transaction() -> None:
    """The transaction is the chain's where all endpoints have it, else the one that was named."""
    assert Proof("chain", "0xa") == weigh_posted("0xb", [MOVED])
    assert Proof("person", "0xb") == weigh_posted("0xb", [MOVED, FAILED])


@pytest.mark.parametrize(
    ("findings", "comes_to"),
    [
        ([], "person"),
        ([DEAD], "expired"),
        ([DEAD, DEAD], "expired"),
        ([LASTING], "person"),
        ([LASTING, DEAD], "person"),
        ([FAILED], "chain_undecided"),
        ([DEAD, FAILED], "chain_undecided"),
        ([MOVED], "chain_disagrees"),
        ([FAILED, MOVED], "chain_disagrees"),
        ([DEAD, MOVED], "chain_disagrees"),
    ],
)
def test_voided(findings: list[Finding], comes_to: str) -> None:
    """Never voided where one endpoint saw it move, nor where one may yet tell."""
    assert comes_to == outcome(weigh_voided(findings))
