"""Base58, by the vectors of its Internet-Draft and by going there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from solders.signature import Signature

from sidecar import base58
from sidecar.base58 import is_public_key


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


MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SYSTEM_PROGRAM = "1" * 32
LARGEST = "JEKNVnkbo3jma5nREBBJCDoXFVeKkD56V3xKrvRmWxFG"


@pytest.mark.parametrize("text", [MINT, SYSTEM_PROGRAM, LARGEST])
def test_known(text: str) -> None:
    """A mint, 32 bytes of zero and 32 bytes of 255 are public keys."""
    assert is_public_key(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        MINT[:-2],
        MINT + "1",
        "1" + MINT,
        MINT + "\n",
        " " + MINT,
        MINT.replace("E", "0", 1),
        MINT.replace("E", "O", 1),
        MINT.replace("E", "I", 1),
        MINT.replace("E", "l", 1),
        MINT.lower(),
        "1" * 31,
        "1" * 33,
        # One more than the largest number of 32 bytes.
        LARGEST[:-1] + "H",
        "z" * 44,
        "1" * 1_000_000,
        "0x2670B922ef37C7Df47158725C0CC407b5382293F",
        "\u0661" * 44,
    ],
)
def test_others(text: str) -> None:
    """Other lengths, other characters and other cases are not."""
    assert not is_public_key(text)


@given(st.binary(min_size=32, max_size=32))
def test_every_key(key: bytes) -> None:
    """Whatever 32 bytes are written as is read as a public key."""
    assert is_public_key(str(Pubkey(key)))


@given(
    st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", max_size=50)
    | st.integers(28, 36).flatmap(lambda size: st.text("1z", min_size=size, max_size=size + 8))
)
def test_second_opinion(text: str) -> None:
    """Any text in the alphabet is a public key to us where it is one to Solana's own library."""
    try:
        known = str(Pubkey.from_string(text)) == text
    except ValueError:
        known = False

    assert known == is_public_key(text)
