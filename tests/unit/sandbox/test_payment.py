"""The payment header is read strictly: what can be read in two ways is not a payment."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.sandbox.payment import Malformed, Payment, read_payment
from tests.world.payment_builder import PAYER, Build, encode

NOW_S = 1_795_000_000
TERMS: dict[str, Any] = {
    "accepts": [{"scheme": "exact", "network": "base-sepolia"}],
    "resource": {"url": "u"},
}


def v2() -> dict[str, Any]:
    return Build(NOW_S).v2(TERMS)


def authorized(**change: object) -> dict[str, Any]:
    document = v2()
    document["payload"]["authorization"].update(change)
    return document


def without(*path: str) -> dict[str, Any]:
    document = v2()
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return document


def raw(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def detail(header: str, version: int = 2) -> str:
    found = read_payment(header, version)
    assert isinstance(found, Malformed), found
    return found.detail


def test_v2() -> None:
    """A v2 header gives the accepted terms and the authorization in numbers."""
    found = read_payment(encode(v2()), 2)

    assert isinstance(found, Payment)
    assert TERMS["accepts"][0] == found.terms
    assert (PAYER.address, 10_000, 0, NOW_S + 120) == (
        found.authorization.payer,
        found.authorization.value,
        found.authorization.valid_after,
        found.authorization.valid_before,
    )
    assert 65 == len(found.authorization.signature)


def test_v1() -> None:
    """A v1 header names its scheme and network itself."""
    found = read_payment(encode(Build(NOW_S).v1(TERMS)), 1)

    assert isinstance(found, Payment)
    assert {"scheme": "exact", "network": "base-sepolia"} == found.terms


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: header + "=",
        lambda header: " " + header,
        lambda header: header[:8] + "\n" + header[8:],
        lambda header: header.replace("e", "_", 1),
        lambda header: "é" + header,
        lambda header: "",
        lambda header: base64.b64encode(b"\xff\xfe").decode(),
        lambda header: header.replace("=", ""),
        lambda header: header.replace("0=", "1="),  # a bit that no byte holds
    ],
)
def test_base64(spoil: Callable[[str], str]) -> None:
    """Only canonical standard base64 is read."""
    document = v2() | {"pad": "x"}
    while not encode(document).endswith("0="):
        document["pad"] += "x"

    assert isinstance(read_payment(encode(document), 2), Payment)
    assert "base64" in detail(spoil(encode(document)))


def test_json() -> None:
    """Only an object of plain JSON is read: no NaN, no key given twice, no endless depth."""
    text = json.dumps(v2())

    assert "not an object" in detail(raw("[]"))
    assert "not JSON" in detail(raw(text[:-1]))
    assert "NaN" in detail(raw(text[:-1] + ', "x": NaN}'))
    assert "twice" in detail(raw(text[:-1] + ', "x402Version": 2}'))
    assert "not JSON" in detail(raw("[" * 100_000))


@pytest.mark.parametrize("version", [1, "2", 2.0, None, True])
def test_version(version: object) -> None:
    """x402Version is the integer of the version that was offered."""
    assert "x402Version" in detail(encode(v2() | {"x402Version": version}))


def test_version_one_is_not_true() -> None:
    """In v1 true is not the integer one."""
    document = Build(NOW_S).v1(TERMS) | {"x402Version": True}

    assert "x402Version" in detail(encode(document), 1)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (("accepted",), "accepted"),
        (("payload",), "payload"),
        (("payload", "signature"), "signature"),
        (("payload", "authorization"), "authorization"),
        (("payload", "authorization", "from"), "from"),
        (("payload", "authorization", "to"), "to"),
        (("payload", "authorization", "value"), "value"),
        (("payload", "authorization", "validAfter"), "validAfter"),
        (("payload", "authorization", "validBefore"), "validBefore"),
        (("payload", "authorization", "nonce"), "nonce"),
    ],
)
def test_missing(path: tuple[str, ...], named: str) -> None:
    """Every field has to be there."""
    assert detail(encode(without(*path))).startswith(named)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("value", 10_000),
        ("value", "010000"),
        ("value", "-1"),
        ("value", "1e4"),
        ("value", "0x2710"),
        ("value", "10000\n"),
        ("value", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("value", str(2**256)),
        ("value", "9" * 79),
        ("validAfter", 0),
        ("validBefore", "1795000120.0"),
        ("nonce", "ab" * 32),
        ("nonce", "0x" + "ab" * 31),
        ("nonce", "0x" + "ab" * 33),
        ("nonce", "0X" + "ab" * 32),
        ("from", "0x12"),
        ("from", PAYER.address + "\n"),
        ("to", PAYER.address[2:]),
        ("to", None),
    ],
)
def test_grammar(key: str, value: object) -> None:
    """Numbers are plain decimal strings, addresses and nonces 0x and their digits."""
    assert detail(encode(authorized(**{key: value}))).startswith(key)


@pytest.mark.parametrize("length", [0, 64, 66])
def test_signature_length(length: int) -> None:
    """A signature has 65 bytes."""
    document = v2()
    document["payload"]["signature"] = "0x" + "11" * length

    assert detail(encode(document)).startswith("signature")


@pytest.mark.parametrize("resource", ["http://x", {"description": "no url"}])
def test_resource(resource: object) -> None:
    """A resource may be left out; one that is sent is an object with a url."""
    assert isinstance(read_payment(encode(without("resource")), 2), Payment)
    assert detail(encode(v2() | {"resource": resource})).startswith(("resource", "url"))


def test_extensions() -> None:
    """Extensions may be left out or null; sent, they are an object."""
    assert isinstance(read_payment(encode(v2() | {"extensions": None}), 2), Payment)
    assert detail(encode(v2() | {"extensions": []})).startswith("extensions")
