"""Sign-in texts, parsed line by line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.sandbox.vendors.siwx import SignInText, Unfit, parse, text_of
from sidecar.sandbox.vendors.siwx_proof import is_signed
from tests.unit.sandbox.vendors.wallets import Evm, Solana, Text
from tests.world.fakes import NOON

VECTORS = json.loads(
    (Path(__file__).parents[3] / "conformance/vectors/vectors.json").read_text("utf-8")
)["siwx"]
TEXT = Text(Evm(), "127.0.0.1:4020", NOON, "0123456789abcdef")


def parsed(text: object) -> SignInText:
    found = parse(str(text))
    assert isinstance(found, SignInText), found
    return found


def code(text: object) -> str:
    found = parse(str(text))
    assert isinstance(found, Unfit), found
    return found.code


@pytest.mark.parametrize("name", ["venice_evm", "venice_solana", "nodit_evm", "nodit_solana"])
def test_vectors(name: str) -> None:
    """Every vector is read, and is signed by the address in it."""
    vector = VECTORS[name]
    sent: dict[str, Any] = vector.get("payload") or vector["body"]
    found = parsed(sent["message"])

    assert is_signed(found, sent["signature"], base64_too=False)
    assert "sign in" not in found.domain
    assert ("eip155:8453" if name.endswith("evm") else found.network) == found.network


def test_fields() -> None:
    """Each line ends up in its field."""
    tail = "\nNot Before: 2026-11-21T11:00:00Z\nRequest ID: r1\nResources:\n- https://a/1\n- https://a/2"
    found = parsed(replace(TEXT, tail=tail))

    assert (
        SignInText(
            text=found.text,
            domain="127.0.0.1:4020",
            kind="Ethereum",
            address=TEXT.wallet.address,
            statement="Sign in to Venice AI",
            uri="https://api.venice.ai/api/v1/chat/completions",
            chain_id="84532",
            nonce="0123456789abcdef",
            issued_at="2026-11-21T12:00:00.000Z",
            expiration_time="2026-11-21T12:05:00.000Z",
            not_before="2026-11-21T11:00:00Z",
            request_id="r1",
            resources=("https://a/1", "https://a/2"),
        )
        == found
    )


def test_no_statement() -> None:
    """Without a statement EIP-4361 keeps its empty line, and Solana's sibling does not."""
    ethereum = replace(TEXT, statement=None)
    solana = replace(ethereum, wallet=Solana())

    assert "\n\n\nURI" in str(ethereum)
    assert "\n\n\nURI" not in str(solana)
    assert (None, None) == (parsed(ethereum).statement, parsed(solana).statement)
    assert "PARSE_ERROR" == code(str(ethereum).replace("\n\n\n", "\n\n"))
    assert "PARSE_ERROR" == code(str(solana).replace("\n\nURI", "\n\n\nURI"))


def test_solana_chain_both_ways() -> None:
    """Solana's chain may be named with its prefix or without."""
    bare = replace(TEXT, wallet=Solana())
    prefixed = replace(bare, chain_id=Solana().network)

    assert Solana().network == parsed(bare).network == parsed(prefixed).network


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (str(TEXT) + "\n", "PARSE_ERROR"),
        (str(TEXT) + "\nResources:\nhttps://a", "PARSE_ERROR"),
        (str(TEXT).replace("\n", "\r\n"), "PARSE_ERROR"),
        (str(TEXT).replace("Ethereum", "Bitcoin"), "PARSE_ERROR"),
        (str(TEXT).replace("127.0.0.1:4020 wants", "a/b wants"), "PARSE_ERROR"),
        (str(TEXT).replace("\n\nSign", "\nSign"), "PARSE_ERROR"),
        (str(TEXT).replace("AI\n\n", "AI\n"), "PARSE_ERROR"),
        (str(TEXT).replace("Nonce: ", "nonce: "), "PARSE_ERROR"),
        (str(TEXT).replace("URI: https:", "URI: nowhere"), "PARSE_ERROR"),
        (str(TEXT).replace("Nonce: 0123456789abcdef", "Nonce: "), "PARSE_ERROR"),
        (
            str(TEXT).replace("Sign in to", "Sign in t\N{LATIN SMALL LETTER O WITH STROKE}"),
            "PARSE_ERROR",
        ),
        (str(TEXT)[:40], "PARSE_ERROR"),
        (str(TEXT) + "x" * 5_000, "PARSE_ERROR"),
        ("", "PARSE_ERROR"),
        (replace(TEXT, version="2"), "INVALID_MESSAGE"),
        (replace(TEXT, address=Evm().address.lower()), "INVALID_MESSAGE"),
        (replace(TEXT, address="0x1234"), "INVALID_WALLET"),
        (replace(TEXT, wallet=Solana(), address="0OIl"), "INVALID_WALLET"),
        (replace(TEXT, wallet=Solana(), address="1111"), "INVALID_WALLET"),
        (replace(TEXT, nonce="short"), "MISSING_NONCE"),
        (replace(TEXT, nonce="has-a-dash"), "MISSING_NONCE"),
    ],
)
def test_refused(changed: object, expected: str) -> None:
    """What departs from the grammar anywhere is not read, and why is said."""
    assert expected == code(changed)


def test_order() -> None:
    """The optional lines have one order."""
    text = replace(TEXT, tail="\nRequest ID: r1\nNot Before: 2026-11-21T11:00:00Z")

    assert "PARSE_ERROR" == code(text)


@given(st.integers(0, 400), st.characters())
def test_one_character(position: int, character: str) -> None:
    """A text in which one character is not the one that was signed never passes as signed."""
    text = str(TEXT)
    at = position % len(text)
    changed = text[:at] + character + text[at + 1 :]
    found = parse(changed)
    signature = TEXT.wallet.sign(text)

    assert (
        changed == text
        or isinstance(found, Unfit)
        or not is_signed(found, signature, base64_too=True)
    )


def test_structured_text() -> None:
    """Structured fields stand for the text that was signed."""
    structured = VECTORS["x402_sdk_structured_evm"]["payload"]

    assert VECTORS["venice_evm"]["message"] == text_of(structured, ())


@pytest.mark.parametrize("wallet", [Evm(), Solana()])
@pytest.mark.parametrize("statement", [None, "Hello"])
def test_structured_text_has_every_line(wallet: Evm | Solana, statement: str | None) -> None:
    """The optional fields become the optional lines, for either kind of wallet."""
    tail = "\nNot Before: 2026-11-21T11:00:00Z\nRequest ID: r1\nResources:\n- https://a/1"
    text = replace(TEXT, wallet=wallet, statement=statement, tail=tail)
    found = parsed(text)
    fields = {
        "domain": found.domain,
        "address": found.address,
        "uri": found.uri,
        "version": "1",
        "chainId": wallet.network,
        "nonce": found.nonce,
        "issuedAt": found.issued_at,
        "expirationTime": found.expiration_time or "",
        "notBefore": "2026-11-21T11:00:00Z",
        "requestId": "r1",
    }
    if statement is not None:
        fields["statement"] = statement

    assert str(text) == text_of(fields, ("https://a/1",))
