"""The README's tables of attacks name tests that exist, and leave no attack without one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = Path(__file__).with_name("README.md")
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| (?!attack \|)(.+?) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def tables() -> dict[str, dict[str, str]]:
    """Each table by its heading: what is to be withstood, and where that is tested."""
    sections = _SECTION.findall(README.read_text())
    return {heading: dict(_ROW.findall(text)) for heading, text in sections}


ROWS = {
    f"{heading}: {attack}": tests
    for heading, rows in tables().items()
    for attack, tests in rows.items()
}


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


@pytest.mark.parametrize("named", ROWS.values(), ids=ROWS)
def test_each_attack(named: str) -> None:
    """An attack has at least one test, and each that is named is there."""
    found = _TEST.findall(named)

    assert found
    assert len(named.split(", ")) == len(found)
    assert [] == [f"{path}::{test}" for path, test in found if test not in names_in(path)]


def test_both_tables() -> None:
    """Fifteen attacks by upstreams are listed, and seven by callers: as many as are known."""
    sizes = {heading: len(rows) for heading, rows in tables().items()}

    assert {
        "A malicious or broken upstream": 15,
        "A malicious or careless local caller": 7,
    } == sizes
