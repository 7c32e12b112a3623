"""Base58: how Solana writes keys, signatures and hashes.

It tells its cases apart, and one value has one text, so texts are compared as they are.
"""

from __future__ import annotations

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# The longest thing that is written so, a key pair or a signature, has 64 bytes.
CHARS_MAX = 88

_VALUES = {digit: value for value, digit in enumerate(ALPHABET)}


def encode(data: bytes) -> str:
    """The bytes in base58; each zero in front is a digit of its own."""
    number = int.from_bytes(data, "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return ALPHABET[0] * (len(data) - len(data.lstrip(b"\0"))) + digits


def decode(text: str) -> bytes | None:
    """The bytes behind a text of at most CHARS_MAX digits; None when it is not one."""
    if len(text) > CHARS_MAX or any(digit not in _VALUES for digit in text):
        return None
    number = 0
    for digit in text:
        number = number * 58 + _VALUES[digit]
    zeros = len(text) - len(text.lstrip(ALPHABET[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def is_public_key(text: str) -> bool:
    """Whether this is the text of exactly 32 bytes: an address."""
    data = decode(text)
    return data is not None and len(data) == 32
