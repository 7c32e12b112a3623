"""Honest challenges, damaged: words lost, doubled, swapped, of other types and other sizes.

``damaged`` is a strategy of documents; ``answers`` puts one or two of them into a 402.
"""

from __future__ import annotations

import copy
import gzip
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from sidecar.http import HttpResponse
from tests.hostile.case import (
    BASE,
    FEE_PAYER,
    MINT,
    SELLER,
    SOLANA,
    SOLANA_SELLER,
    SOLANA_THIEF,
    THIEF,
    USDC,
    as_v1,
    challenge,
    encoded,
    entry,
    extra,
    in_body,
    on_solana,
    solana_extra,
)
from tests.hostile.cases_sign_in import CHAINS, info
from tests.hostile.cases_vendor import TOP_UP
from tests.hostile.wallets import EVM_ADDRESS, SOLANA_ADDRESS

_CEILING = extra(primaryType="Permit", recipientAddress=THIEF) | {"scheme": "upto"}
_SIGN_IN = {"sign-in-with-x": {"info": info(), "supportedChains": CHAINS, "schema": {}}}

ON_EVM = (
    challenge(entry()),
    challenge(entry(), entry(amount="20000", payTo=THIEF), on_solana()),
    challenge(entry(amount=str(TOP_UP))),
    challenge(_CEILING, entry(amount="30000")),
    challenge(
        extra(assetTransferMethod="eip3009"), extensions={"payment-identifier": {"info": {}}}
    ),
    {"x402Version": 1, "accepts": [as_v1(entry())], "error": "payment required"},
    {"accepts": [{"network": "base", "maxAmountRequired": "1000", "asset": USDC, "payTo": SELLER}]},
)
ON_SOLANA = (
    challenge(on_solana()),
    challenge(on_solana(amount="20000"), solana_extra(memo="order 7")),
    challenge(entry(), on_solana(amount=str(TOP_UP))),
    {"x402Version": 1, "accepts": [as_v1(on_solana()) | {"network": "solana"}]},
)
SIGN_INS = (
    challenge(entry(), extensions=_SIGN_IN),
    challenge(extensions=_SIGN_IN),
    challenge(
        on_solana(),
        extensions={
            "sign-in-with-x": {
                "info": info(resources=["https://seller.example/a"], requestId="r1"),
                "supportedChains": CHAINS,
            }
        },
    ),
)

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 59, 60, 300, 2**53, 2**64, 2**256, 1e300, 0.5, -0.0),
    *("", "0", "1", "-1", "1e9", "0x10", "1.0", "9" * 30, "9" * 200, "\u0661\u0662", "1\n"),
    *("exact", "upto", BASE, "base", SOLANA, "solana", "eip155:1", "eip155:84532"),
    *(USDC, USDC.lower(), MINT, SELLER, SELLER.lower(), THIEF, SOLANA_SELLER, SOLANA_THIEF),
    *("0x" + "0" * 40, "1" * 32, EVM_ADDRESS, SOLANA_ADDRESS, FEE_PAYER, "0x" + "11" * 20),
    *("Permit", "permit2", "GatewayWalletBatched", "transaction", "eip191", "eip1271"),
    *("seller.example", "bank.example", "https://bank.example/", "https://seller.example@b.c/"),
    *("a\nURI: https://bank.example", "\u202eolleH", "\x00", "x" * 5_000, "2126-01-01T00:00:00Z"),
    *([], {}, [[]], [None], {"a": 1}, [entry()], entry()),
)
WORDS = (
    *("scheme", "network", "asset", "amount", "maxAmountRequired", "payTo", "maxTimeoutSeconds"),
    *("extra", "primaryType", "assetTransferMethod", "verifyingContract", "facilitatorAddress"),
    *("paymentFlow", "name", "version", "feePayer", "memo", "recentBlockhash", "accepts"),
    *("x402Version", "extensions", "info", "domain", "uri", "statement", "nonce", "issuedAt"),
    *("expirationTime", "notBefore", "resources", "supportedChains", "chainId", "type", "unknown"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 402, and the document of it that counts; None where none may."""

    reply: HttpResponse
    document: Any
    in_header: bool


@st.composite
def damaged(draw: st.DrawFn, bases: tuple[Any, ...]) -> Any:
    """A document of these with up to four damages."""
    document = copy.deepcopy(draw(st.sampled_from(bases)))
    for _ in range(draw(st.integers(0, 4))):
        places = list(_places(document))
        if places:
            _damage(draw, *draw(st.sampled_from(places)))
    return document


def _places(value: Any) -> Any:
    """Every place in a document: what holds it, and its key there."""
    keys = value if isinstance(value, dict) else range(len(value)) if _is_list(value) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _damage(draw: st.DrawFn, holder: Any, key: Any) -> None:
    value = holder[key]
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2:
            holder[key] = copy.deepcopy(draw(st.sampled_from(NASTY)))
        case 3:
            del holder[key]
        case 4 if isinstance(holder, dict):
            holder[draw(st.sampled_from(WORDS))] = copy.deepcopy(value)
        case 4:
            holder.append(copy.deepcopy(value))
        case 5 if isinstance(holder, dict):
            holder[draw(st.sampled_from(WORDS))] = copy.deepcopy(draw(st.sampled_from(NASTY)))
        case 5:
            holder.insert(0, copy.deepcopy(draw(st.sampled_from(NASTY))))
        case 6:
            other = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else [0]))
            holder[key], holder[other] = holder[other], value
        case 7:
            holder[key] = draw(st.sampled_from([[value], {"value": value}, json.dumps(value)]))
        case 8:
            holder[key] = _retold(draw, value)
        case _:
            holder[key] = draw(st.text(max_size=20) | st.integers() | st.floats(allow_nan=False))


def _retold(draw: st.DrawFn, value: Any) -> Any:
    """The same, almost."""
    match value:
        case str():
            mark = draw(st.sampled_from([" ", "\n", "0", "\u200b", "\u202e", "e3", ".0", "/"]))
            return draw(st.sampled_from([value + mark, mark + value, value.swapcase(), value * 2]))
        case int() | float():
            return draw(st.sampled_from([str(value), float(value) if value < 1e9 else 0, -value]))
        case list():
            return value * draw(st.sampled_from([2, 33]))
        case _:
            return [value]


@st.composite
def answers(draw: st.DrawFn, bases: tuple[Any, ...]) -> Answer:
    """A 402 that holds such a document, in one of the places where one can be."""
    document = draw(damaged(bases))
    body = json.dumps(document).encode()
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2 | 3:
            return Answer(_headed(encoded(document)), document, in_header=True)
        case 4 | 5:
            return Answer(in_body(document), document, in_header=False)
        case 6:
            packed = in_body(gzip.compress(body), (("Content-Encoding", "gzip"),))
            return Answer(packed, document, in_header=False)
        case 7:
            other = draw(damaged(bases))
            both = in_body(other, (("PAYMENT-REQUIRED", encoded(document)),))
            if _is_challenge(document):
                return Answer(both, document, in_header=True)
            return Answer(both, other, in_header=False)
        case 8:
            cut = draw(st.integers(0, len(body) - 1))
            return Answer(in_body(body[:cut]), None, in_header=False)
        case _:
            twice = (("Payment-Required", encoded(document)),) * 2
            return Answer(HttpResponse(402, twice), None, in_header=True)


def _headed(value: str) -> HttpResponse:
    return HttpResponse(402, (("PAYMENT-REQUIRED", value),))


def _is_challenge(document: Any) -> bool:
    """Whether this header is read, so that the body beside it is not."""
    try:
        json.dumps(document, allow_nan=False)
    except ValueError:
        # What is written for a number that JSON has not is no JSON.
        return False
    version = document.get("x402Version") if isinstance(document, dict) else None
    return type(version) is int and version in (1, 2)
