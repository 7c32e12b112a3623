"""Lines that differ from call to call, a trace id say: cut out, so that the rest can be known.

Which lines these are is learned from heads that were new although all but a line or two had come
before. Only a line that decides nothing, may come twice and crosses as it is can be cut: then a
head without it asks for the same, and what is left to do is to put the new line in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sidecar.proxy.heads import Lines, is_field

# Each is looked for in every head that is new.
NAMES_MAX = 8

# A head without its lines that vary, and where each was when it was cut.
Rest: TypeAlias = tuple[bytes | int, ...]


@dataclass(frozen=True, slots=True)
class Gaps:
    """What crosses of a head, with gaps; ``order``: which of the lines that were cut fills each."""

    pieces: tuple[bytes, ...]
    order: tuple[int, ...]

    def filled(self, cut: list[bytes]) -> bytes:
        """All that crosses."""
        text = self.pieces[0]
        for at, piece in zip(self.order, self.pieces[1:], strict=True):
            text += b"%b\r\n%b" % (cut[at], piece)
        return text

    @classmethod
    def between(cls, lines: list[bytes], crossing: list[bytes], cut: list[bytes]) -> Gaps:
        """``crossing`` are the ``lines`` as they cross; those that were cut are gaps."""
        places = sorted((lines.index(line), at) for at, line in enumerate(cut))
        begins = [0, *(place + 1 for place, _ in places)]
        ends = [*(place for place, _ in places), len(lines)]
        pieces = tuple(
            b"".join(crossing[begin:end]) for begin, end in zip(begins, ends, strict=True)
        )
        return cls(pieces, tuple(at for _, at in places))


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
        for name in self._names:
            at = head.find(name)
            if at < 0:
                continue
            end = head.find(b"\r\n", at + 2)
            line = head[at + 2 :] if end < 0 else head[at + 2 : end]
            if not is_field(line):
                return None
            cut.append(line)
            places.append(at)
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
