"""Wrappings: base64 as servers write it, and compressed bodies that may be bombs."""

from __future__ import annotations

import gzip
import zlib

import pytest

from sidecar.x402.coding import BODY_BYTES_MAX, decode_base64, inflate

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
        (gzip.compress(b"{}", mtime=0), "gzip"),
        (gzip.compress(b"{}", mtime=0), " X-GZIP "),
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
        (gzip.compress(b"{}" * 100, mtime=0)[:-9], "gzip"),
        (gzip.compress(b"{}", mtime=0) + b"x", "gzip"),
        (gzip.compress(bytes(BODY_BYTES_MAX + 1), mtime=0), "gzip"),
        (gzip.compress(bytes(1000 * BODY_BYTES_MAX), mtime=0), "gzip"),
    ],
)
def test_broken_coding(body: bytes, coding: str) -> None:
    """A compressed body that is broken, cut, followed by more, or too large is a ValueError."""
    with pytest.raises(ValueError, match="body"):
        inflate(body, coding)


def test_largest_body() -> None:
    """A body of exactly the maximum passes."""
    assert BODY_BYTES_MAX == len(inflate(gzip.compress(bytes(BODY_BYTES_MAX)), "gzip"))
