"""The text that a wallet signs: what it says, what it may say, and that it has one reading."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.siwx import SignInMessage
from tests.unit.siwx.messages import (
    EVM,
    EVM_ADDRESS,
    SOLANA_ADDRESS,
    SOLANA_MESSAGE,
    STATEMENTS,
    messages,
)

# A line break by any name that some reader gives one, and what else cannot be printed.
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u202e"]
TEXT_FIELDS = [
    "domain",
    "address",
    "uri",
    "network",
    "nonce",
    "issued_at",
    "statement",
    "expiration_time",
    "not_before",
    "request_id",
    "version",
]
LONG = "https://seller.example/" + "a" * 2026


def changed(field: str, value: Any) -> SignInMessage:
    """A message on EVM that has this in one field."""
    return replace(EVM, **{field: value})


def test_every_line() -> None:
    """A message with every field has its lines in EIP-4361's order, and no break at its end."""
    message = replace(
        EVM,
        statement="Sign in, please",
        expiration_time="2026-01-02T03:09:05Z",
        not_before="2026-01-02T03:04:00Z",
        request_id="request-1",
        resources=("https://seller.example/a", "ipfs://bafy/b"),
    )

    expected = [
        "seller.example wants you to sign in with your Ethereum account:",
        EVM_ADDRESS,
        "",
        "Sign in, please",
        "",
        "URI: https://seller.example/members",
        "Version: 1",
        "Chain ID: 8453",
        "Nonce: 0123456789abcdef",
        "Issued At: 2026-01-02T03:04:05.000Z",
        "Expiration Time: 2026-01-02T03:09:05Z",
        "Not Before: 2026-01-02T03:04:00Z",
        "Request ID: request-1",
        "Resources:",
        "- https://seller.example/a",
        "- ipfs://bafy/b",
    ]
    assert "\n".join(expected) == message.text()


def test_no_statement_evm() -> None:
    """On EVM a missing statement leaves its empty line."""
    assert f"account:\n{EVM_ADDRESS}\n\n\nURI: " in EVM.text()


def test_no_statement_solana() -> None:
    """On Solana a missing statement leaves nothing."""
    assert f"with your Solana account:\n{SOLANA_ADDRESS}\n\nURI: " in SOLANA_MESSAGE.text()


@settings(max_examples=60, deadline=None)
@given(message=messages())
@example(message=replace(EVM, statement="URI: https://seller.example/members"))
@example(message=replace(SOLANA_MESSAGE, statement="URI: https://seller.example/members"))
def test_round_trip(message: SignInMessage) -> None:
    """A text is read as the message that made it, with a statement or without, on every chain."""
    assert message == SignInMessage.parse(message.text())


