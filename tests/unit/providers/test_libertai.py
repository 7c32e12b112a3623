"""LibertAI: each request pays for itself, in thirdweb's words, and its cost is our reckoning."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.money import Usdc
from sidecar.providers.base import (
    Credential,
    Observation,
    Occasion,
    PassThrough,
    PayInline,
    Provider,
    Traits,
)
from sidecar.providers.cost import Price
from sidecar.providers.libertai import LibertAI
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.select import candidates
from sidecar.x402.types import PaymentRequired

UPSTREAM = "https://api.libertai.io/v1"
OCCASION = Occasion(datetime(2026, 1, 2, tzinfo=UTC), bytes(32))
REQUEST = HttpRequest("POST", f"{UPSTREAM}/chat/completions", (), b'{"model": "m"}')
LIBERTAI = LibertAI(UPSTREAM)
PRICED = LibertAI(UPSTREAM, {"gemma-4-31b-it": Price(Decimal("0.15"), Decimal("0.60"))})
ENTRY = {
    "scheme": "upto",
    "network": "eip155:8453",
    "maxAmountRequired": "1234",
    "resource": "https://api.libertai.io/v1/chat/completions",
    "description": "Pay-per-use inference for m",
    "mimeType": "application/json",
    "payTo": "0x2222222222222222222222222222222222222222",
    "maxTimeoutSeconds": 300,
    "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
    "extra": {
        "name": "USD Coin",
        "version": "2",
        "primaryType": "Permit",
        "recipientAddress": "0x1111111111111111111111111111111111111111",
    },
}


def challenge(**changed: Any) -> dict[str, Any]:
    """What LibertAI asks, but for what is changed of its one entry."""
    return {"x402Version": 2, "accepts": [{**ENTRY, **changed}]}


def in_header(document: dict[str, Any]) -> HttpResponse:
    """A 402 as LibertAI answers: the challenge in the header, and again, with an error, beside."""
    value = base64.b64encode(json.dumps(document).encode()).decode()
    body = json.dumps({**document, "error": "X-PAYMENT header is required"}).encode()
    return HttpResponse(402, (("WWW-Authenticate", "X-PAYMENT"), ("PAYMENT-REQUIRED", value)), body)


def in_body(document: dict[str, Any]) -> HttpResponse:
    """A 402 whose challenge is in the body only."""
    return HttpResponse(402, (), json.dumps(document).encode())


def asked(refusal: HttpResponse) -> PaymentRequired:
    """What is to be paid inline."""
    remedy = LIBERTAI.remedy(REQUEST, refusal, OCCASION)
    assert isinstance(remedy, PayInline)
    return remedy.required


def answered(status: int = 200, **document: Any) -> HttpResponse:
    """A JSON response."""
    return HttpResponse(
        status, (("Content-Type", "application/json"),), json.dumps(document).encode()
    )


def value_of(exchange: Any) -> Any:
    """What a conversation without a step returns."""
    with pytest.raises(StopIteration) as done:
        next(exchange)
    return done.value.value


def test_is_provider() -> None:
    """It is what the proxy asks for, goes to one origin, and reads costs out of bodies."""
    provider: Provider = LIBERTAI

    assert Traits(reads_bodies=True) == provider.traits
    assert frozenset({Origin("https", "api.libertai.io", 443)}) == provider.origins


def test_sign_in() -> None:
    """Signing in gives no header at all, and no 401 is mended by another."""
    assert Credential(()) == value_of(LIBERTAI.sign_in(OCCASION))
    assert not LIBERTAI.is_stale(HttpResponse(401))


def test_no_balance() -> None:
    """There is no balance to read."""
    assert () == value_of(LIBERTAI.balance(Credential(()), ""))


@pytest.mark.parametrize("refusal", [in_header(challenge()), in_body(challenge())])
def test_terms(refusal: HttpResponse) -> None:
    """Its one offer is read in v1's names and CAIP-2, for the amount that may be taken at most."""
    (offer,), reasons = candidates(asked(refusal))

    assert () == reasons
    assert ("upto", "eip155:8453") == (offer.requirements.scheme, offer.asset.network)
    assert Usdc(1234) == offer.amount
    assert ENTRY["payTo"] == offer.requirements.pay_to


