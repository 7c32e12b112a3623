"""Prices that are too high, move between two readings, or are no amounts at all."""

from __future__ import annotations

from typing import Any

from tests.hostile.case import (
    BASE,
    HONEST,
    HONEST_SOLANA,
    PRICE,
    SELLER,
    Case,
    Offer,
    ask,
    ask_v1,
    challenge,
    encoded,
    entry,
    in_body,
    in_header,
    on_solana,
)

CAP = 100_000


def _dear(amount: int) -> tuple[Offer, ...]:
    return (Offer("exact", BASE, SELLER, amount),)


SPIKES = (
    Case("a hundred times the cap", "spike", ask(entry(amount="10000000")), _dear(10_000_000)),
    Case("one unit over the cap", "spike", ask(entry(amount=f"{CAP + 1}")), _dear(CAP + 1)),
    Case("exactly the cap", "spike", ask(entry(amount=f"{CAP}")), _dear(CAP)),
    Case("a whole wallet", "spike", ask(entry(amount="1" + "0" * 15)), _dear(10**15)),
    Case("the largest uint256", "spike", ask(entry(amount=str(2**256 - 1)))),
    Case("2**64, which is nothing to a u64", "spike", ask(entry(amount=str(2**64))), _dear(2**64)),
    Case(
        "2**64 and the price, on Solana",
        "spike",
        ask(on_solana(amount=str(2**64 + PRICE))),
    ),
    Case("v1: a hundred times the cap", "spike", ask_v1(entry(amount="10000000")), _dear(10**7)),
    Case(
        "dear first, honest second",
        "spike",
        ask(entry(amount="99999999"), entry()),
        (HONEST, *_dear(99_999_999)),
    ),
    Case(
        "honest first, dear second",
        "spike",
        ask(entry(), entry(amount="99999999")),
        (HONEST, *_dear(99_999_999)),
    ),
    Case(
        "twenty spikes around one honest offer",
        "spike",
        ask(*[entry(amount="900000000")] * 10, entry(), *[entry(amount="900000000")] * 10),
        (HONEST, *_dear(900_000_000)),
    ),
    Case("a spike on Solana", "spike", ask(on_solana(amount="10000000"))),
    Case(
        "a spike on Solana beside an honest offer there",
        "spike",
        ask(on_solana(amount="10000000"), on_solana()),
        (HONEST_SOLANA,),
    ),
)

TWO_READINGS = (
    Case(
        "header and body disagree: the header is honest",
        "two readings",
        in_header(challenge(entry())),
        (HONEST,),
    ),
    Case(
        "the body asks for more than the header",
        "two readings",
        in_body(
            challenge(entry(amount="90000")),
            (("PAYMENT-REQUIRED", encoded(challenge(entry()))),),
        ),
        (HONEST,),
    ),
    Case(
        "the header asks for more than the body",
        "two readings",
        in_body(
            challenge(entry()),
            (("PAYMENT-REQUIRED", encoded(challenge(entry(amount="90000000")))),),
        ),
        _dear(90_000_000),
    ),
    Case(
        "two headers, one honest",
        "two readings",
        in_header(
            challenge(entry()),
            ("Payment-Required", encoded(challenge(entry(amount="99999")))),
        ),
    ),
    Case(
        "two equal headers",
        "two readings",
        in_header(challenge(entry()), ("payment-required", encoded(challenge(entry())))),
    ),
    Case(
        "amount and maxAmountRequired differ",
        "two readings",
        ask(entry(maxAmountRequired="99000")),
    ),
    Case(
        "amount and maxAmountRequired agree",
        "two readings",
        ask(entry(maxAmountRequired="10000")),
        (HONEST,),
    ),
    Case(
        "amount is text and maxAmountRequired a number",
        "two readings",
        ask(entry(maxAmountRequired=10_000)),
    ),
    Case(
        "the amount stands there twice",
        "two readings",
        in_body(
            b'{"x402Version":2,"accepts":[{"scheme":"exact","network":"eip155:8453",'
            b'"asset":"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913","amount":"1",'
            b'"amount":"90000","payTo":"0x2670B922ef37C7Df47158725C0CC407b5382293F",'
            b'"maxTimeoutSeconds":60}]}'
        ),
    ),
    Case(
        "accepts stands there twice",
        "two readings",
        in_body(b'{"x402Version":2,"accepts":[],"accepts":[{"amount":"1"}]}'),
    ),
    Case(
        "another price in extra, and one in the resource",
        "two readings",
        ask(
            entry(extra={"name": "USD Coin", "version": "2", "amount": "1", "value": "1"}),
            resource={"url": "https://seller.example/v1/chat", "price": "1"},
        ),
        (HONEST,),
    ),
    Case(
        "v2 in the header and v1 in the body, dearer",
        "two readings",
        in_body(
            {"x402Version": 1, "accepts": [entry(network="base", amount="99000")]},
            (("PAYMENT-REQUIRED", encoded(challenge(entry()))),),
        ),
        (HONEST,),
    ),
)

# What is no amount by any reading of ours. JSON, so that numbers stay numbers.
NO_AMOUNTS: dict[str, Any] = {
    "zero": "0",
    "many zeros": "0000",
    "a zero in front": "010000",
    "negative": "-10000",
    "minus zero": "-0",
    "a plus sign": "+10000",
    "a fraction": "10000.5",
    "a fraction of nothing": "10000.0",
    "a comma": "10,000",
    "an underscore": "10_000",
    "an exponent": "1e4",
    "a negative exponent": "1e-4",
    "hexadecimal": "0x2710",
    "octal": "0o23420",
    "binary": "0b1",
    "Arabic-Indic digits": "\u0661\u0660\u0660\u0660\u0660",
    "fullwidth digits": "\uff11\uff10\uff10\uff10\uff10",
    "a superscript": "1\u00b2",
    "a newline at its end": "10000\n",
    "a newline inside": "1\n0000",
    "a space before": " 10000",
    "a no-break space after": "10000\u00a0",
    "a null byte": "10000\x00",
    "a right-to-left mark": "\u202e00001",
    "ten thousand digits": "1" * 10_000,
    "thirty-two digits": "1" * 32,
    "empty": "",
    "a word": "free",
    "infinity": "Infinity",
    "not a number": "NaN",
    "dollars": "$0.01",
    "an integer": 10_000,
    "an integer that is negative": -1,
    "a float": 10_000.0,
    "a large float": 1e300,
    "true": True,
    "false": False,
    "null": None,
    "a list": ["10000"],
    "an object": {"value": "10000"},
    "missing": ...,
}

GRAMMAR = (
    *(
        Case(f"amount: {name}", "amount", ask(entry(amount=amount)))
        for name, amount in NO_AMOUNTS.items()
    ),
    Case(
        "amount: a number of five thousand digits",
        "amount",
        in_body(b'{"x402Version":2,"accepts":[{"amount":' + b"9" * 5_000 + b"}]}"),
    ),
    Case(
        "amount: an honest offer beside five bad ones",
        "amount",
        ask(*[entry(amount=bad) for bad in ("-1", "0", "1e1", 1, None)], entry()),
        (HONEST,),
    ),
    Case("v1 amount: a number", "amount", ask_v1(entry(amount=10_000))),
    Case("v1 amount: negative", "amount", ask_v1(entry(amount="-10000"))),
    Case("Solana amount: negative", "amount", ask(on_solana(amount="-1"))),
    Case("Solana amount: a fraction", "amount", ask(on_solana(amount="0.01"))),
)

CASES = (*SPIKES, *TWO_READINGS, *GRAMMAR)
