"""The README says what the code does: its metrics, its commands, its config."""

from __future__ import annotations

import re
from pathlib import Path

from sidecar.cli.parser import make_parser
from sidecar.cli.rules import RULES
from sidecar.config.read import parse_config
from sidecar.metrics import METRICS

README = Path(__file__).resolve().parents[2] / "README.md"


def metrics_table() -> str:
    """The table of metrics, as the README shows it."""
    rows = [
        f"| `{doc.name}` | {doc.kind} | {' '.join(doc.labels) or '-'} | {doc.help} |"
        for doc in METRICS
    ]
    return "\n".join(["| metric | kind | labels | what it says |", "|---|---|---|---|", *rows])


def test_metrics() -> None:
    """The README's table of metrics is the code's own."""
    section = re.search(r"<!-- metrics -->\n(.*)\n<!-- /metrics -->", README.read_text(), re.S)

    assert section is not None
    assert metrics_table() == section[1]


def rules_table() -> str:
    """The table of refusals, as the README shows it."""
    rows = [f"| `{rule}` | {advice.means} | {advice.fix} |" for rule, advice in RULES.items()]
    return "\n".join(["| rule | what it means | what to do |", "|---|---|---|", *rows])


def test_rules() -> None:
    """The README's table of refusals is the code's own."""
    section = re.search(r"<!-- rules -->\n(.*)\n<!-- /rules -->", README.read_text(), re.S)

    assert section is not None
    assert rules_table() == section[1]


def test_commands() -> None:
    """Every command is in the README, and every command there exists."""
    rows = re.findall(r"^\| `sidecar [a-z-]+.*", README.read_text(), re.M)
    named = {name for row in rows for name in re.findall(r"`sidecar ([a-z-]+)", row)}
    known = set(re.findall(r"^    ([a-z-]+)(?: |$)", make_parser().format_help(), re.M))

    assert known == named


def test_smallest_config(tmp_path: Path) -> None:
    """The README's smallest config loads."""
    text = README.read_text().partition("The smallest config that pays:\n")[2]
    block = re.match(r"\n((?:    .*\n|\n)+)", text)
    assert block is not None
    config = "\n".join(line[4:] for line in block[1].splitlines())

    assert {"seller"} == parse_config(config, {"HOME": str(tmp_path)}, {}, tmp_path).routes.keys()
