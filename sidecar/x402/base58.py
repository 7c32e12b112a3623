"""Solana's addresses: the base58 text of a public key's 32 bytes, read strictly.

Base58 tells its cases apart, and one key has one text, so texts are compared as they are.
"""

from __future__ import annotations

import re

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
# 32 bytes take 32 to 44 characters: 32 where all of them are zero, and each of them is a "1".
_TEXT = re.compile(rf"[{_ALPHABET}]{{32,44}}", re.ASCII)


def is_public_key(text: str) -> bool:
    """Whether this is the base58 text of exactly 32 bytes."""
    if _TEXT.fullmatch(text) is None:
        return False
    number = 0
    for char in text:
        number = number * 58 + _VALUES[char]
    # Each leading "1" stands for a byte of zero; the rest of the text is the number.
    zeros = len(text) - len(text.lstrip("1"))
    return zeros + (number.bit_length() + 7) // 8 == 32
