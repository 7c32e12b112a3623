"""YAML as a bounded tree that knows its lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sidecar.config.document import Entry, _composed_by, read_document
from sidecar.config.mistakes import Mistakes

EXAMPLES = sorted((Path(__file__).parents[3] / "config").glob("*.yaml"))


TOO_MANY = (
    "over 50000 values; name fewer routes and callers, or use fewer aliases: each counts in full"
)


def read(text: str) -> tuple[Entry | None, tuple[str, ...]]:
    mistakes = Mistakes()
    return read_document(text, mistakes), mistakes.lines()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", "a"),
        ("8402", 8402),
        ("-1", -1),
        ("0.5", 0.5),
        ("yes", True),
        ("Off", False),
        ("~", None),
        ("'8402'", "8402"),
        ("0x10", "0x10"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        (".inf", ".inf"),
        ("2026-01-02", "2026-01-02"),
        ("1" * 5000, "1" * 5000),
        ("=", "="),
        ("!!int abc", "abc"),
        ("!!float abc", "abc"),
        ("!!bool maybe", "maybe"),
    ],
)
def test_scalar(text: str, value: object) -> None:
    """Only plain decimal numbers are numbers; whatever YAML would convert stays its text."""
    entry, _ = read(text)

    assert Entry(value, 1) == entry  # type: ignore[arg-type]


def test_lines() -> None:
    """Each entry knows the line that it starts on."""
    entry, _ = read("a:\n  b: 1\n  c:\n    - x\n")

    assert Entry({"a": Entry({"b": Entry(1, 2), "c": Entry((Entry("x", 4),), 4)}, 2)}, 1) == entry


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "config: empty; start it with: version: 1"),
        ("a: 1\na: 2\n", "a: given twice, first on line 1; keep one (line 2)"),
        ("a:\n  b: 1\n  b: 2\n", "a.b: given twice, first on line 2; keep one (line 3)"),
        ('"a\\nb": 1\n"a\\nb": 2\n', '"a\\nb": given twice, first on line 1; keep one (line 2)'),
        ("a: !!python/object:os.x {}", "a: a YAML tag is not used here; remove the tag (line 1)"),
        ("a: !x 1", "a: a YAML tag is not used here; remove the tag (line 1)"),
        ("!!set {a}", "config: a YAML tag is not used here; remove the tag (line 1)"),
        ("? [a]\n: 1", "config: a key that is no text; rename it (line 1)"),
        (
            "a: [1",
            "config: not YAML: expected ',' or ']', but got '<stream end>'; "
            "mend the indentation or put the text in quotes (line 1)",
        ),
        (
            "a: b: c",
            "config: not YAML: mapping values are not allowed here; "
            "mend the indentation or put the text in quotes (line 1)",
        ),
        (
            "a: 1\n--- \nb: 2",
            "config: not YAML: but found another document; "
            "mend the indentation or put the text in quotes (line 2)",
        ),
        (
            "a: \x00",
            "config: not YAML: a character that may not stand here; "
            "mend the indentation or put the text in quotes",
        ),
        ("a: " + "[" * 20 + "]" * 20, "config: nested over 16 deep; make it flatter"),
        ("[" * 100_000, "config: nested over 16 deep; make it flatter"),
        (
            "a: &a [*a]",
            "config: nested over 16 deep by its aliases; use no alias inside of what it stands for",
        ),
        ("a" * 600_000, "config: over 512 KiB; make it smaller"),
        ("a: [" + "x, " * 60_000 + "]", f"config: {TOO_MANY}"),
    ],
)
def test_refused(text: str, mistake: str) -> None:
    """What is no plain, bounded YAML is refused with its place and the fix."""
    _, mistakes = read(text)

    assert (mistake,) == mistakes


def test_alias_bomb() -> None:
    """Aliases that multiply are counted where they are used, and stopped."""
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 9)]
    bomb = "\n".join(["a0: &a0 x", *levels])

    assert (None, (f"config: {TOO_MANY}",)) == read(bomb)


def test_alias() -> None:
    """An alias is what it stands for."""
    entry, _ = read("a: &x [1]\nb: *x\n")

    one = Entry((Entry(1, 1),), 1)
    assert Entry({"a": one, "b": one}, 1) == entry


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_either_parser(path: Path) -> None:
    """libyaml, where PyYAML has it, reads a config as PyYAML's own parser does, line for line."""
    text = path.read_text()
    quick = _composed_by(yaml.CSafeLoader, text)

    assert told(_composed_by(yaml.SafeLoader, text)) == told(quick)


def told(node: yaml.Node | None) -> object:
    """All that is read of a node: its tag, its line, and what is in it."""
    assert node is not None
    match node:
        case yaml.MappingNode():
            inside: object = [(told(key), told(value)) for key, value in node.value]
        case yaml.SequenceNode():
            inside = [told(item) for item in node.value]
        case _:
            inside = node.value
    return node.tag, node.start_mark.line, inside
