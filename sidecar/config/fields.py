"""One place in the config, read as what it should be.

Each reader answers the value, or its default when nothing is there or what is there is wrong;
then the mistake has been noted, and reading goes on to find the next one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from sidecar.config.document import Entry, child_path
from sidecar.config.mistakes import Mistakes, closest
from sidecar.money import Usdc
from sidecar.values import dataclass

NAME_LETTERS_MAX = 32

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_SIZE = re.compile(r"([1-9][0-9]{0,11}) ?(B|KiB|MiB|GiB)", re.ASCII)
_SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_DURATIONS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SHOWN_LETTERS_MAX = 60

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Field:
    """What the config says at ``path``; ``entry`` None when it says nothing."""

    path: str
    entry: Entry | None
    mistakes: Mistakes
    line: int

    @property
    def is_given(self) -> bool:
        """Whether the key is there at all, with a value or without."""
        return self.entry is not None

    def mistake(self, what: str, fix: str) -> None:
        """Note what is wrong here."""
        self.mistakes.add(self.path, what, fix, self.line)

    def required(self, fix: str) -> Field:
        """This field; a mistake if the key is not there."""
        if self.entry is None:
            self.mistake("missing", fix)
        return self

    def text(self, default: str = "", fix: str = "write text", *, secret: bool = False) -> str:
        """Some text; ``secret`` keeps what is there out of the message."""
        if self.entry is None:
            return default
        value = self.entry.value
        if isinstance(value, str) and value:
            return value
        self._wrong("text", fix if secret or value is None else f"{fix}, in quotes")
        return default

    def flag(self, default: bool = False) -> bool:
        """true or false."""
        if self.entry is None:
            return default
        if isinstance(self.entry.value, bool):
            return self.entry.value
        self._wrong("true or false", "write true or false")
        return default

    def choice(self, choices: tuple[Choice, ...], default: Choice) -> Choice:
        """One of these words."""
        if self.entry is None:
            return default
        text = self.text(fix=f"use one of: {', '.join(choices)}")
        for choice in choices:
            if text == choice:
                return choice
        if text:
            self.mistake(f"not a choice: {show(text)}", closest(text, choices))
        return default

    def integer(self, default: int, at_least: int, at_most: int) -> int:
        """A whole number within these bounds."""
        if self.entry is None:
            return default
        value = self.entry.value
        fix = f"use a whole number from {at_least} to {at_most}"
        # A flag is an int to Python.
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong("a whole number", fix)
            return default
        if not at_least <= value <= at_most:
            self.mistake(f"out of range: {value}", fix)
            return default
        return value

    def seconds(self, default: float, at_least: float, at_most: float) -> float:
        """A number of seconds within these bounds."""
        if self.entry is None:
            return default
        value = self.entry.value
        fix = f"use a number of seconds from {at_least:g} to {at_most:g}"
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._wrong("a number", fix)
            return default
        if not at_least <= value <= at_most:
            self.mistake(f"out of range: {value}", fix)
            return default
        return value

    def size(self, default: int, at_least: int, at_most: int) -> int:
        """A number of bytes, or text like ``16 MiB``."""
        if self.entry is None or not isinstance(self.entry.value, str):
            return self.integer(default, at_least, at_most)
        match = _SIZE.fullmatch(self.entry.value)
        if match is None:
            self._wrong("a size", 'write it like "16 MiB"')
            return default
        value = int(match[1]) * _SIZES[match[2]]
        if not at_least <= value <= at_most:
            self.mistake(f"out of range: {self.entry.value}", f"use {at_least} to {at_most} bytes")
            return default
        return value

    def duration(self, default: timedelta, at_most: timedelta) -> timedelta:
        """Text like ``30m`` or ``1h``."""
        if self.entry is None:
            return default
        value = self.entry.value
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self._wrong("a duration", "write it like 30m, 1h or 1d")
            return default
        duration = timedelta(seconds=int(match[1]) * _DURATIONS_S[match[2]])
        if duration > at_most:
            self.mistake(f"out of range: {value}", f"use at most {at_most.days}d")
            return default
        return duration

    def amount(self) -> Usdc | None:
        """Text like ``5.00 USDC``."""
        if self.entry is None:
            return None
        value = self.entry.value
        fix = 'write it like "5.00 USDC"'
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.mistake(f"an amount has its unit, and {value} has none", fix)
            return None
        if not isinstance(value, str):
            self._wrong("an amount", fix)
            return None
        try:
            return Usdc.parse(value)
        except ValueError:
            self._wrong("an amount", fix)
            return None

    def items(self) -> tuple[Field, ...]:
        """The items of a list; none when it is empty or not there."""
        if self.entry is None or self.entry.value is None:
            return ()
        if not isinstance(self.entry.value, tuple):
            self._wrong("a list", "write it like [first, second]")
            return ()
        return tuple(
            Field(f"{self.path}[{index}]", item, self.mistakes, item.line)
            for index, item in enumerate(self.entry.value)
        )

    def named(self) -> tuple[tuple[str, Field], ...]:
        """The entries of a mapping whose keys are names that the person chose."""
        if self.entry is None or self.entry.value is None:
            return ()
        if not isinstance(self.entry.value, Mapping):
            self._wrong("a mapping", "write it like {name: {...}}")
            return ()
        return tuple(
            (name, Field(child_path(self.path, name), entry, self.mistakes, entry.line))
            for name, entry in self.entry.value.items()
        )

    def section(self, known: tuple[str, ...]) -> Section:
        """A mapping with these keys and no others."""
        entries = {}
        for name, field in self.named():
            if name in known:
                entries[name] = field.entry
            else:
                field.mistake("unknown key", closest(name, known))
        return Section(self, entries)

    def _wrong(self, wanted: str, fix: str) -> None:
        assert self.entry is not None
        what = "has no value" if self.entry.value is None else f"not {wanted}"
        self.mistake(what, fix)


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping whose keys we know."""

    field: Field
    entries: Mapping[str, Entry | None]

    def at(self, key: str) -> Field:
        """The field of this key, given or not."""
        entry = self.entries.get(key)
        line = entry.line if entry is not None else self.field.line
        return Field(child_path(self.field.path, key), entry, self.field.mistakes, line)


def check_name(name: str, field: Field, reserved: frozenset[str] = frozenset()) -> None:
    """Names end up in paths, labels and log lines: keep them plain."""
    if _NAME.fullmatch(name) is None or len(name) > NAME_LETTERS_MAX:
        field.mistake(
            f"not a name: {show(name)}",
            f"use up to {NAME_LETTERS_MAX} of a-z, 0-9, _ and -, starting with a letter or digit",
        )
    elif name in reserved:
        field.mistake(f'the name "{name}" is taken by the API itself', "choose another")


def show(text: str) -> str:
    """What was written, short enough for a message."""
    short = text if len(text) <= _SHOWN_LETTERS_MAX else f"{text[:_SHOWN_LETTERS_MAX]}…"
    return repr(short)
