"""What is wrong with a config, collected so that a person sees all of it at once."""

from __future__ import annotations

import re
from collections.abc import Iterable

MISTAKES_MAX = 50
WITHHELD = "(withheld: it looks like a secret)"

# A key, a letter too few in it or not; an API key or a token. No address is as long.
_SECRET = re.compile(
    r"(?:0x)?[0-9a-fA-F]{63,}"
    r"|(?=[\w+=-]*[0-9])(?=[\w+=-]*[a-z])(?=[\w+=-]*[A-Z])[\w+=-]{45,}",
    re.ASCII,
)


class Mistakes:
    """Lines of the shape ``path: what is wrong; the fix (line 12)``, in the file's order."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, path: str, what: str, fix: str, line: int = 0) -> None:
        """Note one mistake; ``line`` 0 is for what has no place in the file."""
        # Wherever it was written by mistake, as a setting's name even.
        text = _SECRET.sub(WITHHELD, f"{path}: {what}; {fix}")
        self.include(f"{text}{on_line(line)}", line)

    def include(self, text: str, line: int) -> None:
        """Note one that was put into words elsewhere, of what stands on this line."""
        self._found.append((line, text))

    def lines(self) -> tuple[str, ...]:
        """Every mistake, at most ``MISTAKES_MAX`` of them."""
        lines = [text for _, text in sorted(self._found, key=lambda found: found[0])]
        left_out = len(lines) - MISTAKES_MAX
        if left_out > 0:
            lines[MISTAKES_MAX:] = [f"and {left_out} more mistakes; mend these first"]
        return tuple(lines)


def on_line(line: int) -> str:
    """Where it stands, for the end of a message; nothing for line 0."""
    return f" (line {line})" if line else ""


def closest(wrong: str, right: Iterable[str]) -> str:
    """The fix for a name that is not known: what was probably meant, and what there is."""
    known = sorted(right)
    if not known:
        return "there are none"
    # Not for those who have made no mistake.
    from difflib import get_close_matches  # noqa: PLC0415 - see above

    matches = get_close_matches(wrong, known, n=1)
    if matches:
        return f'did you mean "{matches[0]}"?'
    return f"use one of: {', '.join(known)}"
