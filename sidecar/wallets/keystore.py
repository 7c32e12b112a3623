"""Keys under a password: Web3 secret storage, version 3.

Decrypt in a child process (``python -m sidecar.wallets.keystore``): at its default scrypt takes
some 300 MB, and only a process that ends gives them back. The child reads one JSON object,
``{"keystore": {...}, "password": "..."}``, and writes the key in hexadecimal, or one line about
what is wrong. Neither travels in its arguments, where every user could read them.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal, TextIO

from sidecar.document import read_json
from sidecar.errors import WalletError

INPUT_BYTES_MAX = 64 * 1024
# Work factors with room above every wallet's default: geth's are 256 MB and 262,144 rounds.
SCRYPT_BYTES_MAX = 1024 * 1024 * 1024
PBKDF2_ROUNDS_MAX = 10_000_000
SET_DUMPABLE = 4  # from linux/prctl.h


def decrypt(keystore: Mapping[str, Any], password: str) -> bytes:
    """The private key in this keystore. WalletError when the password or the file is wrong."""
    _refuse_odd(keystore)
    # Slow to import, and half of what a process weighs: only for those who need it.
    from eth_account import Account  # noqa: PLC0415 - see above

    try:
        private_key = bytes(Account.decrypt(dict(keystore), password))
        address = Account.from_key(private_key).address.lower()
    except ValueError as fault:
        if "MAC mismatch" in str(fault):
            raise WalletError("the keystore's password is wrong") from None
        raise WalletError("not a keystore of version 3") from None
    except (KeyError, TypeError):
        raise WalletError("not a keystore of version 3") from None
    # The format's checksum leaves the initial vector out, so another key could come of it.
    said = str(keystore.get("address") or address).lower().removeprefix("0x")
    if said != address.removeprefix("0x"):
        raise WalletError("a keystore whose key is not its address's")
    return private_key


def encrypt(
    private_key: bytes,
    password: str,
    kdf: Literal["scrypt", "pbkdf2"] = "scrypt",
    iterations: int | None = None,
) -> dict[str, Any]:
    """A version 3 keystore with this key in it; None takes the function's usual work factor."""
    from eth_account import Account  # noqa: PLC0415 - as in decrypt

    return Account.encrypt(private_key, password, kdf=kdf, iterations=iterations)


def main(given: BinaryIO, key: TextIO, complaint: TextIO) -> int:
    """Decrypt what is given. The exit status: 0 with a key, 1 with a complaint."""
    try:
        text = given.read(INPUT_BYTES_MAX + 1)
        if len(text) > INPUT_BYTES_MAX:
            raise WalletError(f"a keystore of over {INPUT_BYTES_MAX} bytes")
        private_key = decrypt(*_request(text))
    except WalletError as fault:
        complaint.write(fault.diagnostics() + "\n")
        return 1
    key.write(private_key.hex() + "\n")
    return 0


def _request(text: bytes) -> tuple[dict[str, Any], str]:
    try:
        match read_json(text):
            case {"keystore": dict(keystore), "password": str(password)}:
                return keystore, password
            case _:
                pass
    except ValueError:
        pass
    # From here, and not from the except arm: the parser's error holds the password.
    raise WalletError("not a keystore: it must be a JSON object of version 3")


def _refuse_odd(keystore: Mapping[str, Any]) -> None:
    """Refuse what the library would read as another format, or work on for ever."""
    if keystore.get("version") != 3:
        raise WalletError("not a keystore of version 3")
    # Older wallets write the name with a capital.
    match keystore.get("crypto", keystore.get("Crypto")):
        case {
            "cipher": "aes-128-ctr",
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": int(n), "r": int(r), "p": int(p)},
        }:
            is_slow = 128 * n * r * p > SCRYPT_BYTES_MAX
        case {
            "cipher": "aes-128-ctr",
            "kdf": "pbkdf2",
            "kdfparams": {"dklen": 32, "c": int(rounds), "prf": "hmac-sha256"},
        }:
            is_slow = rounds > PBKDF2_ROUNDS_MAX
        case _:
            raise WalletError("not a keystore of version 3")
    if is_slow:
        raise WalletError("a keystore that would take too long to open")


if __name__ == "__main__":  # pragma: no cover - a process of its own, which a test runs
    if sys.platform == "linux":
        # Exec made it dumpable again: others of our user could read the key in our memory.
        ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)
    sys.exit(main(sys.stdin.buffer, sys.stdout, sys.stderr))
