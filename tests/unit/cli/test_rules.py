"""The table of rules: whatever can be refused is explained, and by the right entry."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sidecar.cli.rules import RULES, advise, rule_of
from sidecar.ledger.model import PaymentState
from sidecar.metrics.catalogue import RULES as COUNTED
from sidecar.proxy.outcomes import answer_in_doubt
from sidecar.refusal import Denied
from tests.unit.cli.commands import Command
from tests.unit.cli.test_receipt import payment

SIDECAR = Path(__file__).resolve().parents[3] / "sidecar"


def test_counted() -> None:
    """Every rule that the metrics count has an entry."""
    assert [] == [rule for rule in COUNTED if rule not in RULES]


def test_documented() -> None:
    """So has every rule that a refusal may have."""
    said = re.search(r"labels a metric\): (.*?)\. ", Denied.__doc__ or "", re.S)
    assert said is not None

    assert [] == [rule for rule in re.findall(r"\w+", said[1]) if rule not in RULES]


def test_answered() -> None:
    """So has every code that an app reads in an error of the sidecar's."""
    text = "".join(path.read_text() for path in (SIDECAR / "proxy").glob("*.py"))
    codes = set(re.findall(r'"sidecar_([a-z_]+)"', text)) | set(
        re.findall(r'_refuse\(\s*\d+,\s*"([a-z]+)"', text)
    )

    assert "payment_in_doubt" in codes
    assert "origin" in codes
    assert [] == sorted(code for code in codes if code not in RULES)


@pytest.mark.parametrize("rule", RULES)
def test_sentences(rule: str) -> None:
    """An entry is whole sentences: what it means, and what to do."""
    advice = RULES[rule]

    assert advice.means.endswith(".")
    assert advice.fix.endswith((".", "anew.", "?"))


@pytest.mark.parametrize(
    ("rule", "decision", "key"),
    [
        ("budget", "denied", "budget"),
        ("sidecar_ledger", "failed", "ledger"),
        ("", "in_doubt", "payment_in_doubt"),
        ("", "undelivered", "paid_undelivered"),
        ("", "failed", "upstream"),
        ("of_tomorrow", "denied", ""),
        ("", "", ""),
    ],
)
def test_rule_of(rule: str, decision: str, key: str) -> None:
    """What was answered is found by its rule, else by what was decided."""
    assert key == rule_of(rule, decision)


@pytest.mark.parametrize(
    ("said", "do"),
    [
        ("402: invalid_exact_evm_insufficient_balance", "send USDC"),
        ("402: invalid_exact_evm_payload_authorization_valid_before", "sidecar doctor"),
        ("402: invalid_exact_svm_payload_memo_mismatch", "sidecar doctor"),
        ("402: settlement_pending", "Send the same call again"),
        ("the upstream did not answer in 30 s", "Send the same call again"),
    ],
)
def test_said_by_the_seller(said: str, do: str) -> None:
    """What is in doubt because of the wallet or the clock is mended there: the seller says so."""
    detail = answer_in_doubt(payment(1, PaymentState.AUTHORIZED), said, None).message
    advice = advise("payment_in_doubt", detail)

    assert advice is not None
    assert do in advice.fix


def test_said_of_something_else() -> None:
    """Words like a seller's in another refusal change nothing; what nobody knows has no advice."""
    assert RULES["upstream"] == advise("upstream", "insufficient_funds")
    assert None is advise("", "insufficient_funds")


def test_all(sidecar: Command) -> None:
    """explain --rules shows all of them, whether there is a config or not."""
    shown = sidecar("explain", "--rules", "--config", "/nowhere.yaml")
    as_json = json.loads(sidecar("explain", "--rules", "--json").out)

    assert list(RULES) == re.findall(r"^(\w+)$", shown.out, re.M)
    assert list(RULES) == [row["rule"] for row in as_json]
