"""Documents from strangers: what can be read in one way passes, all else is a ValueError."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from sidecar.x402.document import BODY_BYTES_MAX, decode_base64, inflate, read_json, shown

BYTES = b"\xfb\xff\xfe?"  # its base64 has both characters in which the alphabets differ


@pytest.mark.parametrize(
    "text", ["+//+Pw==", "+//+Pw", "-__-Pw==", "-__-Pw", "-/_+Pw", " +//+Pw== "]
)
def test_base64(text: str) -> None:
    """Base64 is read in both alphabets, padded or not."""
    assert BYTES == decode_base64(text)


@pytest.mark.parametrize("text", ["a", "{}", "YQ==YQ==", "é", "YQ\n==", "\ud800"])
def test_not_base64(text: str) -> None:
    """What is not base64 is a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the reason is the base64 module's
        decode_base64(text)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(b"{}"), "gzip"),
        (gzip.compress(b"{}"), " X-GZIP "),
        (zlib.compress(b"{}"), "deflate"),
        (zlib.compress(b"{}", wbits=-15), "deflate"),
        (b"{}", "identity"),
        (b"{}", "br"),
    ],
)
def test_inflate(body: bytes, coding: str) -> None:
    """gzip and both kinds of deflate are taken off, other codings are left on."""
    assert b"{}" == inflate(body, coding)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"{}", "gzip"),
        (b"", "gzip"),
        (b"", "deflate"),
        (gzip.compress(b"{}" * 100)[:-9], "gzip"),
        (gzip.compress(b"{}") + b"x", "gzip"),
        (gzip.compress(bytes(BODY_BYTES_MAX + 1)), "gzip"),
        (gzip.compress(bytes(1000 * BODY_BYTES_MAX)), "gzip"),
    ],
)
def test_broken_coding(body: bytes, coding: str) -> None:
    """A compressed body that is broken, cut, followed by more, or too large is a ValueError."""
    with pytest.raises(ValueError, match="body"):
        inflate(body, coding)


def test_largest_body() -> None:
    """A body of exactly the maximum passes."""
    assert BODY_BYTES_MAX == len(inflate(gzip.compress(bytes(BODY_BYTES_MAX)), "gzip"))


def _nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"[1]" + b"}" * (depth - 1)


def test_depth() -> None:
    """Sixteen levels of brackets pass."""
    assert json.loads(_nested(16)) == read_json(_nested(16))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_nested(17), "over 16 levels"),
        (b"[" * 200_000 + b"]" * 200_000, "too deep"),
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
