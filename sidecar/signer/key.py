"""Where the signer's key is kept: a file, a variable, or a keystore. Never an argument.

The same places, with the same demands on a file, as the proxy's config has them; read here
because what reads those knows of providers and ledgers, which are no part of this process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sidecar.config.private_file import read_private
from sidecar.errors import ConfigError, WalletError
from sidecar.wallets import WalletKind
from sidecar.wallets.keys import Wallet, keys_of

KEYSTORE_WAIT_S = 60
COMPLAINT_CHARS_MAX = 200

# What a Python child needs to start; nothing that could hold a secret.
_CHILD_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
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
            return _one_line(read_private(path), str(path))
        case InVariable(name):
            return _one_line(environ.get(name, "").encode(errors="replace"), "the key's variable")
        case InKeystore(path, password):
            return _from_keystore(path, _text_in(password, environ), environ)


def _one_line(content: bytes, place: str) -> str:
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # From None: the fault holds the bytes.
        raise ConfigError(f"{place}: not text; put the secret there in UTF-8") from None
    if not text.strip() or not text.isprintable():
        raise ConfigError(f"{place}: empty, or more than one line; put the secret there in one")
    return text


def _from_keystore(path: Path, password: str, environ: Mapping[str, str]) -> str:
    """What a child says is in it: scrypt's memory goes when the child does."""
    try:
        keystore = json.loads(read_private(path))
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: not JSON; name a keystore of version 3") from None
    try:
        # -P: a folder named sidecar where we were started is not our package.
        child = subprocess.run(
            [sys.executable, "-P", "-m", "sidecar.wallets.keystore"],
            input=json.dumps({"keystore": keystore, "password": password}).encode(),
            capture_output=True,
            timeout=KEYSTORE_WAIT_S,
            env={name: environ[name] for name in _CHILD_VARIABLES if name in environ},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{path}: not open after {KEYSTORE_WAIT_S} s; use fewer rounds") from None
    if child.returncode != 0:
        lines = child.stderr.decode(errors="replace").strip().splitlines() or ["it failed"]
        raise ConfigError(f"{path}: {lines[-1][:COMPLAINT_CHARS_MAX]}")
    return _one_line(child.stdout, str(path))
