"""The codec under arbitrary input: what it reads it keeps, and nothing makes it crash."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.document import read_json, shown
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpResponse
from sidecar.x402.codec import read_payment_required
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.headers import without_challenge
from sidecar.x402.receipt import classify_refusal, read_settlement
from sidecar.x402.select import candidates

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXT, children, max_size=4),
    max_leaves=12,
)
# Python's own idea of JSON, with what is not: NaN, infinities, lone surrogates.
NOT_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
EXTRAS = st.dictionaries(
    TEXT
    | st.sampled_from(["primaryType", "feePayer", "memo", "facilitatorAddress", "paymentFlow"]),
    JSON
    | st.sampled_from(["Permit", "TransferWithAuthorization", "authorization"])
    | st.just("2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4"),
    max_size=4,
)
OFFERS = st.fixed_dictionaries(
    {
        "scheme": st.sampled_from(["exact", "upto"]),
        "network": st.sampled_from(["eip155:8453", "base", "eip155:1514", "solana"]),
        "asset": st.sampled_from(
            [
                "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
                "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
            ]
        ),
        "amount": st.integers(1, 10**12).map(str),
        "payTo": st.sampled_from(
            [
                "0x2670B922ef37C7Df47158725C0CC407b5382293F",
                "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF",
            ]
        ),
        "maxTimeoutSeconds": st.integers(0, 2**53),
    },
    optional={"extra": st.none() | EXTRAS, "x-unknown": JSON},
)
KEYS = (
    "x402Version",
    "accepts",
    "resource",
    "extensions",
    "error",
    "scheme",
    "network",
    "asset",
    "amount",
    "maxAmountRequired",
    "payTo",
    "maxTimeoutSeconds",
    "extra",
    "success",
    "transaction",
    "errorReason",
)
# Documents with the right words in the wrong places.
MISSHAPEN: st.SearchStrategy[Any] = st.recursive(
    NOT_JSON | st.sampled_from([1, 2, "exact", "eip155:8453", "10000", True]),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS), children, max_size=8)
    ),
    max_leaves=12,
)


def in_header(document: object) -> HttpResponse:
    """A 402 with this document in its header."""
    value = base64.b64encode(json.dumps(document).encode()).decode()
    return HttpResponse(402, (("PAYMENT-REQUIRED", value), ("PAYMENT-RESPONSE", value)), b"{}")


def digest(response: HttpResponse) -> None:
    """Do all that is done with a 402: it works, or it is the seller's fault."""
    without_challenge(response.headers)
    read_settlement(response.headers)
    try:
        required = read_payment_required(response)
    except RemoteProtocolError:
        return
    if required is None:
        return
    classify_refusal(required.error)
    payable, reasons = candidates(required)
    assert all(reason.isprintable() for reason in reasons)
    for candidate in payable:
        envelope = envelope_for(required, candidate.requirements, "pay_" + "0" * 32)
        payment_header(envelope, {"signature": "0x"})


@settings(max_examples=100, deadline=None)
@given(
    offer=OFFERS,
    resource=JSON.filter(lambda value: value is not None),
    unknown=JSON,
    info=st.dictionaries(TEXT, JSON, max_size=3),
)
def test_echo(offer: dict[str, Any], resource: Any, unknown: Any, info: dict[str, Any]) -> None:
    """Offer, resource and info come back as they were, unknown fields and types included."""
    challenge = {
        "x402Version": 2,
        "accepts": [offer],
        "resource": resource,
        "x-unknown": unknown,
        "extensions": {"payment-identifier": {"info": info}, "other": {}},
    }
    required = read_payment_required(in_header(challenge))
    assert required is not None

    envelope = envelope_for(required, required.accepts[0], "pay_" + "0" * 32)
    _, value = payment_header(envelope, {"signature": "0x"})

    expected = {
        "x402Version": 2,
        "accepted": offer,
        "resource": resource,
        "extensions": {"payment-identifier": {"info": {**info, "id": "pay_" + "0" * 32}}},
        "payload": {"signature": "0x"},
    }
    echoed = base64.b64decode(value, validate=True)
    # As text: True is 1 and 1 is 1.0 to Python, and not to a seller.
    assert json.dumps(expected, separators=(",", ":")).encode() == echoed


