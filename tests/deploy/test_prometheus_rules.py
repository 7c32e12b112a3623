"""The alert rules: what they ask for exists, and each fires and stays silent where it should.

promtool runs deploy/prometheus/rules.test.yaml. That those tests are worth something is shown by
weakened rules (tests/mutants/alert_rules.py), each of which has to fail them.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.cli.parser import make_parser
from sidecar.metrics import METRICS, catalogue
from tests.deploy.expressions import asked, mistakes
from tests.mutants.alert_rules import ALERT_RULES
from tests.mutants.mutant import Mutant
from tests.world.prometheus import RULES, SHIPPED, program

TESTS = SHIPPED / "rules.test.yaml"
# What operations.md asks for; the rest is ours.
DEMANDED = {
    "WalletLow",
    "CreditLow",
    "BudgetBurnRate",
    "InDoubt",
    "TopUpStorm",
    "PayeeChanged",
    "PaidButNotDelivered",
    "BalanceStale",
    "LedgerUnwritable",
    "ReloadFailed",
}


@cache
def read(text: str) -> Any:
    """A YAML document; the files are long, and asked for often."""
    return yaml.load(text, yaml.CSafeLoader)


def alerts(rules: str = "") -> list[dict[str, Any]]:
    """Every rule of these, or of the file."""
    document = read(rules or RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def title(alert: dict[str, Any]) -> tuple[str, str]:
    """What tells two rules apart: one alert may be told of as two severities."""
    return alert["alert"], alert["labels"]["severity"]


def promtool(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *argv], capture_output=True, text=True, check=False, timeout=120
    )


def judged(folder: Path, rules: str, names: set[str]) -> subprocess.CompletedProcess[str]:
    """What the cases of these alerts say of these rules: every case runs every rule it is given."""
    document, tests = deepcopy(read(rules)), dict(read(TESTS.read_text()))
    tests["tests"] = [test for test in tests["tests"] if names & named_in(test)]
    wanted = names.union(*map(named_in, tests["tests"]))
    for group in document["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] in wanted]
    (folder / "rules.yaml").write_text(yaml.safe_dump(document))
    (folder / "rules.test.yaml").write_text(yaml.safe_dump(tests))
    return promtool("test", "rules", folder / "rules.test.yaml")


def named_in(test: dict[str, Any]) -> set[str]:
    """The alerts that a case is about."""
    patterns = re.findall(r'alertname=~?"([\w.*]+)"', str(test["promql_expr_test"]))
    known = {alert["alert"] for alert in alerts()}
    return {name for name in known for pattern in patterns if re.fullmatch(pattern, name)}


def test_promtool_takes_the_files() -> None:
    """promtool finds no mistake in the rules and in the example of a scrape config."""
    rules, config = (
        promtool("check", "rules", "--lint-fatal", RULES),
        promtool("check", "config", "--lint-fatal", SHIPPED / "prometheus.yaml"),
    )

    assert (0, 0) == (rules.returncode, config.returncode), rules.stderr + config.stderr


@pytest.mark.parametrize("name", sorted({alert["alert"] for alert in alerts()}))
def test_alert(name: str, tmp_path: Path) -> None:
    """Every case of rules.test.yaml that is about this alert holds."""
    verdict = judged(tmp_path, RULES.read_text(), {name})

    assert 0 == verdict.returncode, verdict.stdout + verdict.stderr


@pytest.mark.parametrize("mutant", ALERT_RULES, ids=lambda mutant: mutant.name)
def test_weakened_rules_fail(mutant: Mutant, tmp_path: Path) -> None:
    """A rule that is weakened fails a case of rules.test.yaml."""
    rules = RULES.read_text()
    assert mutant.old in rules
    weakened = rules.replace(mutant.old, mutant.new)
    (tmp_path / "weakened.yaml").write_text(weakened)
    changed = {
        title(new)[0] for old, new in zip(alerts(), alerts(weakened), strict=True) if old != new
    }

    assert 0 == promtool("check", "rules", tmp_path / "weakened.yaml").returncode
    assert "FAILED:" in judged(tmp_path, weakened, changed).stderr


def test_demanded() -> None:
    """Every alert that operations.md asks for is there."""
    assert set() == DEMANDED - {alert["alert"] for alert in alerts()}


def cases() -> dict[tuple[str, str], set[bool]]:
    """For every alert whether a case has it fire (True), and whether one has it silent (False)."""
    found = defaultdict[tuple[str, str], set[bool]](set)
    for test in read(TESTS.read_text())["tests"]:
        for case in test["promql_expr_test"]:
            for sample in case["exp_samples"]:
                said = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
                found[said["alertname"], said["severity"]].add(True)
            if not case["exp_samples"]:
                for each in filter(partial(is_asked_for, case["expr"]), map(title, alerts())):
                    found[each].add(False)
    return found


def is_asked_for(expression: str, alert: tuple[str, str]) -> bool:
    """Whether a case that asks for ALERTS by this would see that this one fires."""
    asked_for = dict(re.findall(r'(\w+)=~?"([^"]*)"', expression))
    name, severity = alert
    pattern = re.compile(asked_for["alertname"])
    return bool(pattern.fullmatch(name)) and severity == asked_for.get("severity", severity)


def test_both_cases() -> None:
    """Each alert has a case where it fires, and one where it is silent."""
    found = cases()

    assert {} == {
        each: found.get(each) for each in map(title, alerts()) if {True, False} != found.get(each)
    }


def test_expressions_ask_for_what_is_shown() -> None:
    """Every metric and label of the rules is in the catalogue."""
    assert {} == {
        title(alert): wrong for alert in alerts() if (wrong := mistakes(alert["expr"])) != []
    }


def test_a_mistake_would_be_seen() -> None:
    """A metric, a label of a metric or a label to add up by that does not exist is told."""
    wrong = 'sum by (colour) (rate(sidecar_undelivered_total{shape="round"}[5m])) / sidecar_luck'

    assert [
        "sidecar_undelivered_total has no label shape",
        "no metric is called sidecar_luck",
        "nothing here has a label colour",
    ] == mistakes(wrong)


def test_tests_feed_what_is_shown() -> None:
    """Every series that the cases feed to the rules is one that the sidecar shows."""
    fed = [
        series["series"]
        for test in read(TESTS.read_text())["tests"]
        for series in test["input_series"]
    ]

    assert [] == [wrong for each in fed for wrong in mistakes(each)]


def test_closed_words() -> None:
    """A word that a rule asks a label for is one that the sidecar says."""
    said = {
        word
        for alert in alerts()
        for words in re.findall(r'\b(?:rule|outcome|unit|kind)(?:=~?|!=)"([^"]*)"', alert["expr"])
        for word in words.split("|")
    }
    known = {
        *catalogue.RULES,
        *catalogue.OUTCOMES,
        *catalogue.TOP_UP_OUTCOMES,
        *catalogue.SIGN_IN_OUTCOMES,
        *catalogue.APPROVAL_OUTCOMES,
        *catalogue.UNITS,
        "foreign",
        "missing",
    }

    assert set() == said - known


def test_annotations() -> None:
    """Each alert has a severity, a summary and a description that names a command that exists."""
    known = set(re.findall(r"^    ([a-z-]+)(?: |$)", make_parser().format_help(), re.M))
    for alert in alerts():
        told = alert["annotations"]
        named = set(re.findall(r"`sidecar ([a-z-]+)", told["description"]))

        assert alert["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} == told.keys(), alert["alert"]
        assert named, alert["alert"]
        assert set() == named - known, alert["alert"]


def test_annotations_name_labels_that_are_there() -> None:
    """What an annotation shows of an alert is among the labels that the alert has."""
    labels = defaultdict[tuple[str, str], set[str]](set)
    for sample in re.findall(
        r"ALERTS\{[^}]*alertstate=\"firing\", [^}]*\}$", TESTS.read_text(), re.M
    ):
        words = dict(re.findall(r'(\w+)="([^"]*)"', sample))
        labels[words["alertname"], words["severity"]] |= words.keys()
    for alert in alerts():
        named = set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"])))

        assert set() == named - labels[title(alert)], alert["alert"]


def test_catalogue_has_no_unwatched_money() -> None:
    """What says that money is lost, stuck or gone astray is asked for by some rule."""
    watched = {name for alert in alerts() for name, _ in asked(alert["expr"])}
    states = {
        metric.name
        for metric in METRICS
        if re.search(r"doubt|undelivered|drift|stopped|failures|frozen|skew|_age_", metric.name)
    }

    assert set() == states - watched
