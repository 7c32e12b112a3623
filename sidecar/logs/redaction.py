"""Known secrets, taken out of a text by their value, whatever they are dressed in.

Raw, hex, 0x, base64 (both alphabets, padded or not, and inside a longer base64 text), base58,
percent-encoded, and each of these as JSON or Python would quote it. A secret that is itself hex
is known by its bytes too. Case is ignored: better a word too many than a key.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cached_property
from urllib.parse import quote, quote_plus

from sidecar import base58

MARK = "[redacted]"
SECRET_CHARS_MIN = 8
# A shorter run of hex is as likely a word or a number, and its bytes may spell anything.
KEY_BYTES_MIN = 16

_HEX = re.compile(r"(?:0x)?((?:[0-9a-f]{2})+)", re.ASCII | re.IGNORECASE)
# The same in JSON and in Python, however often it is quoted.
_NEVER_QUOTED = re.compile(r"[ !#-&(-\[\]-~]*")
# Only ASCII is folded: str.lower() changes the length of some other letters.
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class Redactor:
    """Replaces secrets by ``[redacted]``.

    ``too_short`` counts those it leaves alone: of under eight characters, a word that short
    stands in ordinary text too, and its marks would spell it out.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        values = frozenset(secrets)
        long_enough = [value for value in values if len(value) >= SECRET_CHARS_MIN]
        self.too_short = len(values) - len(long_enough)
        forms = {_fold(form) for value in long_enough for form in _forms(value)}
        # The longest first, so that no padding or prefix of a form is left beside its mark.
        self._ordered = sorted(forms, key=lambda form: (-len(form), form))
        # Finding whether there is anything to replace is on the path of every line: a form
        # that holds another one need not be looked for.
        self._tells = tuple(
            form for form in forms if not any(other != form and other in form for other in forms)
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Made when a secret first turns up, which is never where all is well: it takes as long
        # as a third of the other work at start.
        return re.compile("|".join(map(re.escape, self._ordered)), re.IGNORECASE | re.ASCII)

    def redact(self, text: str) -> str:
        """The text without any secret."""
        return self._pattern.sub(MARK, text) if self._finds(text) else text

    def finds(self, texts: Iterable[str]) -> bool:
        """Whether any of these might hold a secret: never no where one does."""
        return self._finds("\n".join(texts))

    def _finds(self, text: str) -> bool:
        folded = text.lower() if text.isascii() else _fold(text)
        # Not any(...): its generator costs as much as the search.
        for tell in self._tells:  # noqa: SIM110 - see above
            if tell in folded:
                return True
        return False

    def __repr__(self) -> str:
        return "Redactor(***)"


def dresses(value: str) -> tuple[str, ...]:
    """A secret in every dress, without those that hold another one of them."""
    forms = set(_forms(value))
    return tuple(
        form for form in forms if not any(other != form and other in form for other in forms)
    )


def _forms(value: str) -> Iterator[str]:
    plain = {value, *_encodings(value.encode())}
    as_hex = _HEX.fullmatch(value)
    if as_hex is not None and len(as_hex[1]) >= 2 * KEY_BYTES_MIN:
        for spelled in (as_hex[1], f"0x{as_hex[1]}"):
            plain |= {spelled, *_encodings(spelled.encode())}
        plain |= set(_encodings(bytes.fromhex(as_hex[1])))
    for form in plain:
        if _NEVER_QUOTED.fullmatch(form):
            # As are most, and it takes ten times as long to find out by quoting it.
            yield form
            continue
        for quoted in (form, repr(form)[1:-1], *_in_json(form)):
            # The line may be JSON itself, and quote what was quoted before.
            yield from (quoted, *_in_json(quoted))


def _in_json(text: str) -> tuple[str, str]:
    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _encodings(data: bytes) -> Iterator[str]:
    yield data.hex()
    yield f"0x{data.hex()}"
    yield quote(data)
    yield quote(data, safe="")
    yield quote_plus(data)
    yield "".join(f"%{byte:02x}" for byte in data)
    yield repr(data)[2:-1]
    yield base58.encode(data)
    for standard in (b64encode(data).decode(), *_inside_base64(data)):
        url_safe = standard.replace("+", "-").replace("/", "_")
        yield from (standard, standard.rstrip("="), url_safe, url_safe.rstrip("="))


def _inside_base64(data: bytes) -> Iterator[str]:
    """The characters that depend on the data alone, at each of the three places it can start."""
    for before in range(3):
        text = b64encode(b"\0" * before + data).decode().rstrip("=")
        first = -(-before * 8 // 6)
        whole = (before + len(data)) * 8 // 6
        yield text[first:whole]


def _fold(text: str) -> str:
    return text.translate(_LOWER)
