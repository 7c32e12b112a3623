"""Lines that differ from call to call, a trace id say: cut out, so that the rest can be known.

Which lines these are is learned from heads that were new although all but a line or two had come
before. Only a line that decides nothing, may come twice and crosses as it is can be cut: then a
head without it asks for the same, and what is left to do is to put the new line in its place.
"""

from __future__ import annotations

from typing import TypeAlias

from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.heads import Framed, Lines, is_field
from sidecar.values import dataclass

# Each is looked for in every head that is new.
NAMES_MAX = 8

# A head without its lines that vary; and of each, where it was when it was cut, and its name's
# number.
Rest: TypeAlias = tuple[bytes | int, ...]


@dataclass(frozen=True, slots=True)
class Gaps:
    """Which of a head's lines vary in their values, by number; and which one has its length."""

    varying: frozenset[int]
    length: int  # -1: none has

    @classmethod
    def of(cls, lines: list[bytes], cut: list[bytes], measured: bool) -> Gaps:
        """``cut`` was cut out of these lines; and the digits of their length, if ``measured``."""
        lengths = (at for at, line in enumerate(lines) if line.lower() == b"content-length: ")
        return cls(frozenset(map(lines.index, cut)), next(lengths) if measured else -1)

    def framed(self, first: bytes, lines: list[bytes]) -> Framed:
        """The head around them."""
        pieces: list[bytes] = []
        length_at = -1
        text = first
        for at, line in enumerate(lines):
            text += b"\r\n"
            if at in self.varying:
                pieces.append(text + line[: _value_at(line)])
                text = b""
            elif at == self.length:
                length_at = len(pieces)
                pieces.append(text + line)
                text = b""
            else:
                text += line
        return Framed([*pieces, text + HEAD_END], length_at)

    def around(self, lines: list[bytes], crossing: list[bytes]) -> tuple[bytes, ...]:
        """What crosses of the ``lines``, around the values that vary."""
        pieces: list[bytes] = []
        text = b""
        for at, line in enumerate(lines):
            if at in self.varying:
                pieces.append(text + line[: _value_at(line)])
                text = b"\r\n"
            else:
                text += crossing[at]
        return (*pieces, text)


def _value_at(line: bytes) -> int:
    return line.index(b": ") + 2


class Varying:
    """The names of the lines that vary."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._names: tuple[bytes, ...] = ()
        self._before: list[bytes] = []

    def cut(self, head: bytes) -> tuple[Rest, list[bytes]] | None:
        """The rest of the head, and the lines cut out of it; None where there are none to cut."""
        places: list[int] = []
        cut: list[bytes] = []
        for number, name in enumerate(self._names):
            at = head.find(name)
            if at < 0:
                continue
            end = head.find(b"\r\n", at + 2)
            line = head[at + 2 :] if end < 0 else head[at + 2 : end]
            if not is_field(line) or len(line) < len(name) - 1:
                return None
            cut.append(line)
            places += (at, number)
            head = head[:at] if end < 0 else head[:at] + head[end:]
        return ((head, *places), cut) if cut else None

    def learn(self, lines: list[bytes]) -> None:
        """These are the lines of a head that was new."""
        before, self._before = self._before, lines
        if len(before) != len(lines):
            return
        for was, line in zip(before, lines, strict=True):
            name, colon, _ = line.partition(b": ")
            start = b"\r\n" + name + colon
            if was == line or not was.startswith(name + colon) or start in self._names:
                continue
            if len(self._names) < NAMES_MAX and self._lines.crosses_freely(line):
                self._names = (*self._names, start)