@settings(max_examples=60, deadline=None)
@given(message=messages(), position=st.integers(0, 4000), letter=st.sampled_from(" \n\t0aA:é"))
def test_one_reading(message: SignInMessage, position: int, letter: str) -> None:
    """A text with a letter more is another message or none: no two texts mean the same."""
    text = message.text()
    position %= len(text) + 1
    other = text[:position] + letter + text[position:]
    try:
        read = SignInMessage.parse(other)
    except ValueError:
        return

    assert other == read.text()
    assert message != read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seller.example wants you to sign in with your Ethereum account:",
        EVM.text() + "\n",
        EVM.text().replace("\n", "\r\n"),
        EVM.text().replace("\n\n\n", "\n\n"),
        SOLANA_MESSAGE.text().replace("\n\n", "\n\n\n"),
        EVM.text().replace("Ethereum", "Bitcoin"),
        EVM.text().replace("Ethereum", "Solana"),
        SOLANA_MESSAGE.text().replace("Solana", "Ethereum"),
        EVM.text().replace("Chain ID: 8453", "Chain ID: eip155:8453"),
        EVM.text().replace("Chain ID: 8453", "Chain ID: 08453"),
        EVM.text().replace("Version: 1", "Version: 2"),
        EVM.text().replace("Nonce:", "nonce:"),
        EVM.text() + "\nResources:",
        EVM.text() + "\nResources:\n-https://seller.example",
        EVM.text() + "\nRequest ID: ",
        EVM.text() + "\nNot Before: 2026-01-02T03:04:05Z\nExpiration Time: 2026-01-02T03:04:05Z",
        EVM.text() + "\nSomething: else",
        "https://" + EVM.text(),
    ],
)
def test_not_parsed(text: str) -> None:
    """What differs from the text of a message, in a line, an order or a break, is none."""
    assert EVM == SignInMessage.parse(EVM.text())
    with pytest.raises(ValueError, match="sign-in"):
        SignInMessage.parse(text)


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize("broken", BREAKS)
def test_no_line_breaks(field: str, broken: str) -> None:
    """No field holds a line break or another control character, at its end or in its middle."""
    good: Any = {
        "statement": "Sign in",
        "expiration_time": EVM.issued_at,
        "not_before": EVM.issued_at,
        "request_id": "request-1",
    }.get(field) or getattr(EVM, field)
    changed(field, good)

    for bad in (good + broken, good[:5] + broken + good[5:]):
        with pytest.raises(ValueError, match="a sign-in"):
            changed(field, bad)
    with pytest.raises(ValueError, match="resource"):
        replace(EVM, resources=(EVM.uri, EVM.uri + broken))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("network", "eip155:1514", "a network that we do not know"),
        ("network", "base", "a network that we do not know"),
        ("version", "2", "version is not 1"),
        ("domain", "", "domain is not a host"),
        ("domain", "https://seller.example", "domain is not a host"),
        ("domain", "seller.example/path", "domain is not a host"),
        ("domain", "user@seller.example", "domain is not a host"),
        ("domain", "seller.example:", "domain is not a host"),
        ("domain", "seller.example:123456", "domain is not a host"),
        ("domain", "bücher.example", "domain is not a host"),
        ("domain", "a" * 256, "domain is not a host"),
        ("address", SOLANA_ADDRESS, "address is not 0x and 40"),
        ("address", EVM_ADDRESS[:-1], "address is not 0x and 40"),
        ("address", EVM_ADDRESS + "0", "address is not 0x and 40"),
        ("uri", "", "URI is not a URI"),
        ("uri", "seller.example", "URI is not a URI"),
        ("uri", "/members", "URI is not a URI"),
        ("uri", "https://user@seller.example/", "URI is not a URI"),
        ("uri", "https://seller.example\\@evil.example/", "URI is not a URI"),
        ("uri", "https://seller.example/a b", "URI is not a URI"),
        ("uri", "https://seller.example/%zz", "URI is not a URI"),
        ("uri", "https://seller.example/#a#b", "URI is not a URI"),
        ("uri", "https://seller.example/é", "URI is not a URI"),
        ("uri", LONG, "URI is not a URI of at most 2048"),
        ("nonce", "a" * 7, "nonce is not 8 to 64"),
        ("nonce", "a" * 65, "nonce is not 8 to 64"),
        ("nonce", "0123-4567-89ab", "nonce is not 8 to 64"),
        ("nonce", "\u0661" * 8, "nonce is not 8 to 64"),
        ("issued_at", "yesterday", "time of issue is not a time"),
        ("issued_at", "2026-02-30T00:00:00Z", "time of issue is"),
        ("expiration_time", "", "expiration time is not a time"),
        ("not_before", "0", "first time is not a time"),
        ("statement", "", "statement is not 1 to 256"),
        ("statement", "a" * 257, "statement is not 1 to 256"),
        ("statement", 'say "friend"', "statement is not 1 to 256"),
        ("statement", "Sign in — please", "statement is not 1 to 256"),
        ("request_id", "", "request id is not an identifier"),
        ("request_id", "a/b", "request id is not an identifier"),
        ("request_id", "a" * 257, "request id is not an identifier"),
        ("resources", (EVM.uri,) * 17, "over 16 resources"),
        ("resources", ("members",), "resource is not a URI"),
    ],
)
def test_not_a_message(field: str, value: object, reason: str) -> None:
    """A field that EIP-4361 does not allow, or that is over its bound, makes no message."""
    with pytest.raises(ValueError, match=reason):
        changed(field, value)


@pytest.mark.parametrize("address", [EVM_ADDRESS, "0" * 40, "I" * 40, "1" * 31, "1" * 45])
def test_not_a_solana_address(address: str) -> None:
    """On Solana an address is 32 to 44 digits in base58."""
    with pytest.raises(ValueError, match="address is not 32 bytes in base58"):
        replace(SOLANA_MESSAGE, address=address)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", "127.0.0.1:24051"),
        ("domain", "[::1]:8402"),
        ("domain", "a" * 255),
        ("uri", "http://[::1]:8402/?a=b&c=%20d#e"),
        ("uri", "https://seller.example?a"),
        ("uri", "https://seller.example#a"),
        ("uri", "did:key:z6Mk"),
        ("uri", LONG[:-1]),
        ("nonce", "a" * 8),
        ("nonce", "a" * 64),
        ("statement", "a" * 256),
        ("statement", " [I] agree; to 'it' (all)?"),
        ("request_id", "a" * 256),
        ("resources", (LONG[:-1],) * 16),
    ],
)
def test_bounds(field: str, value: object) -> None:
    """What is just inside the bounds is a message."""
    message = changed(field, value)

    assert message == SignInMessage.parse(message.text())


@settings(max_examples=60, deadline=None)
@given(statement=STATEMENTS)
def test_statement_stays_on_its_line(statement: str) -> None:
    """Whatever a statement says, the lines around it stay where they are."""
    lines = replace(EVM, statement=statement).text().split("\n")

    assert statement == lines[3]
    assert f"URI: {EVM.uri}" == lines[5]
    assert 10 == len(lines)
