"""``{file: …}``, ``{env: …}`` or ``{keystore: …}``: where a secret is kept, never the secret.

Nothing that stands where a secret belongs is repeated in a message: it may be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar.config.fields import Field
from sidecar.config.model import SecretKind, SecretRef

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
# A private key by mistake: in hexadecimal, and Solana's in base58 or as an array.
_KEY = re.compile(
    r"(0x)?[0-9a-fA-F]{64}|[1-9A-HJ-NP-Za-km-z]{43,44}|[1-9A-HJ-NP-Za-km-z]{86,88}"
    r"|\s*\[[0-9\s,]+\]\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Places:
    """What relative paths in the config start from, and what ``~`` means there."""

    folder: Path
    home: Path | None

    def path(self, text: str) -> Path:
        """The absolute path that is meant."""
        if self.home is not None and (text == "~" or text.startswith("~/")):
            return self.home / text[2:]
        return self.folder / text


def read_secret_ref(field: Field, places: Places, *, keystore: bool = False) -> SecretRef | None:
    """The place that ``field`` names; None, with a mistake noted, when it names none."""
    kinds = (SecretKind.FILE, SecretKind.ENV, SecretKind.KEYSTORE)[: 3 if keystore else 2]
    fix = "write {file: PATH} or {env: NAME}" + (" or {keystore: {...}}" if keystore else "")
    if field.entry is None:
        return None
    if not isinstance(field.entry.value, Mapping):
        field.mistake("a secret does not stand in the config itself", fix)
        return None
    section = field.section(kinds)
    given = [kind for kind in kinds if section.at(kind).is_given]
    if len(given) != 1:
        field.mistake("a secret is kept in exactly one place", fix)
        return None
    place = section.at(given[0])
    if given[0] is SecretKind.ENV:
        return _in_variable(place, field.path)
    if given[0] is SecretKind.KEYSTORE:
        return _in_keystore(place, field.path, places)
    return _in_file(place, field.path, places)


def _in_variable(field: Field, path: str) -> SecretRef | None:
    name = field.text(fix="name an environment variable", secret=True)
    if not name:
        return None
    if _VARIABLE.fullmatch(name) is None or _KEY.fullmatch(name) is not None:
        field.mistake("not the name of an environment variable", "name one, like OPENAI_API_KEY")
        return None
    return SecretRef(SecretKind.ENV, name, path=path)


def _in_file(field: Field, path: str, places: Places) -> SecretRef | None:
    where = _file(field, places)
    return None if where is None else SecretRef(SecretKind.FILE, where, path=path)


def _in_keystore(field: Field, path: str, places: Places) -> SecretRef | None:
    section = field.section(("file", "password"))
    where = _file(section.at("file").required("name the keystore file"), places)
    password_field = section.at("password").required("write {file: PATH} or {env: NAME}")
    password = read_secret_ref(password_field, places)
    if where is None or password is None:
        return None
    return SecretRef(SecretKind.KEYSTORE, where, password, path)


def _file(field: Field, places: Places) -> str | None:
    text = field.text(fix="name a file", secret=True)
    if not text:
        return None
    if _KEY.fullmatch(text) is not None:
        field.mistake(
            "this looks like a private key, not like a file", "write the key to a file and name it"
        )
        return None
    if "\0" in text:
        field.mistake("not a path", "name a file")
        return None
    return str(places.path(text))
