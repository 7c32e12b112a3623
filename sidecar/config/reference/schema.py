"""The table as a JSON Schema, of draft 2020-12: what an editor completes and checks by.

It is never stricter than the reader. What one key says of another, what a file or a variable
holds, and whether a whole number was written with a decimal point, only the reader sees.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sidecar.config.reference.key import Key
from sidecar.config.reference.routes import KINDS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SECRETS = ("secret", "key")
_ROUTE = "routes.*"


def schema_text(keys: Sequence[Key]) -> str:
    """The file that editors read."""
    return json.dumps(make_schema(keys), indent=2) + "\n"


def make_schema(keys: Sequence[Key]) -> dict[str, Any]:
    """The schema of a whole config."""
    tree = _Tree(keys)
    return {
        "$schema": DRAFT,
        "title": "x402-sidecar config",
        "type": "object",
        **tree.below("", but=SECRETS),
        "$defs": {name: tree.node(tree.by_path[name]) for name in SECRETS},
    }


class _Tree:
    """The rows by where they stand."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.by_path = {key.path: key for key in keys}
        self._below: dict[str, list[Key]] = {}
        for key in keys:
            self._below.setdefault(key.parent, []).append(key)

    def node(self, key: Key) -> dict[str, Any]:
        """What may stand at one key."""
        node = {"description": key.meaning.replace("`", ""), **key.kind.schema}
        if key.default is not None:
            node["default"] = key.default
        if key.example is not None:
            node["examples"] = [key.example]
        if "pattern" in node:
            like = key.default if key.example is None else key.example
            # Editors show this in place of the pattern; validators pass over it.
            node["patternErrorMessage"] = f"write it like {like}"
        node |= self.below(key.path)
        if key.path == _ROUTE:
            node["allOf"] = [self._of_kind(name) for name in KINDS]
        return node

    def below(self, path: str, but: tuple[str, ...] = ()) -> dict[str, Any]:
        """What may stand in a mapping or a list."""
        rows = [key for key in self._below.get(path, []) if key.name not in but]
        if not rows:
            return {}
        if rows[0].name == "*":
            return {"additionalProperties": self.node(rows[0])}
        if rows[0].name == "[]":
            return {"items": self.node(rows[0])}
        required = [key.name for key in rows if key.required]
        return {
            "properties": {key.name: self.node(key) for key in rows},
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }

    def _of_kind(self, kind: str) -> dict[str, Any]:
        """What a route of this kind has to have, and what means nothing on it."""
        rows = self._below[_ROUTE]
        then: dict[str, Any] = {}
        required = [key.name for key in rows if kind in key.required_on]
        if required:
            then["required"] = required
        refused: dict[str, Any] = _refused(rows, kind)
        for key in rows:
            inner = _refused(self._below.get(key.path, ()), kind)
            if inner and key.name not in refused:
                refused[key.name] = {"properties": inner}
        return {"if": KINDS[kind], "then": {**then, "properties": refused}}


def _refused(rows: Iterable[Key], kind: str) -> dict[str, Any]:
    return {key.name: False for key in rows if key.routes and kind not in key.routes}