@pytest.mark.parametrize("refusal", [in_header(challenge()), in_body(challenge())])
def test_dialect(refusal: HttpResponse) -> None:
    """The payment is compact JSON, not base64, in X-PAYMENT: four keys in their order."""
    required = asked(refusal)
    envelope = envelope_for(required, required.accepts[0], "pay_" + "0" * 32)

    expected = (
        "X-PAYMENT",
        '{"x402Version":2,"scheme":"upto","network":"eip155:8453",'
        '"payload":{"signature":"0x","authorization":{}}}',
    )
    assert expected == payment_header(envelope, {"signature": "0x", "authorization": {}})


def test_exact() -> None:
    """Its credits are sold by exact transfers, in the same dialect."""
    required = asked(in_header(challenge(scheme="exact", extra={"name": "USD Coin"})))
    envelope = envelope_for(required, required.accepts[0], "pay_" + "0" * 32)

    assert 1 == len(candidates(required)[0])
    assert '{"x402Version":2,"scheme":"exact",' == payment_header(envelope, {})[1][:34]


def test_same_bytes_after_storage() -> None:
    """An envelope that was stored as JSON makes the same header, byte for byte."""
    required = asked(in_header(challenge()))
    envelope = envelope_for(required, required.accepts[0], "pay_" + "0" * 32)
    stored = json.loads(json.dumps(envelope))

    assert payment_header(envelope, {"signature": "0x"}) == payment_header(
        stored, {"signature": "0x"}
    )


@pytest.mark.parametrize("body", [b"", b"{}", b'{"detail": "no x402 here"}'])
def test_no_terms(body: bytes) -> None:
    """A 402 without x402 terms is the app's to see."""
    expected = PassThrough("LibertAI's 402 names no x402 terms")
    assert expected == LIBERTAI.remedy(REQUEST, HttpResponse(402, (), body), OCCASION)


def test_garbage() -> None:
    """A challenge that is garbage is LibertAI's fault, and said so."""
    garbage = HttpResponse(402, (("PAYMENT-REQUIRED", "%%%"),), b"{}")

    with pytest.raises(RemoteProtocolError):
        LIBERTAI.remedy(REQUEST, garbage, OCCASION)


@pytest.mark.parametrize(
    ("usage", "cost_usd"),
    [
        ({"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}, "0.75"),
        ({"prompt_tokens": 5, "completion_tokens": 1}, "0.0001"),
        ({"prompt_tokens": 0, "completion_tokens": 0}, "0.0001"),
    ],
)
def test_cost(usage: dict[str, int], cost_usd: str) -> None:
    """The cost is reckoned from tokens and prices, never below the least that is charged."""
    response = answered(model="gemma-4-31b-it", usage=usage)

    assert Observation(cost_usd=Decimal(cost_usd), estimated=True) == PRICED.observe(response)


def test_cost_of_a_stream() -> None:
    """A stream's last event has the usage, where the app asked for it."""
    usage = {"prompt_tokens": 2_000_000, "completion_tokens": 0}
    event = json.dumps({"model": "gemma-4-31b-it", "choices": [], "usage": usage}).encode()
    tail = b'data: {"choices":[]}\n\ndata: ' + event + b"\n\ndata: [DONE]\n\n"

    assert (
        Decimal("0.3")
        == PRICED.observe(
            HttpResponse(200, (("Content-Type", "text/event-stream"),), tail)
        ).cost_usd
    )


@pytest.mark.parametrize(
    "response",
    [
        answered(model="gemma-4-31b-it"),
        answered(model="other", usage={"prompt_tokens": 1}),
        answered(500, detail="All servers unavailable"),
        HttpResponse(200),
        HttpResponse(200, (), b"[[[["),
    ],
)
def test_no_cost(response: HttpResponse) -> None:
    """Without a usage, or a price for the model, nothing is said about the cost."""
    assert Observation() == PRICED.observe(response)


def test_no_prices() -> None:
    """Without prices a usage says nothing about the cost."""
    assert Observation() == LIBERTAI.observe(answered(model="m", usage={"prompt_tokens": 1}))
