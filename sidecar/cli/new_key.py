"""The key that ``sidecar init`` puts into a config: made, taken over, or there already."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sidecar.cli.interview import Interview, Question
from sidecar.cli.keys import address_of, ask_key, open_key_file
from sidecar.cli.starter import SANDBOX, Starter, kind_of
from sidecar.clock import Entropy
from sidecar.config.model import Secret
from sidecar.config.private_file import write_private
from sidecar.errors import ConfigError
from sidecar.values import dataclass
from sidecar.wallets.keys import keys_of

KEY_BYTES = 32
NEW, IMPORT, USE = "new", "import", "use"
_MEANINGS = {NEW: "make one", IMPORT: "type or paste it", USE: "a file that has it"}


@dataclass(frozen=True, slots=True)
class NewKey:
    """Where the key is, and what is still to be written there; None: it is there already."""

    path: Path
    content: Secret | None
    address: str  # "" for an API key

    def write(self) -> None:
        """Write what is still to be written. ConfigError when there is a file by now."""
        if self.content is None:
            return
        try:
            made = write_private(self.path, f"{self.content.reveal()}\n".encode())
        except OSError as fault:
            reason = (fault.strerror or "not writable").lower()
            raise ConfigError(
                f"--key-file: {self.path}: {reason}; name a file that can be made"
            ) from fault
        if not made:
            refuse_existing(self.path, "--key-file", "name another")


def refuse_existing(path: Path, flag: str, fix: str) -> None:
    """ConfigError where there is something already: what is overwritten may be money."""
    if path.exists() or path.is_symlink():
        raise ConfigError(f"{flag}: {path}: there is a file already; {fix}")


def ask_new_key(
    interview: Interview,
    args: argparse.Namespace,
    place: tuple[Starter, str, Path],
    entropy: Entropy,
) -> NewKey:
    """The key for a starter on a network; ``place`` has the config's folder, too."""
    starter, network, folder = place
    pays = bool(network)
    way = interview.ask(_which_way(pays=pays), args.key, lambda text: _read_way(text, pays=pays))
    if way == USE:
        return _there(interview, args, network)
    name = SANDBOX if starter.route == SANDBOX else kind_of(network) if pays else "api"
    path = Path(args.key_file) if args.key_file else folder / f"{name}.key"
    fix = f"take it with --key {USE} --key-file {path}, or name another with --key-file"
    refuse_existing(path, "--key", fix)
    if not pays:
        return NewKey(path, Secret(ask_key(None, "API key: ").reveal().strip()), "")
    keys = keys_of(kind_of(network))
    is_new = way == NEW
    key = entropy.token(KEY_BYTES) if is_new else keys.parse_secret_key(ask_key(None).reveal())
    return NewKey(path, Secret(keys.key_file(key)), keys.make_wallet(key, {}).address)


def _which_way(*, pays: bool) -> Question:
    ways = "; ".join(f"{way}: {_MEANINGS[way]}" for way in _ways(pays=pays))
    what = "Key of the wallet" if pays else "API key"
    return Question("key", f"{what} ({ways})", _ways(pays=pays)[0])


def _ways(*, pays: bool) -> tuple[str, ...]:
    return (NEW, IMPORT, USE) if pays else (IMPORT, USE)


def _read_way(text: str, *, pays: bool) -> str:
    if text not in _ways(pays=pays):
        raise ValueError(f"{text!r} is none of {', '.join(_ways(pays=pays))}")
    return text


def _there(interview: Interview, args: argparse.Namespace, network: str) -> NewKey:
    def read(text: str) -> Path:
        if not text:
            raise ValueError("name a file")
        return Path(text)

    path = interview.ask(Question("key-file", "Key file"), args.key_file, read)
    found = open_key_file(path, keystore=False, password_file=None, environ=os.environ)
    return NewKey(path, None, address_of(found, kind_of(network)) if network else "")
