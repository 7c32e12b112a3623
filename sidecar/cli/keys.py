"""The keys that a command opens, and the passwords that it asks for."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path

from sidecar.clock import SystemClock
from sidecar.config.mistakes import on_line
from sidecar.config.model import (
    Config,
    Secret,
    SecretKind,
    SecretRef,
    SignerRef,
    WalletConfig,
)
from sidecar.config.secrets import open_keystore, open_secret
from sidecar.errors import ConfigError, WalletError
from sidecar.signer.line import wallet_at
from sidecar.wallets import WalletKind
from sidecar.wallets.keys import keys_of

KEY_BYTES_MAX = 1024


def wallet_addresses(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """The address of every wallet by its name. ConfigError with a line for each that has none."""
    mistakes: list[str] = []
    addresses: dict[str, str] = {}
    for wallet in config.wallets.values():
        try:
            addresses[wallet.name] = wallet_address(wallet, environ)
        except ConfigError as fault:
            mistakes += fault.mistakes
    if mistakes:
        raise ConfigError(*mistakes)
    return addresses


def wallet_address(wallet: WalletConfig, environ: Mapping[str, str]) -> str:
    """The address of this wallet. ConfigError when it has none."""
    kept = wallet.key
    try:
        match kept:
            case SignerRef():
                return _remote_address(kept, wallet.kind)
            case SecretRef():
                return address_of(open_secret(kept, environ), wallet.kind)
    except WalletError as fault:
        wrong = f"{fault.diagnostics()}; keep a private key there"
        raise ConfigError(f"{kept.path}: {wrong}{on_line(kept.line)}") from fault


def _remote_address(kept: SignerRef, kind: WalletKind) -> str:
    try:
        return wallet_at(kept.socket, kept.path, kind, {}, SystemClock()).address
    except ConfigError as fault:
        raise ConfigError(*(f"{each}{on_line(kept.line)}" for each in fault.mistakes)) from fault


def address_of(key: Secret, kind: WalletKind) -> str:
    """The address that this key pays from. WalletError when it is no key of this kind."""
    keys = keys_of(kind)
    return keys.make_wallet(keys.parse_secret_key(key.reveal()), {}).address


def open_key_file(
    path: Path, *, keystore: bool, password_file: str | None, environ: Mapping[str, str]
) -> Secret:
    """The key in this file."""
    if keystore:
        return open_keystore(path, ask_password(password_file, twice=False), environ)
    return open_secret(SecretRef(SecretKind.FILE, str(path)), environ)


def ask_password(file: str | None, *, twice: bool) -> Secret:
    """The password in the file, or typed without being seen; ``twice`` for a new one."""
    if file is not None:
        return open_secret(SecretRef(SecretKind.FILE, file), {})
    password = _typed("Password: ")
    if twice and _typed("The same again: ") != password:
        raise ConfigError("password: the two differ; type them again")
    if not password:
        raise ConfigError("password: empty; choose one")
    return Secret(password)


def ask_key(file: str | None, prompt: str = "Private key: ") -> Secret:
    """A key from a file, from a pipe, or typed without being seen."""
    if file is not None:
        return open_secret(SecretRef(SecretKind.FILE, file), {})
    if sys.stdin.isatty():
        return Secret(_typed(prompt))
    return Secret(sys.stdin.read(KEY_BYTES_MAX))


def _typed(prompt: str) -> str:
    """A line from the terminal, whatever stdin is. ConfigError when there is no terminal."""
    try:
        with open("/dev/tty", "r+b", buffering=0):
            return getpass.getpass(prompt)
    except OSError:
        raise ConfigError("password: no terminal to ask on; use --password-file") from None
    except EOFError:
        # The prompt's line is still open.
        print(file=sys.stderr)
        raise ConfigError("password: none was typed; type one or use --password-file") from None
