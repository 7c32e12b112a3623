"""``{file: …}``, ``{env: …}`` or ``{keystore: …}``: where a secret is kept, never the secret.

A wallet's key may also be kept by ``{signer: …}``, which gives it to nobody.

Nothing that stands where a secret belongs is repeated in a message: it may be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sidecar.config.fields import Field
from sidecar.config.model import SecretKind, SecretRef, SignerRef
from sidecar.values import dataclass

SIGNER = "signer"
SECRET_FIX = "write {file: PATH} or {env: NAME}"  # noqa: S105 - a sentence
KEY_FIX = "write {file: PATH}, {env: NAME}, {keystore: {...}} or {signer: PATH}"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
# A secret by mistake: in hexadecimal, whole or not, Solana's as an array, and what is as mixed
# as keys and tokens are.
_KEY = re.compile(
    r"(0x)?[0-9a-fA-F]{32,}|[1-9A-HJ-NP-Za-km-z]{43,44}|[1-9A-HJ-NP-Za-km-z]{86,88}"
    r"|\s*\[[0-9\s,]+\]\s*"
    r"|(?=[^0-9]*[0-9])(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[\w+=-]{24,}",
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


def read_secret_ref(field: Field, places: Places, beside: tuple[str, ...] = ()) -> SecretRef | None:
    """The place that ``field`` names; None, with a mistake noted, when it names none.

    ``beside``: the keys that may stand in the same mapping, and are no places.
    """
    kind, place = _place(field, (SecretKind.FILE, SecretKind.ENV), SECRET_FIX, beside)
    if place is None:
        return None
    if kind == SecretKind.ENV:
        return _in_variable(place, field)
    return _in_file(place, field, places)


def read_key_ref(field: Field, places: Places) -> SecretRef | SignerRef | None:
    """The same of a wallet's key, which a keystore may hold, or a signer keep."""
    kind, place = _place(field, (*SecretKind, SIGNER), KEY_FIX)
    if place is None:
        return None
    if kind == SecretKind.ENV:
        return _in_variable(place, field)
    if kind == SecretKind.KEYSTORE:
        return _in_keystore(place, field, places)
    if kind == SIGNER:
        socket = _file(place, places)
        return None if socket is None else SignerRef(Path(socket), field.path, field.line)
    return _in_file(place, field, places)


def _place(
    field: Field, kinds: tuple[str, ...], fix: str, beside: tuple[str, ...] = ()
) -> tuple[str, Field | None]:
    """Which kind of place is named, and what is said of it; None, with a mistake noted: none."""
    if field.entry is None:
        return "", None
    if not isinstance(field.entry.value, Mapping):
        field.mistake("a secret does not stand in the config itself", fix)
        return "", None
    section = field.section((*kinds, *beside))
    given = [kind for kind in kinds if section.at(kind).is_given]
    if len(given) != 1:
        field.mistake("a secret is kept in exactly one place", fix)
        return "", None
    return given[0], section.at(given[0])


def _in_variable(field: Field, key: Field) -> SecretRef | None:
    name = field.text(fix="name an environment variable", secret=True)
    if not name:
        return None
    if _VARIABLE.fullmatch(name) is None or _KEY.fullmatch(name) is not None:
        field.mistake("not the name of an environment variable", "name one, like OPENAI_API_KEY")
        return None
    return SecretRef(SecretKind.ENV, name, None, key.path, key.line)


def _in_file(field: Field, key: Field, places: Places) -> SecretRef | None:
    where = _file(field, places)
    if where is None:
        return None
    return SecretRef(SecretKind.FILE, where, None, key.path, key.line)


def _in_keystore(field: Field, key: Field, places: Places) -> SecretRef | None:
    section = field.section(("file", "password"))
    where = _file(section.at("file").required("name the keystore file"), places)
    password_field = section.at("password").required(SECRET_FIX)
    password = read_secret_ref(password_field, places)
    if where is None or password is None:
        return None
    return SecretRef(SecretKind.KEYSTORE, where, password, key.path, key.line)


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
