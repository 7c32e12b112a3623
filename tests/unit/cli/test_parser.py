"""What can be typed, when one command is described and when all are."""

from __future__ import annotations

import argparse

import pytest

from sidecar.cli.parser import make_parser

COMMANDS = (
    *("init", "run", "check", "schema", "status", "health", "reload", "doctor"),
    *("balance", "payments"),
    *("quote", "explain", "top-up", "reconcile", "resolve", "pins", "freeze", "unfreeze"),
    *("approvals", "approve", "refuse", "migrate", "ledger"),
    *("wallet", "signer", "sandbox", "demo", "completion"),
)


def described(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """The commands that this parser knows."""
    (commands,) = (action for action in parser._actions if action.dest == "command")
    return tuple(commands.choices or ())


def said(
    parser: argparse.ArgumentParser, words: list[str], shown: pytest.CaptureFixture[str]
) -> str:
    """All that is shown to who types this."""
    with pytest.raises(SystemExit) as left:
        parser.parse_args(words)
    return f"{left.value.code}{shown.readouterr()}"


@pytest.mark.parametrize("command", COMMANDS)
def test_one_command(command: str) -> None:
    """Who asks for one command has that one described, and no other."""
    assert (command,) == described(make_parser([command, "--config", "x"]))


@pytest.mark.parametrize(
    "words",
    [(), ("--help",), ("rum",), ("",)],
    ids=["nothing", "a-flag", "mistyped", "empty"],
)
def test_all_commands(words: tuple[str, ...]) -> None:
    """Who asks for no command that there is has all of them described, in their order."""
    assert COMMANDS == described(make_parser(words))


@pytest.mark.parametrize("flag", ["--help", "--nonsense", "nonsense"])
@pytest.mark.parametrize("command", COMMANDS)
def test_same_words(capsys: pytest.CaptureFixture[str], command: str, flag: str) -> None:
    """A command's help, and what is said to who mistypes it, does not depend on the others."""
    # "nonsense" may be a payment's id; a flag that is nobody's is refused everywhere.
    words = [command, "--nobodys", flag]

    assert said(make_parser(), words, capsys) == said(make_parser(words), words, capsys)
