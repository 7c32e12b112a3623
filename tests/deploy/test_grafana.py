"""The Grafana dashboard: made by its program, read by Grafana's own types, answered by Prometheus.

A real sidecar serves real traffic, and a real Prometheus runs every query of every panel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.expressions import mistakes
from tests.deploy.stage import Stage, staged
from tests.world.processes import ROOT, wait_until
from tests.world.prometheus import RULES, Series

DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
# What Grafana puts in place of its own words: everything is shown, in windows that fit the test.
GIVEN = {
    "$instance": ".*",
    "$route": ".*",
    "$__rate_interval": "4s",
    "$__range": "60s",
    # The alerts' and the panels' pace of a day, at which nobody can wait here.
    "offset 15m": "offset 2s",
    "[1d:15m]": "[120s:2s]",
}
# Nothing is reckoned without prices, nor rehearsed outside of shadow mode.
EMPTY = {
    ("What requests cost", "{{route}} (reckoned)"),
    ("Spend by route", "{{route}} (rehearsed)"),
}


def shipped() -> dict[str, Any]:
    """The dashboard, as it stands in the file."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def panels() -> Iterator[dict[str, Any]]:
    """Its panels without the rows' headings."""
    for panel in shipped()["panels"]:
        if panel["type"] != "row":
            yield panel


def queries() -> Iterator[tuple[str, str, str]]:
    """Every query: its panel's title, what its answers are called, and itself."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["legendFormat"], target["expr"]


def filled(expression: str) -> str:
    """An expression, with Grafana's words replaced."""
    for word, value in GIVEN.items():
        expression = expression.replace(word, value)
    return expression


def test_file_is_what_the_program_makes() -> None:
    """dashboard.json is what the program writes, to the byte."""
    made = subprocess.run(
        [sys.executable, "-m", "deploy.grafana.dashboard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert made.stdout == DASHBOARD.read_text()


def test_grafana_reads_it_without_loss() -> None:
    """Grafana's own types read the file, and write the same again."""
    read = Dashboard.from_json(shipped())

    assert shipped() == json.loads(JSONEncoder().encode(read))


def test_variables() -> None:
    """The data source is chosen by whoever looks, and instances and routes are."""
    variables = {each["name"]: each["type"] for each in shipped()["templating"]["list"]}
    sources = {
        part["datasource"]["uid"] for panel in panels() for part in (panel, *panel["targets"])
    }

    assert {"datasource": "datasource", "instance": "query", "route": "query"} == variables
    assert {"$datasource"} == sources


def test_panels_stand_side_by_side() -> None:
    """No panel covers another, and none stands out of the 24 columns."""
    places = [panel["gridPos"] for panel in shipped()["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert 24 == 1 + max(x for x, _ in cells)


def test_queries_ask_for_what_is_shown() -> None:
    """Every metric and label of the dashboard is in the catalogue."""
    assert [] == [wrong for _, _, expression in queries() for wrong in mistakes(expression)]


def test_legends_name_labels_that_are_there() -> None:
    """What a legend shows of a series is a label by which its query adds up."""
    for title, legend, expression in queries():
        for name in re.findall(r"{{(\w+)}}", legend):
            assert re.search(rf"by \([^)]*\b{name}\b", expression), title


def test_hours_left_are_the_alerts() -> None:
    """The hours that are shown are the hours that alerts go by."""
    rules = re.sub(r"\s+", "", RULES.read_text())
    shown = [
        each for _, _, each in queries() if "sidecar_wallet_balance_usdc" in each and "24 *" in each
    ]

    assert shown
    for expression in shown:
        bare = re.sub(r"\s+|\{[^}]*\}", "", expression)
        bare = bare[bare.index("24*") : bare.rindex("]") + 1]

        assert bare in rules.replace(",0)\n", ",0)"), bare


def drive(stage: Stage, for_s: float) -> None:
    """What apps do: they pay, use credit, ask for too much, and are cheated."""
    ends_at = time.monotonic() + for_s
    stage.misbehave("upfront_500", 1)
    while time.monotonic() < ends_at:
        stage.chat("seller")
        stage.chat("seller", "agent")
        stage.chat("venice", "agent")
        stage.chat("venice-key")
        stage.models("openai")
        stage.chat("seller", model="fault:too_expensive:1")
        stage.chat("seller", "a-token-of-nobody")


def answers(stage: Stage) -> dict[tuple[str, str], list[Series]]:
    """What Prometheus says to every query."""
    return {
        (title, legend): stage.prometheus.query(filled(expression))
        for title, legend, expression in queries()
    }


def test_every_panel_is_answered(tmp_path: Path) -> None:
    """After some traffic every query has an answer, but for those that have nothing to show."""
    with staged(tmp_path, RULES.read_text()) as stage:
        drive(stage, 8)
        wait_until(lambda: bool(stage.prometheus.query("sidecar_drift_usdc")), "drift is known")
        found = answers(stage)

        assert EMPTY == {each for each, series in found.items() if not series}
        spent = found["Spent", "__auto"][0].value
        by_route = sum(each.value for each in found["Spend by route", "{{route}}"])
        by_caller = sum(each.value for each in found["Spend by caller", "{{caller}}"])

        # All of it is somebody's.
        assert by_route > 0
        assert abs(by_route - by_caller) < by_route / 1_000
        assert spent > 5, "the first top-up is seen"
