"""The table of keys: it is what the reader reads, and what the schema and the page are made of."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.config.read import VARIABLES, examine_text, parse_config
from sidecar.config.reference import KEYS
from sidecar.config.reference.key import Key
from sidecar.config.reference.page import replaced
from sidecar.config.reference.schema import schema_text
from tests.unit.config.configs import ENVIRON, FOLDER, GONE
from tests.unit.config.places import ROUTE_KINDS, base_config, is_on, places_of, put, ready_for
from tests.unit.config.schemas import (
    CONFIG,
    SCHEMA_FILE,
    reader_mistakes,
    schema_mistakes,
    unexplained,
)
from tests.world.processes import ROOT

PAGE = CONFIG / "README.md"
UNKNOWN = "zzzzzzzz"
MAKE = "python -m sidecar.config.reference"
COOKED = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
SECTIONS = [
    key
    for key in KEYS
    if any(each.parent == key.path and each.name not in {"*", "[]"} for each in KEYS)
]


def kinds_of(key: Key) -> list[str]:
    """The kinds of route on which a config has a place for the row."""
    kinds = ROUTE_KINDS if key.path.startswith("routes") else ("api_key",)
    return [kind for kind in kinds if is_on(key, kind)]


def known_to_reader(tree: dict[str, Any]) -> set[str]:
    """The keys of the section that has an unknown one in it, as the mistake names them."""
    mistakes = [each for each in reader_mistakes(json.dumps(tree)) if UNKNOWN in each]
    assert 1 == len(mistakes), mistakes
    names = re.search(r"unknown key; use one of: ([a-z0-9_, ]+)", mistakes[0])
    assert names is not None, mistakes
    return set(names[1].strip().split(", "))


def test_written() -> None:
    """The published schema and the page of all keys are made from the table as it is now."""
    assert schema_text(KEYS) == SCHEMA_FILE.read_text(), MAKE
    assert replaced(PAGE.read_text(), KEYS) == PAGE.read_text(), MAKE


@pytest.mark.parametrize("key", SECTIONS, ids=lambda key: key.path)
def test_sections(key: Key) -> None:
    """In each section the reader knows the keys of the table, and the table those of the reader."""
    table = {each.name for each in KEYS if each.parent == key.path}
    found = []
    for kind in kinds_of(key):
        tree = ready_for(key, base_config(kind))
        for steps in places_of(key, tree):
            holder = copy.deepcopy(tree)
            put(holder, (*steps, UNKNOWN), 1)
            found.append(known_to_reader(holder))

    assert found
    assert [] == [known for known in found if known != table]


def test_top() -> None:
    """At the top, too."""
    table = {key.name for key in KEYS if key.parent == "" and key.path not in {"secret", "key"}}

    assert table == known_to_reader(base_config("api_key") | {UNKNOWN: 1})


def test_overrides() -> None:
    """Each setting that a variable overrides is marked as such, and listed on the page."""
    marked = {key.override: key.path for key in KEYS if key.override}
    listed = dict(
        re.findall(r"^\| `(SIDECAR_[A-Z_]+)` \| `([a-z_.]+)` \|$", PAGE.read_text(), re.M)
    )

    assert set(VARIABLES) == set(marked)
    assert {VARIABLES[name]: path for name, path in marked.items()} == listed


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key.default is not None], ids=lambda key: key.path
)
def test_defaults(key: Key) -> None:
    """What the table calls a default is what a config without the key has."""
    differ = []
    for kind in kinds_of(key):
        tree = ready_for(key, base_config(kind))
        assert places_of(key, tree)
        for steps in places_of(key, tree):
            said, silent = copy.deepcopy(tree), copy.deepcopy(tree)
            parsed = [
                parse_config(json.dumps(put(each, steps, value)), ENVIRON, {}, FOLDER)
                for each, value in ((said, key.default), (silent, GONE))
            ]
            if parsed[0] != parsed[1]:
                differ.append((kind, steps))

    assert [] == differ


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key.example is not None], ids=lambda key: key.path
)
def test_key_examples(key: Key) -> None:
    """What the table gives as an example is one, for the schema and for the reader."""
    kind = kinds_of(key)[0]
    tree = ready_for(key, base_config(kind))
    put(tree, places_of(key, tree)[0], key.example)
    text = json.dumps(tree)
    mistakes = [each for each in reader_mistakes(text) if "a TCP port does not tell" not in each]

    if key.path != "callers[].uid":
        assert [] == schema_mistakes(text)
    assert [] == mistakes


def bounds() -> list[tuple[Key, float, bool]]:
    """Each key that has bounds, with a number at, or just beyond, one of them."""
    found: list[tuple[Key, float, bool]] = []
    for key in KEYS:
        for schema in (key.kind.schema, *key.kind.schema.get("anyOf", ())):
            if "minimum" in schema:
                step = 1 if schema["type"] == "integer" else 0.01
                found += [
                    (key, schema["minimum"], True),
                    (key, schema["maximum"], True),
                    (key, schema["minimum"] - step, False),
                    (key, schema["maximum"] + step, False),
                ]
    return found


@pytest.mark.parametrize(
    ("key", "number", "within"), bounds(), ids=lambda value: getattr(value, "path", str(value))
)
def test_bounds(key: Key, number: float, within: bool) -> None:
    """The bounds in the table are the reader's: the last that is taken, the first that is not."""
    tree = ready_for(key, base_config(kinds_of(key)[0]))
    put(tree, places_of(key, tree)[0], number)
    text = json.dumps(tree)
    refused = any("out of range" in each for each in reader_mistakes(text))

    assert within is not refused
    assert "" == unexplained(text)


@pytest.mark.parametrize("text", COOKED, ids=lambda text: re.findall(r"name: ([a-z]+)", text)[-1])
def test_cookbook(text: str) -> None:
    """Each config on the page is one, for the reader and for the schema."""
    config, mistakes = examine_text(text, ENVIRON, {}, FOLDER)

    assert ((), []) == (mistakes.lines(), schema_mistakes(text))
    assert config is not None


def test_cookbook_is_read() -> None:
    """The cookbook has a config for each of its headings, and one for systemd."""
    book = PAGE.read_text().partition("a cookbook")[2].partition("\n## ")[0]

    assert book.count("\n### ") + 1 == len(COOKED)


def test_module(tmp_path: Path) -> None:
    """The module writes the page in the folder where it is run, and says what it wrote."""
    (tmp_path / "config").mkdir()
    page = tmp_path / "config" / "README.md"
    page.write_text("before\n<!-- keys -->\noutdated\n<!-- /keys -->\nafter\n")
    before = SCHEMA_FILE.read_text()
    ran = subprocess.run(
        [sys.executable, "-m", "sidecar.config.reference"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert [str(SCHEMA_FILE), "config/README.md"] == ran.stdout.splitlines()
    assert before == SCHEMA_FILE.read_text()
    assert "outdated" not in page.read_text()
    assert page.read_text().startswith("before\n<!-- keys -->\n")
    assert page.read_text().endswith("<!-- /keys -->\nafter\n")
