"""Base58 as Solana's JSON-RPC writes instruction data and small accounts."""

from __future__ import annotations

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def encoded(data: bytes) -> str:
    """These bytes in base58."""
    number = int.from_bytes(data, "big")
    digits = ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def decoded(text: str) -> bytes:
    """The bytes of a text in base58; ValueError when it is none."""
    number = 0
    for digit in text:
        number = number * len(_ALPHABET) + _ALPHABET.index(digit)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
