"""What a seller may ask to be signed: nothing that lets anybody in elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.chains import SOLANA, SOLANA_DEVNET
from sidecar.http import Origin
from sidecar.siwx import SignInMessage
from sidecar.siwx.challenge import fresh_until, read_challenge
from tests.unit.siwx.challenges import AT, CHAINS, INFO, ISSUED_AT, NETWORKS, ORIGIN, read
from tests.unit.siwx.messages import EVM, EVM_ADDRESS, SOLANA_ADDRESS


def text(at: datetime) -> str:
    """A time as Python's own sellers write it."""
    return at.isoformat().replace("+00:00", "Z")


def test_minimal() -> None:
    """A challenge becomes the message of our wallet, in the seller's own words."""
    assert EVM == read()


def test_full() -> None:
    """Every field of the challenge is in the message, verbatim; and no other."""
    result = read(
        statement="Sign in",
        expirationTime="2026-01-02T03:09:05.923310+00:00",
        notBefore="2026-01-02T03:04:00Z",
        requestId="request-1",
        resources=[
            "https://seller.example",
            "https://seller.example?a",
            "https://seller.example#a",
        ],
        address=EVM_ADDRESS,
        signature="0xab",
        _options={"network": None},
    )

    expected = replace(
        EVM,
        statement="Sign in",
        expiration_time="2026-01-02T03:09:05.923310+00:00",
        not_before="2026-01-02T03:04:00Z",
        request_id="request-1",
        resources=(
            "https://seller.example",
            "https://seller.example?a",
            "https://seller.example#a",
        ),
    )
    assert expected == result


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"statement": "a\nURI: https://victim.example"}, "statement is not"),
        ({"statement": "a" * 257}, "statement is not"),
        ({"statement": "a\x1b[2J"}, "statement is not"),
        ({"statement": ["Sign in"]}, "statement is not a string"),
        ({"version": "2"}, "version is not 1"),
        ({"version": 1}, "version is not a string"),
        ({"nonce": ...}, "nonce is not a string"),
        ({"nonce": "short"}, "nonce is not 8"),
        ({"issuedAt": ...}, "issuedAt is not a string"),
        ({"issuedAt": "now"}, "time of issue is not"),
        ({"issuedAt": 1767323045}, "issuedAt is not a string"),
        ({"expirationTime": "never"}, "expiration time is not"),
        ({"notBefore": "ever"}, "first time is not"),
        ({"requestId": "a b"}, "request id is not"),
        ({"domain": ...}, "domain is not a string"),
        ({"domain": "user@seller.example"}, "domain is not a host"),
        ({"uri": "https://user@seller.example/"}, "URI is not a URI"),
        ({"uri": "https:///seller.example/"}, "URI is not a URI"),
        ({"uri": "https://seller.example/" + "a" * 2048}, "URI is not a URI"),
        ({"resources": [INFO["uri"]] * 17}, "over 16 resources"),
        ({"resources": "https://seller.example"}, "resources are not an array"),
    ],
)
def test_not_a_message(changed: dict[str, Any], reason: str) -> None:
    """What no sign-in message may say is not signed; the sentence says what it is."""
    result = read(**changed)

    assert isinstance(result, str)
    assert result.startswith("the seller's sign-in cannot be signed: ")
    assert reason in result


def test_chain() -> None:
    """Of the seller's chains the first counts that is the route's and of the wallet's kind."""
    chains = [
        {"chainId": "eip155:1", "type": "eip191"},
        {"chainId": SOLANA, "type": "ed25519"},
        {"chainId": "eip155:84532", "type": "eip191"},
        {"chainId": "eip155:8453", "type": "eip191"},
    ]

    assert replace(EVM, network="eip155:84532") == read(chains=chains)


def test_solana() -> None:
    """A wallet on Solana signs in on Solana."""
    assert replace(EVM, network=SOLANA, address=SOLANA_ADDRESS) == read(address=SOLANA_ADDRESS)


