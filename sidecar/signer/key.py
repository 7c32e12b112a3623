"""Where the signer's key is kept: a file, a variable, or a keystore. Never an argument.

The same places, with the same demands on a file, as the proxy's config has them. The rules name
them, because what reads that config knows of providers and ledgers, no part of this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from sidecar.config.secret_text import text_in_file, text_in_keystore, text_in_variable
from sidecar.errors import ConfigError, WalletError
from sidecar.values import dataclass
from sidecar.wallets import WalletKind
from sidecar.wallets.keys import Wallet, keys_of

_FIX = 'write {"file": PATH}, {"env": NAME} or {"keystore": {"file": PATH, "password": {...}}}'


@dataclass(frozen=True, slots=True)
class InFile:
    """A file that only we may read."""

    path: Path


@dataclass(frozen=True, slots=True)
class InVariable:
    """A variable of the environment that we were started with."""

    name: str


@dataclass(frozen=True, slots=True)
class InKeystore:
    """A keystore of version 3, and where its password is."""

    path: Path
    password: InFile | InVariable


KeyPlace: TypeAlias = InFile | InVariable | InKeystore


def read_key_place(value: object, name: str) -> KeyPlace:
    """The place that the rules name. ConfigError, which repeats nothing: it may be the key."""
    match value:
        case {"keystore": {"file": str(path), "password": password, **more}, **rest} if (
            not more and not rest
        ):
            return InKeystore(_absolute(path, name), _plain(password, f"{name}.keystore.password"))
        case _:
            return _plain(value, name)


def open_wallet(kind: WalletKind, place: KeyPlace, environ: Mapping[str, str]) -> Wallet:
    """The wallet of the key that is kept there. ConfigError, which holds none of it."""
    keys = keys_of(kind)
    try:
        return keys.make_wallet(keys.parse_secret_key(_text_in(place, environ)), {})
    except WalletError as fault:
        raise ConfigError(f"key: {fault.diagnostics()}") from None


def _plain(value: object, name: str) -> InFile | InVariable:
    match value:
        case {"file": str(path), **rest} if not rest:
            return InFile(_absolute(path, name))
        case {"env": str(variable), **rest} if not rest:
            return InVariable(variable)
        case _:
            raise ConfigError(f"{name}: {_FIX}")


def _absolute(text: str, name: str) -> Path:
    path = Path(text)
    if not path.is_absolute() or "\0" in text:
        raise ConfigError(f"{name}: it must be an absolute path")
    return path


def _text_in(place: KeyPlace, environ: Mapping[str, str]) -> str:
    match place:
        case InFile(path):
            return text_in_file(path)
        case InVariable(name):
            # Not by its name, which may be the key by mistake.
            return text_in_variable(name, environ, "the key's variable")
        case InKeystore(path, password):
            return text_in_keystore(path, _text_in(password, environ), environ)
