"""Base58, by the vectors of its Internet-Draft and by going there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.signature import Signature

from sidecar.rpc import base58


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0", "1"),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
    ],
)
def test_vectors(data: bytes, text: str) -> None:
    """Each vector in both directions."""
    assert (text, data) == (base58.encode(data), base58.decode(text))


@given(st.binary(min_size=64, max_size=64))
def test_there_and_back(data: bytes) -> None:
    """Whatever was written is read again, and written as Solana's own library does."""
    assert str(Signature.from_bytes(data)) == base58.encode(data)
    assert data == base58.decode(base58.encode(data))


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " 1", "1 ", "1\n", "\u0661", "2" * 89])
def test_not_base58(text: str) -> None:
    """Other letters, white space, and what is longer than anything that is written so."""
    assert None is base58.decode(text)
