"""One hostile answer as data: what the seller sends, and which of its offers mean one thing only.

``sound`` is what may be signed, where a route's own rules allow it as well; nothing else may.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from sidecar.http import Headers, HttpResponse

BASE = "eip155:8453"
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SELLER = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
THIEF = "0x6B175474E89094C44Da98b954EedeAC495271d0F"
SOLANA_SELLER = "8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL"
SOLANA_THIEF = "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4"
FEE_PAYER = "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F"
BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"
PRICE = 10_000

Entry: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a payment comes to: by which scheme, on which chain, to whom, and how much at most."""

    scheme: str
    network: str
    pay_to: str
    amount: int


@dataclass(frozen=True, slots=True)
class Case:
    """A seller's answer. ``everywhere``: sound by x402 itself, and not in one vendor's words."""

    name: str
    theme: str
    reply: HttpResponse
    sound: tuple[Offer, ...] = ()
    everywhere: bool = True


HONEST = Offer("exact", BASE, SELLER, PRICE)
HONEST_SOLANA = Offer("exact", SOLANA, SOLANA_SELLER, PRICE)


def entry(**changed: Any) -> Entry:
    """An honest offer on Base, but for what is changed; ``...`` takes a word out."""
    fields: Entry = {
        "scheme": "exact",
        "network": BASE,
        "asset": USDC,
        "amount": str(PRICE),
        "payTo": SELLER,
        "maxTimeoutSeconds": 120,
        "extra": {"name": "USD Coin", "version": "2"},
    }
    return _changed(fields, changed)


def extra(**words: Any) -> Entry:
    """An honest offer with these words beside it."""
    return entry(extra={"name": "USD Coin", "version": "2", **words})


def on_solana(**changed: Any) -> Entry:
    """An honest offer on Solana, but for what is changed."""
    fields: Entry = {
        "network": SOLANA,
        "asset": MINT,
        "payTo": SOLANA_SELLER,
        "extra": {"feePayer": FEE_PAYER, "recentBlockhash": BLOCKHASH},
    }
    return _changed(entry(**fields), changed)


def solana_extra(**words: Any) -> Entry:
    """An honest offer on Solana with these words beside it; ``...`` takes one out."""
    return on_solana(extra=_changed({"feePayer": FEE_PAYER, "recentBlockhash": BLOCKHASH}, words))


def _changed(fields: Entry, changed: Entry) -> Entry:
    return {name: value for name, value in (fields | changed).items() if value is not ...}


def encoded(document: object) -> str:
    """A document as the header has it."""
    return base64.b64encode(json.dumps(document).encode()).decode()


def challenge(*accepts: object, **words: Any) -> Entry:
    """A challenge of version 2 with these offers."""
    return {"x402Version": 2, "accepts": list(accepts), **words}


def in_header(document: object, *more: tuple[str, str]) -> HttpResponse:
    """A 402 with this document in its header."""
    return HttpResponse(402, (("PAYMENT-REQUIRED", encoded(document)), *more), b"{}")


def in_body(document: object, headers: Headers = ()) -> HttpResponse:
    """A 402 with this document, or these bytes, in its body."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return HttpResponse(402, (("Content-Type", "application/json"), *headers), body)


def ask(*accepts: object, **words: Any) -> HttpResponse:
    """A 402 as v2 has it: these offers, in the header."""
    return in_header(challenge(*accepts, **words))


def ask_v1(*accepts: Entry, **words: Any) -> HttpResponse:
    """A 402 as v1 has it: these offers in its words, in the body."""
    return in_body({"x402Version": 1, "accepts": [as_v1(offer) for offer in accepts], **words})


def as_v1(offer: Entry) -> Entry:
    """The offer in the words of v1."""
    names = {"amount": "maxAmountRequired"}
    renamed = {names.get(name, name): value for name, value in offer.items()}
    if renamed.get("network") == BASE:
        renamed["network"] = "base"
    return {"resource": "https://seller.example/v1/chat", "description": "", **renamed}