@pytest.mark.parametrize(
    "chains",
    [
        None,
        [],
        {},
        "eip155:8453",
        ["eip155:8453", None, 8453, []],
        [{"chainId": 8453, "type": "eip191"}],
        [{"chainId": "8453", "type": "eip191"}],
        [{"chainId": ["eip155:8453"], "type": "eip191"}],
        [{"type": "eip191"}],
        [{"chainId": "eip155:8453"}],
        [{"chainId": "eip155:8453", "type": "eip1271"}],
        [{"chainId": "eip155:8453", "type": "ed25519"}],
        [{"chainId": "eip155:8453", "type": ["eip191"]}],
        [{"chainId": "eip155:1", "type": "eip191"}],
        [{"chainId": "base", "type": "eip191"}],
        [{"chainId": SOLANA, "type": "ed25519"}],
        [{"chainId": SOLANA, "type": "eip191"}],
    ],
)
def test_no_chain(chains: object) -> None:
    """Without a chain of ours, by its whole name and with our type of signature, no sign-in."""
    assert "the seller's sign-in is for no network of this route's wallet" == read(chains=chains)


def test_other_kind_of_wallet() -> None:
    """A wallet does not sign in on a chain of the other kind, nor on one that the route lacks."""
    evm_only = [{"chainId": "eip155:8453", "type": "eip191"}]
    devnet = [{"chainId": SOLANA_DEVNET, "type": "ed25519"}]

    refused = "the seller's sign-in is for no network of this route's wallet"
    assert refused == read(address=SOLANA_ADDRESS, chains=evm_only)
    assert refused == read(address=SOLANA_ADDRESS, chains=devnet)
    assert refused == read(networks=())


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"issuedAt": text(AT - timedelta(minutes=5))}, "has expired"),
        ({"issuedAt": text(AT + timedelta(minutes=5, microseconds=1))}, "issued in the future"),
        ({"issuedAt": "9999-12-31T23:59:59Z"}, "issued in the future"),
        ({"issuedAt": "0001-01-01T00:00:00Z"}, "has expired"),
        ({"expirationTime": text(AT)}, "has expired"),
        ({"expirationTime": text(AT - timedelta(days=1))}, "has expired"),
        ({"notBefore": text(AT + timedelta(minutes=5, microseconds=1))}, "not valid yet"),
    ],
)
def test_untimely(changed: dict[str, Any], reason: str) -> None:
    """What no server would take now is not signed."""
    result = read(**changed)

    assert isinstance(result, str)
    assert reason in result


@pytest.mark.parametrize(
    "changed",
    [
        {"issuedAt": text(AT - timedelta(minutes=5) + timedelta(microseconds=1))},
        {"issuedAt": text(AT + timedelta(minutes=5))},
        {"expirationTime": text(AT + timedelta(microseconds=1))},
        {"expirationTime": "9999-12-31T23:59:59Z"},
        {"notBefore": text(AT + timedelta(minutes=5))},
        {"notBefore": "0001-01-01T00:00:00Z"},
    ],
)
def test_timely(changed: dict[str, Any]) -> None:
    """The seller's clock may be five minutes off, and its sign-in is taken to its last moment."""
    assert isinstance(read(**changed), SignInMessage)


def test_fresh_until() -> None:
    """A message is taken for five minutes, or for as long as it says if that is shorter."""
    short = replace(EVM, expiration_time="2026-01-02T03:05:00Z")
    long = replace(EVM, expiration_time="2026-01-03T00:00:00Z")

    assert ISSUED_AT + timedelta(minutes=5) == fresh_until(EVM)
    assert ISSUED_AT + timedelta(seconds=55) == fresh_until(short)
    assert ISSUED_AT + timedelta(minutes=5) == fresh_until(long)


def reason_of(extensions: Mapping[str, Any]) -> SignInMessage | str:
    """What is made of these extensions."""
    return read_challenge(extensions, address=EVM_ADDRESS, origin=ORIGIN, networks=NETWORKS, at=AT)


def test_no_extension() -> None:
    """A seller without the extension offers no sign-in."""
    assert "the seller offers no sign-in" == reason_of({"bazaar": {}})


@pytest.mark.parametrize("extension", [True, "info", [], {}, {"info": None}, {"info": []}])
def test_unreadable(extension: object) -> None:
    """An extension of another shape is no sign-in."""
    assert "the seller's sign-in cannot be read" == reason_of({"sign-in-with-x": extension})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(changed=st.dictionaries(st.sampled_from(sorted(INFO)), JSON), chains=st.just(CHAINS) | JSON)
def test_any_challenge(changed: dict[str, Any], chains: Any) -> None:
    """Whatever the challenge holds, it is our domain, our origin and our chain, or a sentence."""
    result = read(chains=chains, **changed)
    if isinstance(result, str):
        assert result.isprintable()
        return

    assert ORIGIN.host_header == result.domain
    assert ORIGIN == Origin.of(result.uri)
    assert EVM_ADDRESS == result.address
    assert result.network in NETWORKS
