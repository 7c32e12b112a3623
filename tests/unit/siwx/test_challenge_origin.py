"""Whose challenge is signed: the upstream's own, and nobody else's relayed by it."""

from __future__ import annotations

import pytest

from sidecar.http import Origin
from sidecar.siwx import SignInMessage
from tests.unit.siwx.challenges import INFO, read


def test_port() -> None:
    """On a port of its own the seller's domain has the port."""
    result = read(
        origin=Origin("http", "127.0.0.1", 24051),
        domain="127.0.0.1:24051",
        uri="http://127.0.0.1:24051/auth",
    )

    assert isinstance(result, SignInMessage)


@pytest.mark.parametrize(
    "domain",
    [
        "victim.example",
        "seller.example:443",
        "seller.example:8443",
        "SELLER.example",
        "seller.example.",
        "www.seller.example",
        "seller.example.evil.example",
        "127.0.0.1:8402",
    ],
)
def test_foreign_domain(domain: str) -> None:
    """A challenge for another domain is another seller's, relayed: it is not signed."""
    assert f"the seller's sign-in is for {domain}, and this is seller.example" == read(
        domain=domain
    )


FOREIGN = [
    "https://victim.example/members",
    "http://seller.example/members",
    "https://seller.example:443/members",
    "https://seller.example:8443/members",
    "https://seller.example.evil.example/members",
    "https://seller.examplevil/",
    "https:seller.example/members",
    "HTTPS://seller.example/members",
    "ipfs://bafy",
]


@pytest.mark.parametrize("uri", FOREIGN)
def test_foreign_uri(uri: str) -> None:
    """A challenge for a URI on another origin is not signed."""
    assert f"the seller's sign-in names {uri}, which is not on https://seller.example" == read(
        uri=uri
    )


@pytest.mark.parametrize("uri", FOREIGN)
def test_foreign_resource(uri: str) -> None:
    """A challenge with one resource on another origin is not signed, not even without it."""
    assert f"the seller's sign-in names {uri}, which is not on https://seller.example" == read(
        resources=[INFO["uri"], uri]
    )
