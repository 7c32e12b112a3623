"""A JSON document from a stranger: bounded, readable in one way only, or refused.

What passes can be written again as JSON: no infinity, no lone surrogate, no number that int()
gives up on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

DEPTH_MAX = 16

# The closing quote is optional so that a string without one is still passed over in one step.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
# As long as no word of people is, and shorter than a token or a signature.
_LONG_WORD = re.compile(r"[\w+/=.~%-]{64,}", re.ASCII)
_BRACKET = re.compile(r"[\[{\]}]")


class Unreadable(ValueError):
    """A stranger's document that says nothing sure; its text is the reason."""


def read_json(data: bytes) -> Any:
    """One JSON value, with no key twice in an object and at most DEPTH_MAX levels.

    ValueError, with a reason for people, and nothing else.
    """
    # Not utf-8-sig, which is Python's own and takes ten times as long.
    text = data.decode().removeprefix("\ufeff")
    # Before the parser, which recurses: libraries raise its limit so far that the stack ends first.
    if not _is_shallow(text):
        raise Unreadable(f"it is nested over {DEPTH_MAX} levels deep")
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    if end != len(text):
        # There is space around it; or something else, which the decoder says in its own words.
        value = _DECODER.decode(text)
    # A lone surrogate arrives as an escape, and would break whatever stores or logs it. To look
    # for one character takes a thirtieth of the time.
    if "\\" in text and "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def shown(value: Any, chars_max: int) -> str:
    """What a stranger wrote, in at most ``chars_max`` characters that are safe to print."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return "".join(char if char.isprintable() else " " for char in text[:chars_max])


def told(sentence: Any, chars_max: int) -> str:
    """What a stranger said, as ``shown``, without words that could be a token or a signature.

    An error may quote what it was sent.
    """
    text = sentence if isinstance(sentence, str) else json.dumps(sentence, separators=(",", ":"))
    return shown(_LONG_WORD.sub("(a long word)", text), chars_max)


def _is_shallow(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return True
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > DEPTH_MAX:
            return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers of a key that is there twice could see two prices.
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unreadable("it has a key twice")
    return fields


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Unreadable("it has a number that is too large")
    return number


def _not_json(name: str) -> NoReturn:
    raise Unreadable(f"it has {name}, which is not JSON")


# Made once: to make it takes as long as to read a receipt with it.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_constant=_not_json
)
# What the decoder asks once it has looked for space, twice.
_scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # it is
