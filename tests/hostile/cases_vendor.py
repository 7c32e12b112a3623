"""Hostile answers in the words of the vendors: top-ups, packages, ceilings."""

from __future__ import annotations

from typing import Any

from sidecar.http import HttpResponse
from tests.hostile.case import (
    BASE,
    MINT,
    PRICE,
    SELLER,
    SOLANA,
    SOLANA_SELLER,
    THIEF,
    USDC,
    Case,
    Offer,
    ask,
    ask_v1,
    challenge,
    encoded,
    entry,
    extra,
    in_body,
    on_solana,
)

TOP_UP = 5_000_000
PACKAGE = Offer("exact", BASE, SELLER, TOP_UP)


def _costs(amount: int) -> tuple[Offer, ...]:
    return (Offer("exact", BASE, SELLER, amount),)


# Venice names a minimum and Nodit the sum that was asked for; x402layer sets its price.
CHARGES = (
    Case("the top-up, honestly", "top-up", ask(entry(amount=str(TOP_UP))), (PACKAGE,)),
    Case(
        "a unit more than the top-up",
        "top-up",
        ask(entry(amount=f"{TOP_UP + 1}")),
        _costs(TOP_UP + 1),
    ),
    Case("ten times the top-up", "top-up", ask(entry(amount="50000000")), _costs(50_000_000)),
    Case(
        "the top-up to somebody else",
        "top-up",
        ask(entry(amount=str(TOP_UP), payTo=THIEF)),
        (Offer("exact", BASE, THIEF, TOP_UP),),
    ),
    Case(
        "the top-up for a fake token",
        "top-up",
        ask(entry(amount=str(TOP_UP), asset="0x" + "11" * 20)),
    ),
    Case(
        "the top-up on another chain",
        "top-up",
        ask(
            entry(
                amount=str(TOP_UP),
                network="eip155:1",
                asset="0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            )
        ),
    ),
    Case(
        "the top-up in the body, beside a thief's header",
        "top-up",
        in_body(
            challenge(entry(amount=str(TOP_UP))),
            (("PAYMENT-REQUIRED", encoded(challenge(entry(amount=str(TOP_UP), payTo=THIEF)))),),
        ),
        (Offer("exact", BASE, THIEF, TOP_UP),),
    ),
    Case("the top-up with a minimum of dollars", "top-up", ask(entry(amount="5.00"))),
    Case("the top-up with a minimum that is a number", "top-up", ask(entry(amount=5))),
    Case(
        "the top-up by upto",
        "top-up",
        ask(extra(primaryType="Permit") | {"scheme": "upto", "amount": str(TOP_UP)}),
        (Offer("upto", BASE, SELLER, TOP_UP),),
    ),
    Case(
        "the top-up by Permit2",
        "top-up",
        ask(extra(assetTransferMethod="permit2") | {"amount": str(TOP_UP)}),
    ),
    Case(
        "v1: the top-up for ten years",
        "top-up",
        ask_v1(entry(amount=str(TOP_UP), maxTimeoutSeconds=315_360_000)),
        (PACKAGE,),
    ),
    Case("thirty-two top-ups", "top-up", ask(*[entry(amount=str(TOP_UP))] * 32), (PACKAGE,)),
)


def _out_of_credit(**words: Any) -> HttpResponse:
    return in_body(
        {
            "code": "PAYMENT_REQUIRED",
            "error": "Payment required",
            "currentBalanceUsd": 0,
            "minimumBalanceUsd": 0.1,
            **words,
        }
    )


VENICE = (
    Case(
        "Venice: a top-up elsewhere",
        "venice",
        _out_of_credit(topUpInstructions={"receiverWallet": THIEF, "url": "https://bank.example"}),
    ),
    Case("Venice: a balance of 10**300", "venice", _out_of_credit(currentBalanceUsd=1e300)),
    Case("Venice: a balance of a list", "venice", _out_of_credit(currentBalanceUsd=[[0]])),
    Case("Venice: a minimum below zero", "venice", _out_of_credit(minimumBalanceUsd=-1)),
    Case("Venice: a reason that is an object", "venice", _out_of_credit(reason={"a": "diem"})),
    Case("Venice: a reason of 200 KB", "venice", _out_of_credit(reason="DIEM" * 50_000)),
    Case("Venice: an error that is a list", "venice", in_body({"error": ["Authentication"]})),
    Case(
        "Venice: a sign-in of the vendor's",
        "venice",
        _out_of_credit(siwxChallenge={"domain": "bank.example", "message": "Sign this"}),
    ),
)


def _bare(**changed: Any) -> dict[str, Any]:
    """A package as x402layer sells it: v1, with words missing."""
    fields = {
        "network": "base",
        "maxAmountRequired": str(PRICE),
        "asset": USDC,
        "payTo": SELLER,
        **changed,
    }
    return {"accepts": [{name: value for name, value in fields.items() if value is not ...}]}


HONEST_PACKAGE = (Offer("exact", BASE, SELLER, PRICE),)

X402LAYER = (
    Case("x402layer: words missing", "x402layer", in_body(_bare()), HONEST_PACKAGE, False),
    Case("x402layer: a free package", "x402layer", in_body(_bare(maxAmountRequired="0"))),
    Case("x402layer: a package of a number", "x402layer", in_body(_bare(maxAmountRequired=1))),
    Case(
        "x402layer: a package without a price", "x402layer", in_body(_bare(maxAmountRequired=...))
    ),
    Case(
        "x402layer: a package of a hundred million",
        "x402layer",
        in_body(_bare(maxAmountRequired="1" + "0" * 14)),
        _costs(10**14),
        False,
    ),
    Case(
        "x402layer: a token of another chain",
        "x402layer",
        in_body(_bare(asset="eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")),
    ),
    Case(
        "x402layer: a token with its chain",
        "x402layer",
        in_body(_bare(asset=f"{BASE}/erc20:{USDC}")),
        HONEST_PACKAGE,
        False,
    ),
    Case("x402layer: a token of colons", "x402layer", in_body(_bare(asset=":" * 9_000))),
    Case(
        "x402layer: valid for ten years",
        "x402layer",
        in_body(_bare(maxTimeoutSeconds=315_360_000)),
        HONEST_PACKAGE,
        False,
    ),
    Case(
        "x402layer: a page to pay on",
        "x402layer",
        in_body({"purchase_url": "https://bank.example/pay?to=all", "credit_package": [1]}),
    ),
    Case(
        "x402layer: credits wanted, and a thief's offer",
        "x402layer",
        in_body({"error": "Insufficient credits", **_bare(payTo=THIEF)}),
        (Offer("exact", BASE, THIEF, PRICE),),
        False,
    ),
    Case("x402layer: version true", "x402layer", in_body({"x402Version": True, **_bare()})),
    Case("x402layer: version null", "x402layer", in_body({"x402Version": None, **_bare()})),
    Case("x402layer: accepts that are numbers", "x402layer", in_body({"accepts": [1, None, "a"]})),
    Case(
        "x402layer: a thousand packages",
        "x402layer",
        in_body({"accepts": _bare()["accepts"] * 1_000}),
    ),
    Case(
        "x402layer: a package on Solana without a fee payer",
        "x402layer",
        in_body(_bare(network="solana", asset=MINT, payTo=SOLANA_SELLER)),
    ),
    Case(
        "x402layer: a spike on Solana",
        "x402layer",
        ask(on_solana(amount=f"{TOP_UP + 1}")),
        (Offer("exact", SOLANA, SOLANA_SELLER, TOP_UP + 1),),
    ),
)


def _ceiling(**changed: Any) -> HttpResponse:
    """A ceiling as LibertAI writes it: v2 by its number, v1 by its names."""
    words = {"primaryType": "Permit", "recipientAddress": THIEF, **changed.pop("words", {})}
    offer = entry(
        **{"scheme": "upto", "network": BASE, "amount": ..., "maxAmountRequired": str(PRICE)}
        | changed
    )
    return ask(offer | {"extra": {"name": "USD Coin", "version": "2", **words}})


def _up_to(pay_to: str, amount: int) -> tuple[Offer, ...]:
    return (Offer("upto", BASE, pay_to, amount),)


LIBERTAI = (
    Case("LibertAI: a ceiling", "libertai", _ceiling(), _up_to(SELLER, PRICE)),
    Case(
        "LibertAI: a ceiling without end", "libertai", _ceiling(maxAmountRequired=str(2**256 - 1))
    ),
    Case(
        "LibertAI: a ceiling over the cap",
        "libertai",
        _ceiling(maxAmountRequired="100001"),
        _up_to(SELLER, 100_001),
    ),
    Case("LibertAI: another spender", "libertai", _ceiling(payTo=THIEF), _up_to(THIEF, PRICE)),
    Case(
        "LibertAI: valid for ten years",
        "libertai",
        _ceiling(maxTimeoutSeconds=315_360_000),
        _up_to(SELLER, PRICE),
    ),
    Case("LibertAI: valid for a second", "libertai", _ceiling(maxTimeoutSeconds=1)),
    Case("LibertAI: a token of its own", "libertai", _ceiling(asset="0x" + "11" * 20)),
    Case(
        "LibertAI: another kind of Permit",
        "libertai",
        _ceiling(words={"primaryType": "PermitBatch"}),
    ),
    Case("LibertAI: Permit2", "libertai", _ceiling(words={"facilitatorAddress": THIEF})),
    Case("LibertAI: another contract", "libertai", _ceiling(words={"verifyingContract": THIEF})),
    Case(
        "LibertAI: a number of its own",
        "libertai",
        _ceiling(words={"nonce": 7, "value": 1}),
        _up_to(SELLER, PRICE),
    ),
)

CASES = (*CHARGES, *VENICE, *X402LAYER, *LIBERTAI)
