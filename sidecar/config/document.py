"""YAML text as a bounded tree that knows its lines.

Only plain data comes out: text, whole numbers, floats, flags, nothing, lists and mappings with
text for keys. A number that is not plain decimal (``0x…``, ``010``, ``1:30``) and a date stay
the text that was written, so that an address needs no quotes and nothing is silently converted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from sidecar.config.mistakes import Mistakes
from sidecar.config.yaml_import import yaml
from sidecar.values import dataclass

# Room for a thousand routes that pay and a thousand callers.
TEXT_BYTES_MAX = 512 * 1024
NODES_MAX = 50_000  # counted where they are used, so an alias counts each time
DEPTH_MAX = 16

_TAG = "tag:yaml.org,2002:"
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_TRUE = frozenset({"yes", "true", "on"})
_FALSE = frozenset({"no", "false", "off"})
_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and the line that it starts on."""

    value: Value
    line: int


Value: TypeAlias = str | int | float | bool | tuple[Entry, ...] | Mapping[str, Entry] | None


def child_path(path: str, key: str) -> str:
    """How messages name a key of the mapping at ``path``."""
    name = key if _PLAIN.fullmatch(key) else f'"{key.encode("unicode_escape").decode()[:64]}"'
    return f"{path}.{name}" if path else name


def read_document(text: str, mistakes: Mistakes) -> Entry | None:
    """The tree in this text; None, with a mistake noted, when there is none to be had."""
    if len(text.encode(errors="replace")) > TEXT_BYTES_MAX:
        mistakes.add("config", f"over {TEXT_BYTES_MAX // 1024} KiB", "make it smaller")
        return None
    try:
        root = _composed(text)
    except _TooDeepError:
        mistakes.add("config", f"nested over {DEPTH_MAX} deep", "make it flatter")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        mistakes.add("config", f"not YAML: {error.problem or error.context}", _YAML_FIX, line)
        return None
    except yaml.YAMLError:
        mistakes.add("config", "not YAML: a character that may not stand here", _YAML_FIX)
        return None
    if root is None:
        mistakes.add("config", "empty", "start it with: version: 1")
        return None
    try:
        return _Tree(mistakes).entry(root, "", depth=0)
    except _TooLargeError:
        fix = "name fewer routes and callers, or use fewer aliases: each counts in full"
        mistakes.add("config", f"over {NODES_MAX} values", fix)
        return None
    except _EndlessError:
        fix = "use no alias inside of what it stands for"
        mistakes.add("config", f"nested over {DEPTH_MAX} deep by its aliases", fix)
        return None


_YAML_FIX = "mend the indentation or put the text in quotes"


class _TooDeepError(Exception):
    """Composing recurses once for each level."""


def _composed(text: str) -> yaml.Node | None:
    # libyaml reads a config in a fifteenth of the time; PyYAML may have been built without it.
    if yaml.__with_libyaml__:
        try:
            return _composed_by(yaml.CSafeLoader, text)
        except yaml.YAMLError:
            # What is wrong is said in the other parser's words, for they are there always.
            pass
    return _composed_by(yaml.SafeLoader, text)


def _composed_by(loader: type[yaml.CSafeLoader | yaml.SafeLoader], text: str) -> yaml.Node | None:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise _TooDeepError
    root: yaml.Node | None = yaml.compose(text, Loader=loader)
    return root


class _TooLargeError(Exception):
    """Much is written there, or aliases multiply."""


class _EndlessError(Exception):
    """An alias contains itself, or stands far within others."""


class _Tree:
    """Turns nodes into entries, counting them."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._nodes = 0

    def entry(self, node: yaml.Node, path: str, depth: int) -> Entry:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise _TooLargeError
        if depth > DEPTH_MAX:
            raise _EndlessError
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return Entry(self._mapping(node, path, depth), line)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            items = (
                self.entry(item, f"{path}[{index}]", depth + 1)
                for index, item in enumerate(node.value)
            )
            return Entry(tuple(items), line)
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_TAG) in _SCALARS:
            return Entry(_scalar(node.tag.removeprefix(_TAG), node.value), line)
        self._mistakes.add(path or "config", "a YAML tag is not used here", "remove the tag", line)
        return Entry(None, line)

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._mistakes.add(path or "config", "a key that is no text", "rename it", line)
                continue
            key = key_node.value
            name = child_path(path, key)
            entry = self.entry(value_node, name, depth + 1)
            if key in entries:
                first = entries[key].line
                self._mistakes.add(name, f"given twice, first on line {first}", "keep one", line)
                continue
            entries[key] = entry
        return entries


_SCALARS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "merge", "value"})


def _scalar(kind: str, text: str) -> str | int | float | bool | None:
    if kind == "null":
        return None
    if kind == "int" and _DECIMAL.fullmatch(text):
        return int(text)
    if kind == "bool" and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if kind == "float":
        try:
            return float(text)
        except ValueError:
            # ``.inf`` and ``190:20:30.15`` are floats to YAML; here they are only text.
            return text
    return text
