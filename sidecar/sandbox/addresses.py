"""EVM addresses and hashes, from keccak alone.

Written apart from the wallet's own code, so that a mistake there is not repeated here.
"""

from __future__ import annotations

import re

from Crypto.Hash import keccak

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def keccak256(data: bytes) -> bytes:
    """The hash that Ethereum calls keccak256."""
    return keccak.new(digest_bits=256, data=data).digest()


def is_address(text: str) -> bool:
    """Whether this is 0x and forty hex digits, in any case."""
    return _ADDRESS.fullmatch(text) is not None


def checksummed(address: str) -> str:
    """The address in EIP-55 spelling, whatever case it came in."""
    digits = address.removeprefix("0x").lower()
    marks = keccak256(digits.encode()).hex()
    spelled = (
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, marks, strict=False)
    )
    return "0x" + "".join(spelled)
