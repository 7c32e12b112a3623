"""The header that carries a sign-in, in both of its dialects."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.siwx import SignInMessage
from sidecar.siwx.envelope import (
    HEADER,
    LEGACY_HEADER,
    message_header,
    read_structured_header,
    signature_type,
    structured_header,
)
from sidecar.x402.headers import REQUEST_PAYMENT_HEADERS
from tests.unit.siwx.messages import EVM, EVM_ADDRESS, SOLANA_ADDRESS, SOLANA_MESSAGE, messages

FIELDS: dict[str, Any] = {
    "domain": "seller.example",
    "address": EVM_ADDRESS,
    "uri": "https://seller.example/members",
    "version": "1",
    "chainId": "eip155:8453",
    "type": "eip191",
    "nonce": "0123456789abcdef",
    "issuedAt": "2026-01-02T03:04:05.000Z",
    "signature": "0xab",
}
FULL = replace(
    EVM,
    statement="Sign in",
    expiration_time="2026-01-02T03:09:05Z",
    not_before="2026-01-02T03:04:00Z",
    request_id="request-1",
    resources=("https://seller.example/a",),
)


def decoded(value: str) -> Any:
    """What a header's value holds."""
    return json.loads(base64.b64decode(value, validate=True))


def encoded(fields: object) -> str:
    """The header's value that holds this."""
    return base64.b64encode(json.dumps(fields).encode()).decode()


def test_no_app_may_sign_in() -> None:
    """The header, by both of its names, is one that no app may send."""
    assert {HEADER.lower(), LEGACY_HEADER.lower()} <= REQUEST_PAYMENT_HEADERS


def test_message_evm() -> None:
    """Venice's dialect holds the text whole; on EVM its chain is a number, and nothing else."""
    expected = {
        "address": EVM_ADDRESS,
        "message": EVM.text(),
        "signature": "0xab",
        "chainId": 8453,
    }
    assert expected == decoded(message_header(EVM, "0xab"))


def test_message_solana() -> None:
    """Venice's dialect on Solana has the whole CAIP-2 network, and the signature's type."""
    expected = {
        "address": SOLANA_ADDRESS,
        "message": SOLANA_MESSAGE.text(),
        "signature": "3ej2",
        "chainId": "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        "type": "ed25519",
    }
    assert expected == decoded(message_header(SOLANA_MESSAGE, "3ej2"))


def test_structured() -> None:
    """The extension's dialect holds the fields that the message has, and those alone."""
    assert FIELDS == decoded(structured_header(EVM, "0xab"))


def test_structured_full() -> None:
    """Every optional field goes by the extension's own name for it."""
    expected = FIELDS | {
        "statement": "Sign in",
        "expirationTime": "2026-01-02T03:09:05Z",
        "notBefore": "2026-01-02T03:04:00Z",
        "requestId": "request-1",
        "resources": ["https://seller.example/a"],
    }
    assert expected == decoded(structured_header(FULL, "0xab"))


def test_types() -> None:
    """Signatures on EVM are eip191, and those on Solana ed25519."""
    assert "eip191" == signature_type("eip155:84532")
    assert "ed25519" == signature_type(SOLANA_MESSAGE.network)


@settings(max_examples=60, deadline=None)
@given(message=messages(), signature=st.text("0123456789abcdefx", max_size=132))
def test_round_trip(message: SignInMessage, signature: str) -> None:
    """What is written in the extension's dialect is read as the same message and signature."""
    value = structured_header(message, signature)

    assert (message, signature) == read_structured_header(value)
    assert value.isascii()
    assert value.isprintable()


def test_read_nulls() -> None:
    """A field that is null is not there, and one that no message has is passed over."""
    nulls = dict.fromkeys(
        ("statement", "expirationTime", "notBefore", "requestId", "resources", "signatureScheme")
    )

    assert (EVM, "0xab") == read_structured_header(encoded(FIELDS | nulls | {"new": {"a": 1}}))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "%%%",
        structured_header(EVM, "0xab") + "\n",
        "%" + structured_header(EVM, "0xab"),
        encoded([]),
        encoded("text"),
        base64.b64encode(b"\xff").decode(),
        base64.b64encode(b"{").decode(),
        base64.b64encode(b'{"a":1,"a":2}').decode(),
        base64.b64encode(b"[" * 100_000).decode(),
        encoded(FIELDS | {"type": "ed25519"}),
        encoded(FIELDS | {"chainId": 8453}),
        encoded(FIELDS | {"chainId": "eip155:1514"}),
        encoded(FIELDS | {"chainId": SOLANA_MESSAGE.network, "type": "ed25519"}),
        encoded(FIELDS | {"version": 1}),
        encoded(FIELDS | {"statement": 1}),
        encoded(FIELDS | {"statement": ""}),
        encoded(FIELDS | {"resources": "https://seller.example/a"}),
        encoded(FIELDS | {"resources": [1]}),
        encoded(FIELDS | {"resources": {}}),
        *(
            encoded({name: value for name, value in FIELDS.items() if name != missing})
            for missing in FIELDS
        ),
    ],
)
def test_not_read(value: str) -> None:
    """A value that lacks a field, or has one of another kind, holds no sign-in."""
    with pytest.raises(ValueError):  # noqa: PT011  base64 and JSON have words of their own
        read_structured_header(value)
