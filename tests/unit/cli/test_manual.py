"""``--help``: every command has a page, its examples can be typed, and every flag is described."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from sidecar.cli.exits import MEANINGS
from sidecar.cli.manual import page_of
from sidecar.cli.parser import make_parser
from tests.unit.cli.commands import Command

SENTENCE = re.compile(r"[.!] [A-Z]")


def parsers(parser: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every command's parser by what is typed for it."""
    found = {name: parser} if name else {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                found |= parsers(command, f"{name} {word}".strip())
    return found


ALL = parsers(make_parser())


@pytest.mark.parametrize("name", ALL)
def test_page(name: str) -> None:
    """Each command has a page: what it does, examples, its exit statuses, and what is alike."""
    page = page_of(name)

    assert page is not None, name
    assert page.examples
    assert len(page.about) > 60
    assert {0, 2} <= set(page.statuses) <= MEANINGS.keys()
    assert list(page.statuses) == sorted(page.statuses)
    assert [] == [other for other in page.see if other not in ALL]


@pytest.mark.parametrize("name", ALL)
def test_examples(name: str) -> None:
    """What a page says can be typed is of its command, and can be typed."""
    page = page_of(name)
    assert page is not None

    for typed, what in page.examples:
        words = shlex.split(typed)
        assert ["sidecar", *name.split()] == words[: 1 + len(name.split())]
        assert what
        assert words[1] == make_parser(words[1:]).parse_args(words[1:]).command


@pytest.mark.parametrize("name", ALL)
def test_flags(name: str) -> None:
    """Each flag and argument says what it is for."""
    hidden = (argparse._SubParsersAction, argparse._HelpAction)
    actions = [action for action in ALL[name]._actions if not isinstance(action, hidden)]

    assert [] == [action.dest for action in actions if not action.help]


@pytest.mark.parametrize("name", ALL)
def test_width(name: str) -> None:
    """A page fits on a terminal of 80 columns."""
    page = page_of(name)
    assert page is not None
    lines = [*page.description().splitlines(), *page.epilog().splitlines()]
    words = [line for line in lines if len(line) > 79 and "sidecar" not in line]

    assert [] == words


def test_shown(sidecar: Command) -> None:
    """--help shows the page of the command that is typed, and of no other."""
    ran = sidecar("pins", "forget", "--help")

    assert 0 == ran.status
    assert "sidecar pins forget seller\n      let the route's payee change" in ran.out
    assert "see also:\n  sidecar pins\n" in ran.out
    assert "sidecar pins --json" not in ran.out
