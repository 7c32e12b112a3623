"""The search that the canary battery goes by finds what it should, and nothing else."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from tests.canary.needles import Haystack, Search, Secret

KEY = bytes(range(7, 71, 2))
TOKEN = 'sk-canary/"é+ä" of some length'
SECRETS = (Secret.of("key", "0x" + KEY.hex()), Secret.of("token", TOKEN))

DRESSES = {
    "raw": TOKEN.encode(),
    "hex": TOKEN.encode().hex().encode(),
    "HEX": TOKEN.encode().hex().upper().encode(),
    "base64": base64.b64encode(TOKEN.encode()),
    "base64 of a header": base64.b64encode(f"user:{TOKEN}".encode()),
    "base64 of a longer header": base64.b64encode(f"users:{TOKEN}!".encode()),
    "base64url": base64.urlsafe_b64encode(TOKEN.encode()).rstrip(b"="),
    "url": quote(TOKEN).encode(),
    "url in small letters": quote(TOKEN, safe="").replace("%C3%A9", "%c3%a9").encode(),
    "key": ("0x" + KEY.hex()).encode(),
    "key in capitals": KEY.hex().upper().encode(),
    "key's bytes": KEY,
    "key's bytes in base64": base64.b64encode(b"{" + KEY),
    "key's bytes as Python prints them": repr(KEY).encode(),
    "key in base64": base64.b64encode(KEY.hex().encode()),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_found(dress: str) -> None:
    """A secret is found in each of its dresses, in the midst of other bytes."""
    hay = Haystack("here", b"\0 before " + DRESSES[dress] + b" after \xff")

    wanted = "key" if dress.startswith("key") else "token"
    assert {wanted} == {find.secret for find in Search(SECRETS).finds(hay)}


def test_base58() -> None:
    """Base58 is met by a vector of its Internet-Draft, and a key in it is found."""
    text = "2NEpo7TZRRrLZSi2U"
    search = Search([Secret.of("greeting", data=(b"Hello World!",))])

    assert ["base58"] == [find.form for find in search.finds(Haystack("h", text.encode()))]


def test_in_json() -> None:
    """A secret that JSON had to quote is found as it stands there."""
    secret = Secret.of("quoted", 'a "quoted"\\ secret')
    hay = Haystack("here", json.dumps({"a": 'a "quoted"\\ secret'}).encode())

    assert ["quoted"] == [find.secret for find in Search([secret]).finds(hay)]


def test_in_its_place() -> None:
    """What belongs there is no find, and another secret at the same place is."""
    data = TOKEN.encode() + KEY
    search = Search(SECRETS)

    assert {"key"} == {
        find.secret for find in search.finds(Haystack("a", data, frozenset({"token"})))
    }
    assert [] == search.finds(Haystack("a", data, frozenset({"token", "key"})))
    assert 2 * len(data) == search.searched


def test_ordinary() -> None:
    """Ordinary text and bytes hold no secret."""
    hay = bytes(range(256)) * 8 + quote_plus("sk-canary of another length").encode()

    assert [] == Search(SECRETS).finds(Haystack("here", hay))


def test_names_only() -> None:
    """What is printed of a secret, or of a find, is its name."""
    finds = Search(SECRETS).finds(Haystack("here", KEY))

    assert KEY.hex() not in f"{SECRETS} {finds}"
