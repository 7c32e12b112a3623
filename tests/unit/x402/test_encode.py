"""Writing the payment header: the seller's own words back, and our payload."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any, Literal

import pytest

from sidecar.x402.encode import (
    ECHO_BYTES_MAX,
    PAYMENT_HEADER_BYTES_MAX,
    echoable,
    envelope_for,
    payment_header,
)
from sidecar.x402.types import Dialect, Json, PaymentRequired, PaymentRequirements

ORIGINAL = {"amount": "1", "scheme": "exact", "network": "base", "extra": {"acceptId": "é"}}
REQUIREMENTS = PaymentRequirements(
    scheme="exact",
    network="eip155:8453",
    asset="0x",
    amount="1",
    pay_to="0x",
    max_timeout_seconds=60,
    extra={},
    original=ORIGINAL,
)
PAYMENT_ID = "pay_" + "0" * 32
PAYLOAD = {"signature": "0x", "authorization": {}}


def envelope(
    version: int,
    resource: Any = None,
    extensions: Json | None = None,
    dialect: Dialect | None = None,
) -> dict[str, Any]:
    """The envelope for a challenge with one offer."""
    required = PaymentRequired(
        version, (REQUIREMENTS,), resource, extensions or {}, dialect=dialect
    )
    return envelope_for(required, REQUIREMENTS, PAYMENT_ID)


def test_v1() -> None:
    """A v1 envelope has the scheme, and the network under the seller's name for it."""
    document = {"x402Version": 1, "scheme": "exact", "network": "base"}
    expected = {"header": "X-PAYMENT", "encoding": "base64", "document": document}
    assert expected == envelope(1, "http://x")


def test_v2() -> None:
    """A v2 envelope echoes the offer and the resource, and leaves extensions out."""
    document = {"x402Version": 2, "accepted": ORIGINAL, "resource": "http://x"}
    expected = {"header": "PAYMENT-SIGNATURE", "encoding": "base64", "document": document}
    assert expected == envelope(2, "http://x", {"bazaar": {"info": {}}})


@pytest.mark.parametrize("encoding", ["base64", "json"])
def test_dialect(encoding: Literal["base64", "json"]) -> None:
    """Where a provider speaks a dialect its envelope does too, and keeps the seller's version."""
    offered: Json = {"payment-identifier": {"info": {}}}
    result = envelope(2, "http://x", offered, Dialect("X-Other", encoding, flat=True))

    document = {"x402Version": 2, "scheme": "exact", "network": "base"}
    assert {"header": "X-Other", "encoding": encoding, "document": document} == result


def test_no_resource() -> None:
    """A resource that the seller did not send is not made up."""
    assert {"x402Version": 2, "accepted": ORIGINAL} == envelope(2)["document"]


def test_payment_identifier() -> None:
    """Where the seller offers payment-identifier, it gets our id with its own info, no schema."""
    offered = {"payment-identifier": {"info": {"required": False, "id": ""}, "schema": {}}}

    result = envelope(2, extensions=offered)

    expected = {"payment-identifier": {"info": {"required": False, "id": PAYMENT_ID}}}
    assert expected == result["document"]["extensions"]


@pytest.mark.parametrize("offer", [None, [], {}, {"info": None}, {"info": "x"}])
def test_odd_payment_identifier(offer: object) -> None:
    """An offer of payment-identifier without its info is not answered."""
    assert "extensions" not in envelope(2, extensions={"payment-identifier": offer})["document"]


def test_illegal_id() -> None:
    """A payment id that the extension's grammar does not allow is a bug."""
    with pytest.raises(AssertionError):
        envelope_for(PaymentRequired(2, ()), REQUIREMENTS, "short")


@pytest.mark.parametrize(("version", "name"), [(1, "X-PAYMENT"), (2, "PAYMENT-SIGNATURE")])
def test_header(version: int, name: str) -> None:
    """The header is standard padded base64 of compact JSON, named by the version."""
    result = payment_header(envelope(version), PAYLOAD)

    text = base64.b64decode(result[1], validate=True)
    assert name == result[0]
    assert {**envelope(version)["document"], "payload": PAYLOAD} == json.loads(text)
    assert b" " not in text


def test_plain_header() -> None:
    """The header of a dialect without base64 is the compact JSON itself, in ASCII."""
    result = payment_header(
        {"header": "X-Other", "encoding": "json", "document": {"a": "é"}}, PAYLOAD
    )

    payload = '{"signature":"0x","authorization":{}}'
    assert ("X-Other", '{"a":"\\u00e9","payload":' + payload + "}") == result


