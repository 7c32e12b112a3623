"""``sidecar run`` as services start it, which is read without a parser."""

from __future__ import annotations

import pytest

from sidecar.cli.parser import make_parser
from sidecar.cli.plain_run import plain_run


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "--config", "/etc/sidecar/sidecar.yaml"],
        ["run", "--config", "run"],
        ["run", "--config", "a config=of mine.yaml"],
        ["run", "--config", ""],
    ],
    ids=" ".join,
)
def test_plain(words: list[str]) -> None:
    """What is read plainly is what the parser reads, but for flags that were not given."""
    told = vars(make_parser(words).parse_args(words))
    result = plain_run(words)
    assert result is not None

    assert {name: value for name, value in told.items() if value is not None} == {
        name: value for name, value in vars(result).items() if value is not None
    }
    assert {"budget", "receipt", "config"} <= vars(result).keys()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["check"],
        ["check", "--config", "x"],
        ["run", "--help"],
        ["run", "--config"],
        ["run", "--config", "--mode"],
        ["run", "--config", "-"],
        ["run", "--config=x"],
        ["run", "--conf", "x"],
        ["run", "--mode", "shadow"],
        ["run", "--", "true"],
        ["run", "--config", "x", "--workers", "2"],
        ["run", "--config", "x", "--", "true"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_parsed(words: list[str]) -> None:
    """Any other words are the parser's: other flags, commands, help, and what is wrong."""
    assert plain_run(words) is None
