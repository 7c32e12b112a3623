"""An OpenAI-compatible origin with an API key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from sidecar.http import Exchange, HttpRequest, HttpResponse, Origin
from sidecar.providers.api_key import ApiKey
from sidecar.providers.base import Credential, Observation, Occasion, PassThrough
from sidecar.providers.cost import Price

T = TypeVar("T")

KEY = "sk-very-secret"
OPENAI = ApiKey("https://api.openai.example/v1", KEY)
PRICED = ApiKey(OPENAI.upstream, KEY, prices={"gpt-4o": Price(Decimal("2.50"), Decimal("10.00"))})
OCCASION = Occasion(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), bytes(32))
REQUEST = HttpRequest("POST", "https://api.openai.example/v1/chat/completions")


def result_of(exchange: Exchange[T]) -> T:
    """What a conversation without any step comes to."""
    with pytest.raises(StopIteration) as done:
        next(exchange)
    result: T = done.value.value
    return result


def answered(**fields: Any) -> HttpResponse:
    """A JSON answer with these fields."""
    return HttpResponse(200, (("Content-Type", "application/json"),), json.dumps(fields).encode())


def test_origins() -> None:
    """The key goes to its upstream's origin alone."""
    assert frozenset({Origin("https", "api.openai.example", 443)}) == OPENAI.origins


def test_traits() -> None:
    """Bodies are asked for unencoded only where their cost is to be reckoned."""
    assert not OPENAI.traits.reads_bodies
    assert PRICED.traits.reads_bodies


def test_sign_in() -> None:
    """The key is the credential, as a bearer token."""
    assert Credential((("Authorization", f"Bearer {KEY}"),)) == result_of(OPENAI.sign_in(OCCASION))


def test_other_header() -> None:
    """An origin that reads the key from another header gets it there, and only there."""
    anthropic = ApiKey("https://api.anthropic.example", KEY, header="x-api-key")

    assert Credential((("x-api-key", KEY),)) == result_of(anthropic.sign_in(OCCASION))


def test_key_is_not_renewed() -> None:
    """A key that is refused stays what it is."""
    assert not OPENAI.is_stale(HttpResponse(401))


def test_never_pays() -> None:
    """No 402 of such an origin is ever paid, not even one with x402 terms."""
    body = b'{"x402Version": 1, "accepts": []}'

    assert isinstance(OPENAI.remedy(REQUEST, HttpResponse(402, (), body), OCCASION), PassThrough)


def test_no_balance() -> None:
    """There is no balance to read."""
    assert () == result_of(OPENAI.balance(Credential(()), ""))


@pytest.mark.parametrize("said", [0.0021, 0])
def test_cost_that_is_said(said: float) -> None:
    """A cost that the vendor tells, be it nothing, is taken as it is, whatever our prices say."""
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "cost": said}

    assert Observation(cost_usd=Decimal(str(said))) == PRICED.observe(
        answered(model="gpt-4o", usage=usage)
    )


def test_cost_that_is_reckoned() -> None:
    """Where none is told, tokens times our price is an estimate, and called one."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}

    assert Observation(cost_usd=Decimal("0.0035"), estimated=True) == PRICED.observe(
        answered(model="gpt-4o-2024-08-06", usage=usage)
    )


@pytest.mark.parametrize(
    "response",
    [
        answered(model="gpt-4o"),
        answered(model="other", usage={"prompt_tokens": 1}),
        HttpResponse(200),
        HttpResponse(500, (), b"[[[["),
    ],
)
def test_no_cost(response: HttpResponse) -> None:
    """Without a usage, or a price for the model, nothing is said about the cost."""
    assert Observation() == PRICED.observe(response)


def test_no_prices() -> None:
    """Without prices a usage says nothing about the cost."""
    assert Observation() == OPENAI.observe(answered(model="m", usage={"prompt_tokens": 1}))


def test_repr_hides_the_key() -> None:
    """The key is not in the provider's repr."""
    assert KEY not in repr(OPENAI)
