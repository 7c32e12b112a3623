"""What is read of a vendor's answer, and that none of it can do harm."""

from __future__ import annotations

import gzip
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.http import HttpResponse
from sidecar.providers.answer import (
    COMPLAINT_CHARS_MAX,
    complaint,
    cost,
    header,
    json_object,
    number,
)


def answered(body: bytes, *headers: tuple[str, str], status: int = 200) -> HttpResponse:
    """A response with this body."""
    return HttpResponse(status, headers, body)


def test_object() -> None:
    """A JSON object is read, also with a byte order mark before it."""
    assert {"a": 1} == json_object(answered(b'\xef\xbb\xbf{"a": 1}'))


def test_compressed() -> None:
    """A compressed object is read, though nobody asked for compression."""
    body = gzip.compress(b'{"a": 1}')

    assert {"a": 1} == json_object(answered(body, ("Content-Encoding", "gzip")))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"7",
        b"null",
        b'"text"',
        b"{",
        b"<html>",
        b"\xff\xfe{\x00}\x00",
        b"\x1f\x8b\x08",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a":' * 100_000,
        b'{"a":' * 17 + b"1" + b"}" * 17,
    ],
)
def test_no_object(body: bytes) -> None:
    """What is not one JSON object, readable in one way, says nothing."""
    assert {} == json_object(answered(body))


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b" " * 1_000_000)])
def test_broken_compression(body: bytes) -> None:
    """A body that does not decompress, or to too much, says nothing."""
    assert {} == json_object(answered(body, ("Content-Encoding", "gzip")))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, "0"),
        (12, "12"),
        (12.5, "12.5"),
        (0.00042, "0.00042"),
        (1e-7, "0.0000001"),
        (-0.04, "-0.04"),
        (10**12, "1000000000000"),
        ("4.230000", "4.230000"),
        ("-1", "-1"),
    ],
)
def test_number(value: object, read: str) -> None:
    """A number is read without passing through a float of ours, negative ones too."""
    assert Decimal(read) == number(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        float("nan"),
        float("inf"),
        -float("inf"),
        10**12 + 1,
        -(10**12) - 1,
        "",
        " 1",
        "1e9",
        "NaN",
        "Infinity",
        "1,5",
        "+1",
        ".5",
        "5.",
        "٣",
        "1" * 13,
        "1\n",
        [],
        {},
    ],
)
def test_no_number(value: object) -> None:
    """What is no plain number is none, however near it comes."""
    assert None is number(value)


@given(st.integers() | st.floats() | st.text() | st.decimals())
def test_number_is_bounded(value: object) -> None:
    """Whatever is read as a number is finite, and within the bounds."""
    read = number(value)

    assert read is None or abs(read) <= 10**12


@pytest.mark.parametrize(("value", "read"), [(0, Decimal(0)), (-0.1, None), ("x", None)])
def test_cost(value: object, read: Decimal | None) -> None:
    """A cost is a number that is not below zero."""
    assert read == cost(value)


def test_header() -> None:
    """A header is read by any case of its name, without the space around it."""
    assert "4.2" == header((("X-Balance-Remaining", " 4.2 "),), "x-balance-remaining")


def test_header_twice() -> None:
    """Of two values none is chosen."""
    headers = (("X-Balance-Remaining", "4.2"), ("x-balance-remaining", "9.9"))

    assert "" == header(headers, "x-balance-remaining") == header((), "x-balance-remaining")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "Admin API key required"}', "401: Admin API key required"),
        (b'{"error": {"message": "No credit", "code": 402}}', "401: No credit"),
        (b'{"error": ["a", 1]}', '401: ["a",1]'),
        (b'{"error": "two\\nlines\\u001b[31m"}', "401: two lines [31m"),
        (b'{"error": {}}', "401"),
        (b"<html>", "401"),
    ],
)
def test_complaint(body: bytes, said: str) -> None:
    """A complaint is the status and the vendor's error, in one line."""
    assert said == complaint(answered(body, status=401))


def test_long_complaint() -> None:
    """A long complaint is cut."""
    said = complaint(answered(b'{"error": "' + b"x " * 10_000 + b'"}', status=402))

    assert len("402: ") + COMPLAINT_CHARS_MAX == len(said)
