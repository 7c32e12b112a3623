"""Reading a 402: the dialects that real sellers speak, and the documents that hostile ones send."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.http import Header, HttpResponse
from sidecar.x402.codec import ACCEPTS_MAX, KEPT_CHARS_MAX, read_payment_required
from sidecar.x402.coding import BODY_BYTES_MAX, HEADER_CHARS_MAX
from sidecar.x402.types import PaymentRequired, PaymentRequirements

OFFER: dict[str, Any] = {
    "scheme": "exact",
    "network": "eip155:84532",
    "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
    "amount": "10000",
    "payTo": "0xcCf94D9AE9e96db5b65aAb86559e10C6b8C7Fd10",
    "maxTimeoutSeconds": 300,
    "extra": {"name": "USDC", "version": "2"},
}
RESOURCE = {"url": "http://127.0.0.1/paid", "description": "paid", "mimeType": "application/json"}
V2: dict[str, Any] = {
    "x402Version": 2,
    "error": "Payment required",
    "resource": RESOURCE,
    "accepts": [OFFER],
}
OFFER_V1: dict[str, Any] = {
    "scheme": "exact",
    "network": "base-sepolia",
    "maxAmountRequired": "10000",
    "resource": "http://127.0.0.1/paid",
    "description": "v1 route",
    "mimeType": "",
    "outputSchema": {"input": {"type": "http"}, "output": None},
    "payTo": "0xcCf94D9AE9e96db5b65aAb86559e10C6b8C7Fd10",
    "maxTimeoutSeconds": 60,
    "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
    "extra": {"name": "USDC", "version": "2"},
}
V1: dict[str, Any] = {"x402Version": 1, "error": "No X-PAYMENT header", "accepts": [OFFER_V1]}
GARBAGE: Header = ("PAYMENT-REQUIRED", "%%%")


def encoded(challenge: object) -> Header:
    """The challenge as the header that sellers put it in."""
    return "payment-required", base64.b64encode(json.dumps(challenge).encode()).decode()


def in_body(challenge: object, *headers: Header) -> HttpResponse:
    """The challenge as a 402's body."""
    return HttpResponse(402, headers, json.dumps(challenge).encode())


def read(challenge: object) -> PaymentRequired:
    """What is read of a challenge that is there."""
    required = read_payment_required(HttpResponse(402, (encoded(challenge),), b"{}"))
    assert required is not None
    return required


def read_offer(**changed: object) -> PaymentRequirements:
    """What is read of one offer that has these fields changed."""
    return read({**V2, "accepts": [{**OFFER, **changed}]}).accepts[0]


def test_v2() -> None:
    """A v2 challenge in the header is read field by field, and kept as it came."""
    result = read(V2)

    expected = PaymentRequirements(
        scheme="exact",
        network="eip155:84532",
        asset="0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        amount="10000",
        pay_to="0xcCf94D9AE9e96db5b65aAb86559e10C6b8C7Fd10",
        max_timeout_seconds=300,
        extra={"name": "USDC", "version": "2"},
        original=OFFER,
    )
    assert PaymentRequired(2, (expected,), RESOURCE, {}, "Payment required") == result


def test_v1() -> None:
    """A v1 challenge in the body is read under v2's names, its network as CAIP-2."""
    result = read_payment_required(in_body(V1))

    expected = PaymentRequirements(
        scheme="exact",
        network="eip155:84532",
        asset="0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        amount="10000",
        pay_to="0xcCf94D9AE9e96db5b65aAb86559e10C6b8C7Fd10",
        max_timeout_seconds=60,
        extra={"name": "USDC", "version": "2"},
        original=OFFER_V1,
    )
    assert (
        PaymentRequired(1, (expected,), "http://127.0.0.1/paid", {}, "No X-PAYMENT header")
        == result
    )


def test_v2_in_body() -> None:
    """A v2 challenge that is in the body only is read like one in the header."""
    assert read(V2) == read_payment_required(in_body(V2))


@pytest.mark.parametrize("coding", ["gzip", "GZIP"])
def test_compressed_body(coding: str) -> None:
    """A challenge in a compressed body is found."""
    body = gzip.compress(json.dumps(V2).encode())
    response = HttpResponse(402, (("Content-Encoding", coding),), body)

    assert read(V2) == read_payment_required(response)


def test_read_again() -> None:
    """A header that comes again is read once; one that differs in its last word is another."""
    dearer = {**V2, "accepts": [{**OFFER, "extra": {"name": "USDC", "version": "3"}}]}

    assert read(V2) is read(V2)
    assert "2" == read(V2).accepts[0].extra["version"]
    assert "3" == read(dearer).accepts[0].extra["version"]


