"""What a JWT claims."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.providers.claims import token_claims


def token(payload: bytes) -> str:
    """A JWT with these bytes for its claims, in the alphabet that JWTs are written in."""
    return f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2lnbmVk"


def test_claims() -> None:
    """The claims are the JSON object in the token's middle part."""
    assert {"exp": 1, "who": "~~~???"} == token_claims(token(b'{"exp":1,"who":"~~~???"}'))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opaque",
        "e30.e30",
        "e30.e30.e30.e30",
        "e30.%%%.e30",
        "e30.\xe9.e30",
        token(b"not JSON"),
        token(b"[1]"),
        token(b"\xff"),
        token(b'{"exp":1,"exp":2}'),
        token(b'{"exp":1,"more":"' + b"x" * 32 * 1024 + b'"}'),
    ],
)
def test_no_claims(text: str) -> None:
    """What is no token, has two readings or is too large claims nothing."""
    assert {} == token_claims(text)


@given(st.text())
def test_never_raises(text: str) -> None:
    """Whatever stands in a token, reading it raises nothing."""
    assert isinstance(token_claims(f"a.{text}.c"), dict)
