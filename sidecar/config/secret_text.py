"""A secret's text, from the file, the variable or the keystore that holds it.

Whoever opens secrets does it by these: the proxy, and a signer, which knows nothing else of the
proxy's config. What is raised says what is wrong with a secret, and never what it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sidecar.config.private_file import read_private
from sidecar.errors import ConfigError

KEYSTORE_WAIT_S = 60
COMPLAINT_LETTERS_MAX = 200

# What a Python child needs to start; nothing that could hold a secret.
_CHILD_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")


def text_in_file(path: Path) -> str:
    """The one line of a file that only we may read. ConfigError."""
    return _text(read_private(path), str(path))


def text_in_variable(name: str, environ: Mapping[str, str], place: str) -> str:
    """What the variable holds. ConfigError, which calls it ``place``."""
    return _text(environ.get(name, "").encode(errors="surrogateescape"), place)


def text_in_keystore(path: Path, password: str, environ: Mapping[str, str]) -> str:
    """The key in a keystore, opened by a child: scrypt's memory goes when the child does."""
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
        reason = lines[-1][:COMPLAINT_LETTERS_MAX]
        raise ConfigError(f"{path}: {reason}; check the keystore and its password")
    return _text(child.stdout, str(path))


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