def test_same_bytes_after_storage() -> None:
    """An envelope that was stored as JSON makes the same header, byte for byte."""
    stored = json.loads(json.dumps(envelope(2, {"url": "http://x"})))

    assert payment_header(envelope(2, {"url": "http://x"}), PAYLOAD) == payment_header(
        stored, PAYLOAD
    )


@pytest.mark.parametrize("encoding", ["base64", "json"])
@pytest.mark.parametrize("size", [0, 1, 2])
def test_same_terms_again(encoding: Literal["base64", "json"], size: int) -> None:
    """What was made for one payment of some terms is used for the next, and each is whole."""
    dialect = Dialect("X-Other", encoding, flat=False)
    required = PaymentRequired(2, (REQUIREMENTS,), "x" * size, dialect=dialect)
    first = envelope_for(required, REQUIREMENTS, PAYMENT_ID)
    payment_header(first, {"signature": "0x1"})

    second = envelope_for(required, REQUIREMENTS, "pay_" + "1" * 32)
    _, text = payment_header(second, PAYLOAD)

    assert first is second
    written = base64.b64decode(text, validate=True) if encoding == "base64" else text.encode()
    document = {**second["document"], "payload": PAYLOAD}
    assert json.dumps(document, separators=(",", ":")).encode() == written


def test_other_offer() -> None:
    """The envelope of one offer is not that of another, nor of the same offer in other terms."""
    other = replace(REQUIREMENTS, original={"amount": "2"})
    required = PaymentRequired(2, (REQUIREMENTS, other))
    envelope_for(required, REQUIREMENTS, PAYMENT_ID)
    elsewhere = replace(required, resource="http://y")

    second = envelope_for(required, other, PAYMENT_ID)
    third = envelope_for(elsewhere, REQUIREMENTS, PAYMENT_ID)

    assert {"x402Version": 2, "accepted": {"amount": "2"}} == second["document"]
    assert "http://y" == third["document"]["resource"]


def test_each_payment_its_identifier() -> None:
    """An envelope that holds a payment's id serves no other payment."""
    required = PaymentRequired(2, (REQUIREMENTS,), None, {"payment-identifier": {"info": {}}})
    envelope_for(required, REQUIREMENTS, PAYMENT_ID)
    other = "pay_" + "1" * 32

    second = envelope_for(required, REQUIREMENTS, other)

    assert {"info": {"id": other}} == second["document"]["extensions"]["payment-identifier"]


def sized(size: int) -> PaymentRequirements:
    """An offer whose own words are so many bytes of JSON."""
    return replace(REQUIREMENTS, original={"a": "x" * (size - len('{"a":""}'))})


def test_largest_header() -> None:
    """The largest offer that may be repeated makes a header within the bound, on any chain."""
    resource, identifier = {"url": "http://x"}, {"payment-identifier": {"info": {"a": "b"}}}
    shared = len('{"url":"http://x"}') + len('{"info":{"a":"b"}}')
    required = PaymentRequired(2, (sized(ECHO_BYTES_MAX - shared),), resource, identifier)
    # A packet of Solana's holds no more.
    payload = {"transaction": base64.b64encode(bytes(1232)).decode()}

    _, text = payment_header(envelope_for(required, required.accepts[0], PAYMENT_ID), payload)

    assert (True,) == echoable(required)
    assert PAYMENT_HEADER_BYTES_MAX * 0.98 < len(text) <= PAYMENT_HEADER_BYTES_MAX


def test_too_large_to_repeat() -> None:
    """An offer is too large for a header by itself, or with what is repeated beside it."""
    small, large = sized(100), sized(ECHO_BYTES_MAX)
    beside = {"payment-identifier": {"info": "x" * ECHO_BYTES_MAX}}

    assert (True, False) == echoable(PaymentRequired(2, (small, large)))
    assert (False,) == echoable(PaymentRequired(2, (small,), resource="x" * ECHO_BYTES_MAX))
    assert (False,) == echoable(PaymentRequired(2, (small,), extensions=beside))


def test_nothing_is_repeated() -> None:
    """In a flat dialect no word of an offer is repeated, so any size of it will do."""
    required = PaymentRequired(1, (sized(100_000),), resource="x" * 100_000)

    assert (True,) == echoable(required)
