"""A secret in everything that it may be dressed in, and the search for it, byte for byte.

Six encodings: raw, hex (0x or not, of either case), base64 (both alphabets, at each of the three
places where it can start inside a longer text), base58, percent-encoded, and quoted as JSON or
Python do. A secret that is itself hexadecimal is looked for by its bytes as well. Made here by
other means than ``sidecar.logs.redaction``, so that what that one forgets is found.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

# What is looked for is never so short that chance writes it.
NEEDLE_BYTES_MIN = 10
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){16,})", re.ASCII)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Secret:
    """``name`` is what a find is reported by: the values never are."""

    name: str
    values: tuple[bytes, ...]

    @classmethod
    def of(cls, name: str, *texts: str, data: Iterable[bytes] = ()) -> Secret:
        """These texts; those that are hexadecimal by their bytes too; and these bytes."""
        values = [text.encode() for text in texts]
        for match in filter(None, map(_HEX.fullmatch, texts)):
            values += [match[1].encode(), f"0x{match[1]}".encode(), bytes.fromhex(match[1])]
        return cls(name, tuple(dict.fromkeys((*values, *data))))

    def __repr__(self) -> str:
        return f"Secret({self.name})"


@dataclass(frozen=True, slots=True)
class Needle:
    """One secret in one dress. ``folded``: its letters may be of either case."""

    secret: str
    form: str
    data: bytes
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Haystack:
    """Something that came out, where, and whose secrets belong there."""

    place: str
    data: bytes
    holds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Find:
    """A secret where it has no business."""

    place: str
    secret: str
    form: str


def base58(data: bytes) -> str:
    """As Bitcoin's: a number, and a 1 for each zero byte in front."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def dressed(secret: Secret) -> Iterator[Needle]:
    """This secret in every form that is looked for."""
    for value in secret.values:
        forms: dict[str, tuple[bytes, bool]] = {
            "raw": (value, False),
            "hex": (value.hex().encode(), True),
            "base58": (base58(value).encode(), False),
            "url": (quote(value, safe="").encode(), True),
            "url path": (quote(value).encode(), True),
            "url, every byte": ("".join(f"%{byte:02x}" for byte in value).encode(), True),
            "repr": (repr(value)[2:-1].encode(), False),
        }
        # A key's bytes are rarely text.
        text = value.decode(errors="ignore")
        if text.encode() == value:
            forms["json"] = (json.dumps(text)[1:-1].encode(), False)
        for before in range(3):
            inside = _inside(value, before)
            forms[f"base64 at {before}"] = (inside, False)
            forms[f"base64url at {before}"] = (
                inside.replace(b"+", b"-").replace(b"/", b"_"),
                False,
            )
        seen: set[bytes] = set()
        for form, (data, folded) in forms.items():
            if len(data) >= NEEDLE_BYTES_MIN and data not in seen:
                seen.add(data)
                yield Needle(secret.name, form, data.lower() if folded else data, folded)


def _inside(value: bytes, before: int) -> bytes:
    """The letters of base64 that depend on the value alone, when it starts at this place."""
    text = base64.b64encode(bytes(before) + value)
    return text[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]


class Search:
    """Looks for these secrets. ``searched`` counts the bytes that it has looked through."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._needles = [needle for secret in secrets for needle in dressed(secret)]
        self.needles = len(self._needles)
        self.searched = 0

    def finds(self, hay: Haystack) -> list[Find]:
        """Every secret that is there and does not belong there."""
        self.searched += len(hay.data)
        folded = hay.data.lower()
        return sorted(
            {
                Find(hay.place, needle.secret, needle.form)
                for needle in self._needles
                if needle.secret not in hay.holds
                and needle.data in (folded if needle.folded else hay.data)
            }
        )
