"""What a signer is asked, from JSON to values."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sidecar.signer.requests import WhichNonces, WhoAreYou, digest_of, order_of, read_request
from sidecar.siwx import SignInMessage
from sidecar.x402.types import Authorization
from tests.world.signer_orders import ADDRESS, SOL_PAYEE, order, permit, sign_in, solana_order


def read(question: object) -> object:
    return read_request(json.dumps(question).encode())


def test_who_are_you() -> None:
    """The address is asked for by one word."""
    assert WhoAreYou() == read({"method": "address"})


def test_which_nonces() -> None:
    """So is what the nonces of purchases are derived from, and nothing may be asked with it."""
    assert WhichNonces() == read({"method": "nonces"})
    with pytest.raises(ValueError, match="not a request"):
        read({"method": "nonces", "purchase": "mine"})


def test_sign_in() -> None:
    """A sign-in's fields make the message, and a list its resources."""
    message = read(sign_in(resources=["https://a.example/"], statement="Hello"))

    assert isinstance(message, SignInMessage)
    assert (("https://a.example/",), "Hello") == (message.resources, message.statement)


@pytest.mark.parametrize("resources", ["https://a.example/", [1], {"a": 1}, ["not a uri"]])
def test_odd_resources(resources: object) -> None:
    """Resources are a list of URIs, or nothing is asked."""
    with pytest.raises(ValueError, match="resource"):
        read(sign_in(resources=resources))


def test_authorization() -> None:
    """An authorization's expiry is a second of the calendar, and its fields are texts."""
    question = order()
    said = question["authorization"]
    expected = Authorization(
        "eip155:8453",
        said["identity"],
        datetime.fromtimestamp(said["expires_at"], UTC),
        said["fields"],
    )

    assert expected == read(question)


def test_order() -> None:
    """Rules see the payee, the amount and the kind, by the names that each chain gives them."""
    transfer, permitted, solana = (
        read(question) for question in (order(), permit(), solana_order())
    )
    assert isinstance(transfer, Authorization)
    assert isinstance(permitted, Authorization)
    assert isinstance(solana, Authorization)
    assert (10_000, False) == (order_of(transfer).amount.atomic, order_of(transfer).is_permit)
    assert order_of(permitted).is_permit
    assert (SOL_PAYEE, 10_000) == (order_of(solana).payee, order_of(solana).amount.atomic)


def test_digest() -> None:
    """Two authorizations have one digest only if they are the same in every field."""
    question = order()
    known = read(question)
    assert isinstance(known, Authorization)
    others = [
        read({**question, "authorization": {**question["authorization"], name: value}})
        for name, value in (
            ("network", "eip155:1"),
            ("identity", "x"),
            ("expires_at", 1),
            ("fields", {"from": ADDRESS}),
        )
    ]
    digests = {digest_of(one) for one in (known, *others) if isinstance(one, Authorization)}

    assert 5 == len(digests)
    assert digest_of(known) in digests
