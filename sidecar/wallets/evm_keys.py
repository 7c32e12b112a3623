"""EVM's private keys as people keep them."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.wallets.evm import EvmWallet, parse_private_key


def parse_secret_key(text: str) -> bytes:
    """See ``Keys``: 64 hexadecimal digits, with or without 0x."""
    return parse_private_key(text)


def make_wallet(key: bytes, rpc_urls: Mapping[str, str]) -> EvmWallet:
    """See ``Keys``."""
    return EvmWallet(key, rpc_urls)


def key_file(key: bytes) -> str:
    """See ``Keys``: in hexadecimal."""
    return f"0x{key.hex()}"


def secret_forms(key: bytes) -> tuple[str, ...]:
    """See ``Keys``: the log knows a key in hexadecimal by its bytes."""
    return (key.hex(),)
