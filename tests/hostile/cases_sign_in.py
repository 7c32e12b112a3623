"""Sign-ins for somebody else, for another time, or with text that is not what it seems."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sidecar.http import HttpResponse
from tests.hostile.case import BASE, HONEST, SOLANA, Case, Entry, ask, entry
from tests.world.fakes import NOON

CHAINS: list[Entry] = [
    {"chainId": BASE, "type": "eip191"},
    {"chainId": SOLANA, "type": "ed25519"},
]


def info(**changed: Any) -> Entry:
    """What an honest seller asks to be signed, but for what is changed."""
    fields: Entry = {
        "domain": "seller.example",
        "uri": "https://seller.example/v1/chat",
        "version": "1",
        "nonce": "0123456789abcdef",
        "issuedAt": _iso(0),
        "statement": "Sign in to the seller",
        **changed,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def _iso(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def invited(chains: object = CHAINS, **changed: Any) -> HttpResponse:
    """A 402 that offers a sign-in, beside an honest offer."""
    extension = {"info": info(**changed), "supportedChains": chains, "schema": {}}
    return ask(entry(), extensions={"sign-in-with-x": extension})


HOMOGLYPH = "s\u0435ller.example"

# What no wallet of ours may sign; each is beside an honest offer, which may be paid.
PHISHING: dict[str, Entry] = {
    "another domain": {"domain": "bank.example"},
    "another port": {"domain": "seller.example:8443"},
    "a domain below ours": {"domain": "login.seller.example"},
    "a domain above ours": {"domain": "example"},
    "our domain as a user's name": {"domain": "seller.example@bank.example"},
    "our domain in capitals": {"domain": "SELLER.EXAMPLE"},
    "our domain with a dot": {"domain": "seller.example."},
    "a domain that looks like ours": {"domain": HOMOGLYPH},
    "a domain with a newline": {"domain": "seller.example\nbank.example"},
    "a domain and a scheme": {"domain": "https://seller.example"},
    "a domain that is a list": {"domain": ["seller.example"]},
    "an empty domain": {"domain": ""},
    "another uri": {"uri": "https://bank.example/login"},
    "a uri that begins like ours": {"uri": "https://seller.example.bank.example/"},
    "a uri with our domain as a user": {"uri": "https://seller.example@bank.example/"},
    "a uri with a backslash": {"uri": "https://seller.example\\@bank.example/"},
    "a uri without TLS": {"uri": "http://seller.example/v1/chat"},
    "a uri on another port": {"uri": "https://seller.example:444/"},
    "a uri that is script": {"uri": "javascript:alert(1)"},
    "a uri of 100 KB": {"uri": "https://seller.example/" + "a" * 15_000},
    "a uri with a newline": {"uri": "https://seller.example/\nChain ID: 1"},
    "a resource elsewhere": {"resources": ["https://bank.example/all"]},
    "a resource elsewhere among ours": {
        "resources": ["https://seller.example/a", "ipfs://bafy/terms"]
    },
    "a thousand resources": {"resources": ["https://seller.example/a"] * 700},
    "a resource that is an object": {"resources": [{}]},
    "a newline in the statement": {"statement": "Hello\n\nURI: https://bank.example"},
    "a carriage return in the statement": {"statement": "Hello\rURI: https://bank.example"},
    "a line separator in the statement": {"statement": "Hello\u2028URI: x"},
    "bidi characters in the statement": {"statement": "\u202eelpmaxe.knab ot ni ngiS"},
    "a zero-width space in the statement": {"statement": "Sign\u200b in"},
    "an emoji in the statement": {"statement": "Welcome \U0001f389"},
    "a null byte in the statement": {"statement": "Hello\x00"},
    "a statement of 20 KB": {"statement": "a" * 15_000},
    "an empty statement": {"statement": ""},
    "a statement that is an object": {"statement": {"text": "Hello"}},
    "expired": {"expirationTime": _iso(-1)},
    "issued an hour ago": {"issuedAt": _iso(-3_600)},
    "issued tomorrow": {"issuedAt": _iso(86_400)},
    "issued in the year 9999": {"issuedAt": "9999-12-31T23:59:59.999999999Z"},
    "issued on the first day": {"issuedAt": "0001-01-01T00:00:00+14:00"},
    "issued on no day": {"issuedAt": "2026-02-30T00:00:00Z"},
    "not valid before tomorrow": {"notBefore": _iso(86_400)},
    "a time with a newline": {"issuedAt": _iso(0) + "\nNonce: 1"},
    "a time that is a number": {"issuedAt": 1_795_262_400},
    "no time": {"issuedAt": ...},
    "version 2": {"version": "2"},
    "a version with a newline": {"version": "1\nChain ID: 1"},
    "a nonce with a newline": {"nonce": "01234567\nIssued At: x"},
    "a nonce of seven letters": {"nonce": "0123456"},
    "a nonce of sixty-five letters": {"nonce": "a" * 65},
    "a nonce of 10 KB": {"nonce": "a" * 10_000},
    "a nonce of other digits": {"nonce": "\u0661" * 12},
    "no nonce": {"nonce": ...},
    "a request id with a newline": {"requestId": "a\nResources:"},
    "another chain": {"chains": [{"chainId": "eip155:1", "type": "eip191"}]},
    "a chain that nobody knows": {"chains": [{"chainId": "eip155:666", "type": "eip191"}]},
    "a contract's signature": {"chains": [{"chainId": BASE, "type": "eip1271"}]},
    "chains that are lists": {"chains": [[BASE], {"chainId": [BASE]}, {"chainId": {}}]},
    "chains that are a text": {"chains": BASE},
    "no chains": {"chains": None},
    "a chain with a newline": {"chains": [{"chainId": f"{BASE}\n", "type": "eip191"}]},
}

# These may be signed: they speak to the upstream, now.
WELCOME: dict[str, Entry] = {
    "an honest one": {},
    "one that lasts a hundred years": {"expirationTime": "2126-11-21T12:00:00Z"},
    "one with an address of the seller's": {"address": "0x" + "11" * 20},
    "one with a text of the seller's": {"message": "bank.example wants you to sign in"},
    "one after a hundred other chains": {
        "chains": [{"chainId": f"eip155:{number}"} for number in range(99_000, 99_100)] + CHAINS
    },
}

CASES = (
    *(
        Case(f"sign-in: {name}", "sign-in", invited(**changed), (HONEST,))
        for name, changed in PHISHING.items()
    ),
    *(
        Case(f"sign-in: {name}", "welcome", invited(**changed), (HONEST,))
        for name, changed in WELCOME.items()
    ),
    Case(
        "sign-in: an extension that is a list",
        "sign-in",
        ask(entry(), extensions={"sign-in-with-x": []}),
        (HONEST,),
    ),
    Case(
        "sign-in: an extension without info",
        "sign-in",
        ask(entry(), extensions={"sign-in-with-x": {"supportedChains": CHAINS}}),
        (HONEST,),
    ),
)