def test_body_that_comes_again() -> None:
    """A body that comes again is read once, too; one with another price is another challenge."""
    first = read_payment_required(in_body(V1))
    dearer = read_payment_required(
        in_body({**V1, "accepts": [{**OFFER_V1, "maxAmountRequired": "99999"}]})
    )
    assert dearer is not None

    assert first is read_payment_required(in_body(V1))
    assert ["99999"] == [offer.amount for offer in dearer.accepts]


def test_long_body() -> None:
    """A long body is read each time, as a long header is."""
    long = {**V1, "error": "x" * KEPT_CHARS_MAX}

    assert read_payment_required(in_body(long)) == read_payment_required(in_body(long))
    assert read_payment_required(in_body(long)) is not read_payment_required(in_body(long))


def test_types_are_kept_apart() -> None:
    """What only Python takes for equal is read apart, for it is repeated as it was written."""
    seen = [
        read_offer(maxTimeoutSeconds=300).original,
        read_offer(maxTimeoutSeconds=300.0).original,
    ]

    assert [int, float] == [type(original["maxTimeoutSeconds"]) for original in seen]


def test_long_header() -> None:
    """A long one is read each time: what a seller may have us keep is bounded."""
    long = {**V2, "error": "x" * KEPT_CHARS_MAX}

    assert read(long) == read(long)
    assert read(long) is not read(long)


def test_header_beats_body() -> None:
    """With a challenge in both places, the header's is the one that counts."""
    assert read(V2) == read_payment_required(in_body(V1, encoded(V2)))


@pytest.mark.parametrize(
    "header",
    [
        GARBAGE,
        encoded([]),
        encoded({"x402Version": 3}),
        encoded({"x402Version": True}),
        encoded({"x402Version": "2"}),
        ("PAYMENT-REQUIRED", ""),
    ],
)
def test_garbage_header(header: Header) -> None:
    """Where the header is no challenge, the body gets its chance."""
    assert read(V1) == read_payment_required(in_body(V1, header))


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(402),
        HttpResponse(402, (), b"<html>Pay up</html>"),
        HttpResponse(402, (), b'{"error":"Insufficient USD balance"}'),
        HttpResponse(402, (("Content-Encoding", "br"),), b"\x8b\x01\x80{}\x03"),
        HttpResponse(402, (("Content-Encoding", "gzip"), ("Content-Encoding", "br")), b"{}"),
    ],
)
def test_no_challenge(response: HttpResponse) -> None:
    """A 402 without a challenge asks for nothing."""
    assert read_payment_required(response) is None


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (HttpResponse(402, (GARBAGE,), b"{}"), "header that cannot be read"),
        (HttpResponse(402, (encoded(V2), encoded(V2))), "more than one"),
        (HttpResponse(402, (("PAYMENT-REQUIRED", "A" * (HEADER_CHARS_MAX + 1)),)), "32768 bytes"),
        (HttpResponse(402, (), b" " * (BODY_BYTES_MAX + 1)), "262144 bytes"),
        (
            HttpResponse(
                402, (("Content-Encoding", "gzip"),), gzip.compress(bytes(BODY_BYTES_MAX + 1))
            ),
            "when decompressed",
        ),
        (HttpResponse(402, (("Content-Encoding", "gzip"),), b"{}"), "not gzip"),
        (HttpResponse(402, (), b'{"x402Version":2'), "body that cannot be read"),
        (HttpResponse(402, (), b'{"x402Version":2,"x402Version":1}'), "key twice"),
        (HttpResponse(402, (), b'{"x402Version":3}'), "not 1 or 2"),
        (HttpResponse(402, (), b'["x402Version"]'), "not an object"),
        (in_body({**V2, "accepts": {}}), "not an array"),
        (in_body({**V2, "accepts": [OFFER] * (ACCEPTS_MAX + 1)}), "33 accepts"),
    ],
)
def test_bad_challenge(response: HttpResponse, reason: str) -> None:
    """A challenge that is garbage, over a bound or there twice is the seller's fault."""
    with pytest.raises(RemoteProtocolError, match=reason):
        read_payment_required(response)


def test_most_offers() -> None:
    """As many offers as are allowed are read."""
    assert ACCEPTS_MAX == len(read({**V2, "accepts": [OFFER] * ACCEPTS_MAX}).accepts)


