"""Keccak-256, which every digest that a wallet signs is made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from Crypto.Hash import keccak

from sidecar.wallets.keccak import by_library, native

RATE = 136  # how many bytes it takes in at a time


@pytest.mark.parametrize("size", [0, 1, 32, 66, RATE - 1, RATE, RATE + 1, 2 * RATE, 5000])
def test_same_as_the_library(size: int) -> None:
    """Straight from the C code comes what the library's own way gives, whatever the length."""
    hashed = native()
    assert hashed is not None
    data = bytes(index % 251 for index in range(size))
    expected = keccak.new(digest_bits=256, data=data).digest()

    assert expected == hashed(data)
    assert expected == by_library(data)


def test_one_after_the_other() -> None:
    """What was hashed before leaves nothing behind, in whichever thread it was."""
    hashed = native()
    assert hashed is not None
    many = [bytes([number]) * (number % 300) for number in range(256)] * 8
    expected = [by_library(data) for data in many]

    with ThreadPoolExecutor(4) as threads:
        assert expected == list(threads.map(hashed, many))
    assert expected == [hashed(data) for data in many]


@pytest.mark.parametrize(
    "extension",
    ["Crypto.Hash._no_such", "Crypto.Hash.keccak", "Crypto.Hash._SHA256", "sys"],
    ids=["absent", "not C", "other functions", "built in"],
)
def test_not_as_expected(extension: str) -> None:
    """Where the C functions are not there, nothing is returned, and the library's way is left."""
    assert native(extension) is None
