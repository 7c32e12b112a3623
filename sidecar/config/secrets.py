"""Secrets, fetched from where the config says they are kept; and the tokens that we make."""

from __future__ import annotations

import base64
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.clock import Entropy
from sidecar.config.mistakes import on_line
from sidecar.config.model import Config, PostgresUrl, Secret, SecretKind, SecretRef
from sidecar.config.private_file import ensure_state_dir, write_private
from sidecar.config.secret_text import text_in_file, text_in_keystore, text_in_variable
from sidecar.errors import ConfigError

if TYPE_CHECKING:
    from sidecar.ledger.postgres_url import Server

CALLER_TOKEN_FILE = "caller.token"  # noqa: S105 - the name of a file, not what is in it
ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 - as above
TOKEN_PREFIX = "sk-sidecar-"  # noqa: S105 - apps expect an API key to look like one
TOKEN_BYTES = 32


def open_secret(ref: SecretRef, environ: Mapping[str, str]) -> Secret:
    """The secret that ``ref`` points to. ConfigError says what is wrong with it, never what it is.

    A variable is read and left in place, for another key may name it too: see
    ``forget_variables``.
    """
    try:
        match ref.kind:
            case SecretKind.ENV:
                return Secret(text_in_variable(ref.where, environ, f"${ref.where}"))
            case SecretKind.FILE:
                return Secret(text_in_file(Path(ref.where)))
            case SecretKind.KEYSTORE:
                assert ref.password is not None
                password = open_secret(ref.password, environ)
                return open_keystore(Path(ref.where), password, environ)
    except ConfigError as fault:
        # A keystore's password says its own path already.
        if not ref.path or fault.mistakes[0].startswith(ref.path):
            raise
        raise _at(ref, fault) from fault


def open_server(ledger: PostgresUrl, environ: Mapping[str, str]) -> Server:
    """The server that the ledger's URL names. ConfigError: no such URL, or no driver for it."""
    text = open_secret(ledger.url, environ).reveal()
    try:
        # It brings the driver, which only those have who asked for it.
        from sidecar.ledger.postgres_url import read_url  # noqa: PLC0415 - see above
    except ImportError:
        missing = ConfigError("its driver is missing; run: pip install 'x402-sidecar[postgres]'")
        raise _at(ledger.url, missing) from None
    try:
        return read_url(text)
    except ConfigError as fault:
        raise _at(ledger.url, fault) from fault


def _at(ref: SecretRef, fault: ConfigError) -> ConfigError:
    """The same mistakes, with the key that they are of and its line."""
    return ConfigError(*(f"{ref.path}: {each}{on_line(ref.line)}" for each in fault.mistakes))


def secret_refs(config: Config) -> tuple[SecretRef, ...]:
    """Every place that the config names, in its order."""
    keys = [wallet.key for wallet in config.wallets.values() if isinstance(wallet.key, SecretRef)]
    api_keys = [route.api_key for route in config.routes.values() if route.api_key is not None]
    tokens = [caller.token for caller in config.callers.values() if caller.token is not None]
    urls = [config.ledger.url] if isinstance(config.ledger, PostgresUrl) else []
    return (*keys, *tokens, *api_keys, *urls)


def secret_variables(config: Config) -> tuple[str, ...]:
    """The variables that hold a secret, each once."""
    places = (place for ref in secret_refs(config) for place in (ref, ref.password))
    variables = (
        place.where for place in places if place is not None and place.kind is SecretKind.ENV
    )
    return tuple(dict.fromkeys(variables))


def forget_variables(config: Config, environ: MutableMapping[str, str]) -> dict[str, str]:
    """Take every variable that holds a secret out of ``environ``; they are what is returned.

    What is started later does not inherit them. What the system shows of a process's first
    environment is another matter: see ``own_memory``.
    """
    return {name: environ.pop(name) for name in secret_variables(config) if name in environ}


def new_token(entropy: Entropy) -> str:
    """A token that nobody can guess, in the looks of an API key."""
    return TOKEN_PREFIX + base64.urlsafe_b64encode(entropy.token(TOKEN_BYTES)).decode().rstrip("=")


def ensure_token(path: Path, entropy: Entropy) -> tuple[Secret, bool]:
    """The token in this file, and whether it was made just now. ConfigError when it cannot be."""
    ensure_state_dir(path.parent)
    made = new_token(entropy)
    try:
        if (
            not path.is_symlink()
            and not path.exists()
            and write_private(path, f"{made}\n".encode())
        ):
            return Secret(made), True
    except OSError as fault:
        reason = (fault.strerror or "not writable").lower()
        raise ConfigError(f"{path}: {reason}; make its folder writable") from fault
    return Secret(text_in_file(path)), False


def open_keystore(path: Path, password: Secret, environ: Mapping[str, str]) -> Secret:
    """The key in a keystore."""
    return Secret(text_in_keystore(path, password.reveal(), environ))