@pytest.mark.parametrize("challenge", [{"x402Version": 2}, {"x402Version": 1, "accepts": []}])
def test_no_offers(challenge: object) -> None:
    """A challenge may offer no way to pay: it wants a sign-in."""
    assert () == read(challenge).accepts


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (None, ""),
        ("", ""),
        ({"code": 7}, '{"code":7}'),
        (["no"], '["no"]'),
        (False, "false"),
        ("a\nb", "a b"),
        ("x " * 500, "x " * 150),
        (f"bad {'x' * 64}, sorry", "bad (a long word), sorry"),
    ],
)
def test_error(error: object, text: str) -> None:
    """An error of any type becomes one short line."""
    assert text == read({**V2, "error": error}).error


@pytest.mark.parametrize("resource", [None, "http://127.0.0.1/paid", RESOURCE, ["odd"]])
def test_resource(resource: object) -> None:
    """A v2 resource is kept as the seller wrote it, whatever it is."""
    assert resource == read({**V2, "resource": resource}).resource


def test_v1_resource_without_offers() -> None:
    """v1 says in its entries what is sold; without one that can be read it is not said."""
    assert read({**V1, "accepts": [7]}).resource is None


@pytest.mark.parametrize(
    ("extensions", "read_as"), [(None, {}), ([], {}), ({"bazaar": {}}, {"bazaar": {}})]
)
def test_extensions(extensions: object, read_as: object) -> None:
    """Extensions are an object, or there are none."""
    assert read_as == read({**V2, "extensions": extensions}).extensions


@pytest.mark.parametrize(
    ("seconds", "read_as"),
    [(None, 60), (60, 60), ("90", 90), (60.0, 60), (0, 0), (2**53, 2**53)],
)
def test_timeout(seconds: object, read_as: int) -> None:
    """maxTimeoutSeconds is read as a number or its text, and is 60 where it is missing."""
    assert read_as == read_offer(maxTimeoutSeconds=seconds).max_timeout_seconds


def test_names_of_v1_in_v2() -> None:
    """A v2 offer with v1's names for the network and the price is read."""
    offer = {**OFFER, "network": "base", "maxAmountRequired": "7"}
    del offer["amount"]

    result = read({**V2, "accepts": [offer]}).accepts[0]

    assert ("eip155:8453", "7") == (result.network, result.amount)


def test_price_twice() -> None:
    """A price under both names is read when both say the same."""
    assert "10000" == read_offer(maxAmountRequired="10000").amount


def test_unknown_network() -> None:
    """A network that we do not know keeps the seller's name for it."""
    assert "story" == read_offer(network="story").network


def test_null_extra() -> None:
    """An extra of null is an empty one, and is echoed as null."""
    result = read_offer(extra=None)

    assert ({}, None) == (result.extra, result.original["extra"])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"extra": "x"}, "extra is not an object"),
        ({"scheme": None}, "scheme is not a string"),
        ({"network": 8453}, "network is not a string"),
        ({"asset": ""}, "asset is not a string"),
        ({"payTo": []}, "payTo is not a string"),
        ({"amount": None}, "no amount"),
        ({"amount": 10000}, "amount is not one string"),
        ({"amount": ["1"]}, "amount is not one string"),
        ({"maxAmountRequired": "10001"}, "amount is not one string"),
        ({"maxTimeoutSeconds": True}, "maxTimeoutSeconds"),
        ({"maxTimeoutSeconds": -1}, "maxTimeoutSeconds"),
        ({"maxTimeoutSeconds": 60.5}, "maxTimeoutSeconds"),
        ({"maxTimeoutSeconds": "60s"}, "maxTimeoutSeconds"),
        ({"maxTimeoutSeconds": "\u0666\u0660"}, "maxTimeoutSeconds"),
        ({"maxTimeoutSeconds": 2**53 + 1}, "maxTimeoutSeconds"),
        ({"maxTimeoutSeconds": []}, "maxTimeoutSeconds"),
    ],
)
def test_unreadable_offer(changed: dict[str, object], reason: str) -> None:
    """An offer that cannot be read is left out with a reason; the others stay."""
    result = read({**V2, "accepts": [{**OFFER, **changed}, OFFER]})

    assert 1 == len(result.accepts)
    assert result.unreadable[0].startswith("accepts[0]: ")
    assert reason in result.unreadable[0]


def test_offer_that_is_no_object() -> None:
    """An offer that is not an object is left out with a reason."""
    assert ("accepts[0]: it is not an object",) == read({**V2, "accepts": ["x"]}).unreadable
