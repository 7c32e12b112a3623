"""An OpenAI-compatible origin with an API key."""

from __future__ import annotations

import pytest

from sidecar.http import HttpResponse, Origin
from sidecar.providers.api_key import ApiKey
from sidecar.providers.base import Credential, PassThrough

KEY = "sk-very-secret"
OPENAI = ApiKey("https://api.openai.example/v1", KEY)


def test_origins() -> None:
    """The key goes to its upstream's origin alone."""
    assert frozenset({Origin("https", "api.openai.example", 443)}) == OPENAI.origins


def test_sign_in() -> None:
    """The key is the credential, as a bearer token."""
    with pytest.raises(StopIteration) as done:
        next(OPENAI.sign_in())

    assert Credential((("Authorization", f"Bearer {KEY}"),)) == done.value.value


def test_other_header() -> None:
    """An origin that reads the key from another header gets it there, and only there."""
    with pytest.raises(StopIteration) as done:
        next(ApiKey("https://api.anthropic.example", KEY, header="x-api-key").sign_in())

    assert Credential((("x-api-key", KEY),)) == done.value.value


def test_never_pays() -> None:
    """No 402 of such an origin is ever paid, not even one with x402 terms."""
    body = b'{"x402Version": 1, "accepts": []}'

    assert isinstance(OPENAI.remedy(HttpResponse(402, (), body)), PassThrough)


def test_repr_hides_the_key() -> None:
    """The key is not in the provider's repr."""
    assert KEY not in repr(OPENAI)
