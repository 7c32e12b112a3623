"""Keccak-256, which every digest that a wallet signs is made of."""

from __future__ import annotations

import pytest
from Crypto.Hash import keccak

from sidecar.wallets.evm import _by_library
from sidecar.wallets.keccak import native

RATE = 136  # how many bytes it takes in at a time


@pytest.mark.parametrize("size", [0, 1, 32, 66, RATE - 1, RATE, RATE + 1, 2 * RATE, 5000])
def test_same_as_the_library(size: int) -> None:
    """Straight from the C code comes what the library's own way gives, whatever the length."""
    hashed = native()
    assert hashed is not None
    data = bytes(index % 251 for index in range(size))
    expected = keccak.new(digest_bits=256, data=data).digest()

    assert expected == hashed(data)
    assert expected == _by_library(data)


@pytest.mark.parametrize(
    "extension",
    ["Crypto.Hash._no_such", "Crypto.Hash.keccak", "Crypto.Hash._SHA256", "sys"],
    ids=["absent", "not C", "other functions", "built in"],
)
def test_not_as_expected(extension: str) -> None:
    """Where the C functions are not there, nothing is returned, and the library's way is left."""
    assert native(extension) is None
