"""LibertAI's quotes, the 402 that carries one, and the header that answers it (providers.md 3).

The 402 mixes versions: x402Version 2 and a CAIP-2 network around v1's field names, and the scheme
`upto`. The quote is the most that a call can cost. The answer is X-PAYMENT as plain JSON; base64,
or PAYMENT-SIGNATURE, is read too, and then never settles.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from decimal import Decimal

from sidecar.chains import Asset
from sidecar.document import read_json
from sidecar.money import ATOMIC_PER_USDC
from sidecar.sandbox.payment import Authorization, Malformed, read_payment
from sidecar.sandbox.terms import encoded
from sidecar.sandbox.vendors.libertai_options import LibertaiOptions, Model
from sidecar.values import dataclass

FLOOR_USD = Decimal("0.0001")
MILLION = 1_000_000
BYTES_PER_TOKEN = 4

_KEYS = frozenset({"x402Version", "scheme", "network", "payload"})


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call took, in tokens."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The most that a call of this model may cost, in atomic units."""

    name: str
    model: Model
    amount: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A payment header that could be read. One that was not plain JSON never settles."""

    authorization: Authorization
    plain: bool


def quote_of(name: str, model: Model, body: bytes, document: Mapping[str, object]) -> Quote:
    """The price of a request: its length, and all that the model may say to it."""
    tokens = -(-len(body) // BYTES_PER_TOKEN)
    most = 0
    if "messages" in document:
        named = (document.get(key) for key in ("max_tokens", "max_completion_tokens"))
        wanted = [number for number in named if type(number) is int and number > 0]
        # Without a limit the whole context could be said.
        most = wanted[0] if wanted else model.context_tokens
    return Quote(name, model, atomic_cost(model, Usage(tokens, most)))


def atomic_cost(model: Model, usage: Usage) -> int:
    """What so many tokens cost."""
    usd = (
        usage.prompt_tokens * model.input_usd + usage.completion_tokens * model.output_usd
    ) / MILLION
    return int(max(usd, FLOOR_USD) * ATOMIC_PER_USDC)


def challenge(
    quote: Quote, url: str, asset: Asset, options: LibertaiOptions
) -> tuple[dict[str, object], dict[str, str]]:
    """The 402's body and headers. A payment that is no good gets the very same."""
    extra: dict[str, object] = {
        "name": asset.domain_name,
        "version": asset.domain_version,
        "recipientAddress": options.recipient,
    }
    if not quote.model.unnamed:
        extra["primaryType"] = quote.model.primary_type.value
    entry: dict[str, object] = {
        "scheme": "upto",
        "network": asset.network,
        "maxAmountRequired": str(quote.amount),
        "resource": url,
        "description": f"Pay-per-use inference for {quote.name}",
        "mimeType": "application/json",
        "payTo": options.server_wallet,
        "maxTimeoutSeconds": options.max_timeout_seconds,
        "asset": asset.address,
        "extra": extra,
    }
    document: dict[str, object] = {"x402Version": 2, "accepts": [entry]}
    headers = {"WWW-Authenticate": "X-PAYMENT", "PAYMENT-REQUIRED": encoded(document)}
    return document | {"error": "X-PAYMENT header is required"}, headers


def read_answer(header: str, text: str, network: str) -> Answered | Malformed:
    """The payment in this header."""
    plain = header == "X-PAYMENT"
    try:
        raw = text.encode("ascii")
        if not text.startswith("{"):
            plain, raw = False, base64.b64decode(raw, validate=True)
        document = read_json(raw)
    except ValueError as error:
        return Malformed(f"neither JSON nor JSON in base64: {error}")
    if not isinstance(document, dict) or document.keys() != _KEYS:
        return Malformed("not the four keys of a payment")
    if type(document["x402Version"]) is not int or document["x402Version"] != 2:
        return Malformed(f"x402Version is {document['x402Version']!r}, not 2")
    if (document["scheme"], document["network"]) != ("upto", network):
        return Malformed(f"not upto on {network}")
    # The seller's own reader judges the payload, which is as in v1.
    whole = {"x402Version": 1, "scheme": "", "network": "", "payload": document["payload"]}
    found = read_payment(encoded(whole), 1)
    if isinstance(found, Malformed):
        return found
    if found.transaction is not None:
        return Malformed("a Solana transaction on an EVM network")
    return Answered(found.authorization, plain)


def usage_in(body: bytes) -> Usage | None:
    """What a JSON answer says that it took; None when it says nothing."""
    match json.loads(body):
        case {"usage": {"prompt_tokens": int(prompt), **more}}:
            said = more.get("completion_tokens", 0)
            return Usage(prompt, said if isinstance(said, int) else 0)
        case {"usage": {"input_tokens": int(prompt), "output_tokens": int(said)}}:
            return Usage(prompt, said)
        case _:
            return None