@settings(max_examples=100, deadline=None)
@given(challenge=st.fixed_dictionaries({"accepts": st.lists(OFFERS, max_size=5)}))
def test_same_from_header_and_body(challenge: dict[str, Any]) -> None:
    """A challenge reads the same from the header, from the body, and from a compressed body."""
    document = {"x402Version": 2, **challenge}
    body = json.dumps(document).encode()
    compressed = HttpResponse(402, (("Content-Encoding", "gzip"),), gzip.compress(body))

    expected = read_payment_required(in_header(document))
    assert expected == read_payment_required(HttpResponse(402, (), body))
    assert expected == read_payment_required(compressed)


@settings(max_examples=100, deadline=None)
@given(offers=st.lists(OFFERS, max_size=6))
def test_every_offer_is_accounted_for(offers: list[dict[str, Any]]) -> None:
    """Each offer is payable or has its reason; the payable ones come cheapest first."""
    required = read_payment_required(in_header({"x402Version": 2, "accepts": offers}))
    assert required is not None

    payable, reasons = candidates(required)

    assert len(offers) == len(payable) + len(reasons)
    prices = [(candidate.amount, candidate.position) for candidate in payable]
    assert sorted(prices) == prices


@settings(max_examples=80, deadline=None)
@given(document=MISSHAPEN)
@example(document={"x402Version": 2, "accepts": [{"extra": {"paymentFlow": []}}]})
def test_arbitrary_json(document: Any) -> None:
    """No document makes the codec crash, in the header or in the body."""
    digest(in_header(document))
    digest(HttpResponse(402, (), json.dumps(document).encode()))
    digest(in_header({"x402Version": 2, "accepts": document}))
    digest(in_header({"x402Version": 1, "accepts": [document]}))


@settings(max_examples=60, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(KEYS), MISSHAPEN), offer=OFFERS)
def test_damaged_offer(fields: dict[str, Any], offer: dict[str, Any]) -> None:
    """No damage to one offer makes the codec crash, or the next offer unreadable."""
    challenge = {"x402Version": 2, "accepts": [{**offer, **fields}, offer]}
    digest(in_header(challenge))
    try:
        read_json(json.dumps(challenge).encode())
    except ValueError:
        return  # not JSON as a whole

    required = read_payment_required(in_header(challenge))
    assert required is not None
    assert offer == required.accepts[-1].original


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(),
    value=st.text(),
    coding=st.sampled_from(["gzip", "deflate", "identity", "br", "gzip, gzip"]),
)
def test_arbitrary_bytes(body: bytes, value: str, coding: str) -> None:
    """No bytes make the codec crash, whatever they claim to be."""
    encoded = base64.b64encode(body).decode()
    for header in (value, encoded):
        digest(
            HttpResponse(402, (("PAYMENT-REQUIRED", header), ("PAYMENT-RESPONSE", header)), body)
        )
    for prefix in (b"", b'{"x402Version":'):
        digest(HttpResponse(402, (("Content-Encoding", coding),), prefix + body))
    digest(HttpResponse(402, (("Content-Encoding", coding),), gzip.compress(body)))


@settings(max_examples=100, deadline=None)
@given(value=JSON)
def test_read_json(value: Any) -> None:
    """What is JSON, and shallow, is read as it was written, type by type."""
    text = json.dumps(value)
    try:
        result = read_json(text.encode())
    except ValueError as fault:
        assert "levels deep" in str(fault)  # noqa: PT017 - most values are read
    else:
        assert text == json.dumps(result)


@given(value=st.text() | JSON)
def test_shown(value: Any) -> None:
    """Whatever is shown is one bounded line that can be printed and encoded."""
    text = shown(value, 40)

    assert len(text) <= 40
    assert text.isprintable()
    text.encode()


def test_huge_integers() -> None:
    """Integers beyond Python's own limit of digits are the seller's fault."""
    body = b'{"x402Version":2,"accepts":[{"amount":' + b"9" * 5_000 + b"}]}"

    with pytest.raises(RemoteProtocolError):
        read_payment_required(HttpResponse(402, (), body))
