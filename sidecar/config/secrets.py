"""Secrets, fetched from where the config says they are kept; and the tokens that we make."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from sidecar.clock import Entropy
from sidecar.config.model import Config, Secret, SecretKind, SecretRef
from sidecar.config.private_file import ensure_state_dir, read_private, write_private
from sidecar.errors import ConfigError

CALLER_TOKEN_FILE = "caller.token"  # noqa: S105 - the name of a file, not what is in it
ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 - as above
TOKEN_PREFIX = "sk-sidecar-"  # noqa: S105 - apps expect an API key to look like one
TOKEN_BYTES = 32
KEYSTORE_WAIT_S = 60
COMPLAINT_LETTERS_MAX = 200

# What a Python child needs to start; nothing that could hold a secret.
_CHILD_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")


def open_secret(ref: SecretRef, environ: Mapping[str, str]) -> Secret:
    """The secret that ``ref`` points to. ConfigError says what is wrong with it, never what it is.

    A variable is read and left in place, for another key may name it too: see
    ``forget_variables``.
    """
    try:
        match ref.kind:
            case SecretKind.ENV:
                return Secret(
                    _text(
                        environ.get(ref.where, "").encode(errors="surrogateescape"), f"${ref.where}"
                    )
                )
            case SecretKind.FILE:
                return Secret(_text(read_private(Path(ref.where)), ref.where))
            case SecretKind.KEYSTORE:
                assert ref.password is not None
                password = open_secret(ref.password, environ)
                return open_keystore(Path(ref.where), password, environ)
    except ConfigError as fault:
        # A keystore's password says its own path already.
        if not ref.path or fault.mistakes[0].startswith(ref.path):
            raise
        raise ConfigError(*(f"{ref.path}: {mistake}" for mistake in fault.mistakes)) from fault


def secret_refs(config: Config) -> tuple[SecretRef, ...]:
    """Every place that the config names, in its order."""
    keys = [wallet.key for wallet in config.wallets.values()]
    api_keys = [route.api_key for route in config.routes.values() if route.api_key is not None]
    return (*keys, *(caller.token for caller in config.callers.values()), *api_keys)


def forget_variables(config: Config, environ: MutableMapping[str, str]) -> dict[str, str]:
    """Take every variable that holds a secret out of ``environ``; they are what is returned.

    What is started later does not inherit them. What the system shows of a process's first
    environment stays as it was.
    """
    taken: dict[str, str] = {}
    for ref in secret_refs(config):
        for place in (ref, ref.password):
            if place is not None and place.kind is SecretKind.ENV and place.where in environ:
                taken[place.where] = environ.pop(place.where)
    return taken


def ensure_token(path: Path, entropy: Entropy) -> tuple[Secret, bool]:
    """The token in this file, and whether it was made just now. ConfigError when it cannot be."""
    ensure_state_dir(path.parent)
    made = TOKEN_PREFIX + base64.urlsafe_b64encode(entropy.token(TOKEN_BYTES)).decode().rstrip("=")
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
    return Secret(_text(read_private(path), str(path))), False


def _text(content: bytes, place: str) -> str:
    """One line of text, without the line's end."""
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # From None: the fault holds the bytes.
        raise ConfigError(f"{place}: not text; put the secret there in UTF-8") from None
    if not text.strip():
        raise ConfigError(f"{place}: empty or not set; put the secret there")
    if not text.isprintable():
        raise ConfigError(f"{place}: more than one line, or control characters; keep one line")
    return text


def open_keystore(path: Path, password: Secret, environ: Mapping[str, str]) -> Secret:
    """The key in a keystore, opened by a child: scrypt's memory goes when the child does."""
    try:
        keystore = json.loads(read_private(path))
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: not JSON; name a keystore of version 3") from None
    request = json.dumps({"keystore": keystore, "password": password.reveal()})
    try:
        # -P: a folder named sidecar where we were started is not our package.
        child = subprocess.run(
            [sys.executable, "-P", "-m", "sidecar.wallets.keystore"],
            input=request.encode(),
            capture_output=True,
            timeout=KEYSTORE_WAIT_S,
            env={name: environ[name] for name in _CHILD_VARIABLES if name in environ},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{path}: not open after {KEYSTORE_WAIT_S} s; use fewer rounds") from None
    if child.returncode != 0:
        lines = child.stderr.decode(errors="replace").strip().splitlines() or ["it failed"]
        reason = lines[-1][:COMPLAINT_LETTERS_MAX]
        raise ConfigError(f"{path}: {reason}; check the keystore and its password")
    return Secret(_text(child.stdout, str(path)))
