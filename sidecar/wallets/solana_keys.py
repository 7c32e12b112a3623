"""Solana's secret keys as people keep them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sidecar import base58
from sidecar.document import read_json
from sidecar.errors import WalletError
from sidecar.wallets.solana import SolanaWallet, public_key

_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)


def parse_secret_key(text: str) -> bytes:
    """See ``Keys``: the seed, without the public half that most forms have behind it.

    Written as 64 hexadecimal digits, as the Solana CLI's array of 64 numbers, or in base58.
    """
    text = text.strip()
    match = _HEX.fullmatch(text)
    if match is not None:
        return bytes.fromhex(match[1])
    raw = _from_array(text) if text.startswith("[") else base58.decode(text)
    if raw is None or len(raw) not in (32, 64):
        raise WalletError(
            "not a Solana secret key: it must be an array of 64 numbers, base58 of 32 or 64 "
            "bytes, or 64 hexadecimal digits"
        )
    seed, public_half = raw[:32], raw[32:]
    if public_half and public_half != public_key(seed):
        raise WalletError("a Solana secret key whose public half is another key's")
    return seed


def make_wallet(key: bytes, rpc_urls: Mapping[str, str]) -> SolanaWallet:
    """See ``Keys``."""
    return SolanaWallet(key, rpc_urls)


def key_file(key: bytes) -> str:
    """See ``Keys``: as the Solana CLI has it."""
    return json.dumps(list(key + public_key(key)), separators=(",", ":"))


def secret_forms(key: bytes) -> tuple[str, ...]:
    """See ``Keys``."""
    pair = key + public_key(key)
    return (
        *(key.hex(), pair.hex()),
        *(base58.encode(key), base58.encode(pair)),
        *(*_arrays(key), *_arrays(pair)),
    )


def _arrays(key: bytes) -> tuple[str, str]:
    # Without the brackets, which a longer list would have elsewhere.
    return ",".join(map(str, key)), ", ".join(map(str, key))


def _from_array(text: str) -> bytes | None:
    try:
        numbers = read_json(text.encode())
    except ValueError:
        # Not raised from here: the parser's error holds the key.
        return None
    is_key = len(numbers) == 64 and all(type(n) is int and 0 <= n < 256 for n in numbers)
    return bytes(numbers) if is_key else None
