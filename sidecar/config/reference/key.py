"""A row of the table: one key of the config; and the kinds of value that a key can have.

A path names the keys from the top, ``*`` for a name that the person chose, ``[]`` for an item of
a list: ``routes.*.networks[]``. ``secret`` and ``key`` at a path's start are not keys of the
top: they are the places that a secret and a wallet's key may be kept in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeAlias

from sidecar.values import dataclass

Schema: TypeAlias = Mapping[str, Any]

NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"


@dataclass(frozen=True, slots=True)
class Kind:
    """What may stand at a key: for people, and for a validator."""

    words: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``default`` None: there is none, or ``usually`` says it in words.

    ``routes`` are the kinds of route that it means something on, ``required_on`` those that it
    has to stand on; empty for keys that are not a route's. ``override`` is its name in
    ``config.read.VARIABLES``.
    """

    path: str
    kind: Kind
    meaning: str
    default: Any = None
    usually: str = ""
    example: Any = None
    required: bool = False
    routes: frozenset[str] = field(default_factory=frozenset)
    required_on: frozenset[str] = field(default_factory=frozenset)
    override: str = ""

    @property
    def parent(self) -> str:
        """The path of the key that this one stands in; "" for the top."""
        return self.path[:-2] if self.path.endswith("[]") else self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return "[]" if self.path.endswith("[]") else self.path.rpartition(".")[2]


def section(**schema: Any) -> Kind:
    """A mapping with the keys of the rows below it; nothing is the empty one."""
    return Kind("mapping", {"type": ["object", "null"], **schema})


def entry(**schema: Any) -> Kind:
    """A mapping that has to hold something."""
    return Kind("mapping", {"type": "object", **schema})


def named(names: Schema, words: str) -> Kind:
    """A mapping whose keys are chosen by the person; nothing is the empty one."""
    return Kind(words, {"type": ["object", "null"], "propertyNames": names})


def listed(words: str = "list", **schema: Any) -> Kind:
    """A list; nothing is the empty one."""
    return Kind(words, {"type": ["array", "null"], **schema})


def filled(words: str, **schema: Any) -> Kind:
    """A list with something in it."""
    return Kind(words, {"type": "array", "minItems": 1, **schema})


def text(words: str, pattern: str = "", **schema: Any) -> Kind:
    """Some text."""
    told = {"type": "string", "minLength": 1, **schema}
    return Kind(words, {**told, "pattern": pattern} if pattern else told)


def flag() -> Kind:
    """true or false."""
    return Kind("true, false", {"type": "boolean"})


def choice(*words: str) -> Kind:
    """One of these words."""
    return Kind(", ".join(words), {"type": "string", "enum": list(words)})


def whole(at_least: int, at_most: int) -> Kind:
    """A whole number."""
    words = f"whole number, {at_least:,} to {at_most:,}"
    return Kind(words, {"type": "integer", "minimum": at_least, "maximum": at_most})


def seconds(at_least: float, at_most: float) -> Kind:
    """A number of seconds."""
    words = f"seconds, {at_least:g} to {at_most:g}"
    return Kind(words, {"type": "number", "minimum": at_least, "maximum": at_most})


def size(at_least: int, at_most: int, words: str) -> Kind:
    """A number of bytes, or text with a unit."""
    number = {"type": "integer", "minimum": at_least, "maximum": at_most}
    united = {"type": "string", "pattern": "^[1-9][0-9]{0,11} ?(B|KiB|MiB|GiB)$"}
    return Kind(f"size, {words}", {"anyOf": [number, united]})


def amount(*, zero: bool) -> Kind:
    """USDC, with its unit."""
    none = "" if zero else r"(?!0(\.0*)? )"
    return Kind(
        '"5.00 USDC"',
        {"type": "string", "pattern": rf"^{none}(0|[1-9][0-9]{{0,11}})(\.[0-9]{{1,6}})? USDC$"},
    )


def url(*, query: bool) -> Kind:
    """Where something may be sent."""
    rest = r"([/?][^#\s]*)?" if query else r"(/[^?#\s]*)?"
    pattern = rf"^(?=[!-~]+$)[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+{rest}$"
    return text("URL", pattern, maxLength=2_048)


def kept(at: str, words: str) -> Kind:
    """A place that a secret is kept in: the rows below ``at`` say which there are."""
    return Kind(words, {"$ref": f"#/$defs/{at}"})
