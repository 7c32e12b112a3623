"""Documents from strangers: what can be read in one way passes, all else is a ValueError."""

from __future__ import annotations

import json
import sys

import pytest

from sidecar.document import read_json, shown


def _nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"[1]" + b"}" * (depth - 1)


def test_depth() -> None:
    """Sixteen levels of brackets pass."""
    assert json.loads(_nested(16)) == read_json(_nested(16))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_nested(17), "over 16 levels"),
        (b'["\\"[[", ' + _nested(16) + b"]", "over 16 levels"),
        (b"[" * 200_000 + b"]" * 200_000, "over 16 levels"),
        (b'["' + b'\\"' * 100_000 + b"[" * 17, "Unterminated string"),
        (b"]" * 100 + b"[" * 100, "Expecting value"),
        (b'{"a":1,"a":1}', "key twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "-Infinity"),
        (b'{"a":1e400}', "too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "integer string"),
        (rb'{"a":"\ud800"}', "surrogates"),
        (rb'{"\udfff":1}', "surrogates"),
        (b'{"a":"\xff"}', "utf-8"),
        (b"", "Expecting value"),
        (b"{} {}", "Extra data"),
    ],
)
def test_not_one_reading(data: bytes, reason: str) -> None:
    """What is not JSON, not bounded, or could not be written again is a ValueError."""
    with pytest.raises(ValueError, match=reason):
        read_json(data)


@pytest.mark.parametrize("around", [(b"", b""), (b" \r\n", b"\t\n "), (b"\xef\xbb\xbf", b" ")])
def test_space_around(around: tuple[bytes, bytes]) -> None:
    """Space around a document, or a byte order mark in front of it, says nothing."""
    assert {"a": [1, None]} == read_json(around[0] + b'{"a": [1, null]}' + around[1])


def test_deep_without_limit() -> None:
    """A bomb of brackets is refused even where a library has lifted the recursion limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000_000)
    try:
        with pytest.raises(ValueError, match="over 16 levels"):
            read_json(b'{"a":' * 200_000)
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_in_strings() -> None:
    """Brackets in strings are no levels, whatever escapes are around them."""
    value = ["[" * 20, '\\"[[[[[[[[[[[[[[[[[[[[', "{\\", {"]": "["}]

    assert value == read_json(json.dumps(value).encode())


def test_numbers() -> None:
    """Numbers keep their types: a seller compares the echo of 60.0 with 60.0."""
    assert "[60,60.0,-0.0,1e+300]" == json.dumps(
        read_json(b"[60,60.0,-0.0,1e300]"), separators=(",", ":")
    )


def test_mark() -> None:
    """A byte order mark is no part of the document."""
    assert {} == read_json(b"\xef\xbb\xbf{}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a\r\nb\x1b[2J\u202e\ud800", "a  b [2J  "),
        ("x" * 50, "x" * 40),
        ({"code": [1, None]}, '{"code":[1,null]}'),
        (None, "null"),
    ],
)
def test_shown(value: object, text: str) -> None:
    """A stranger's words are shown as one short line of printable characters."""
    assert text == shown(value, 40)
