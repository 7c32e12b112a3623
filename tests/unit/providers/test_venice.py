"""Venice with a wallet."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from sidecar.chains import SOLANA
from sidecar.errors import RemoteProtocolError
from sidecar.http import Exchange, HttpRequest, HttpResponse, Origin
from sidecar.money import Usdc
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    Remedy,
    TopUp,
)
from sidecar.providers.venice import Venice
from sidecar.siwx import SignInMessage
from sidecar.x402.encode import envelope_for
from sidecar.x402.select import candidates
from sidecar.x402.types import PaymentRequired

T = TypeVar("T")

BASE = "eip155:8453"
OCCASION = Occasion(datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC), bytes(range(1, 33)))
REQUEST = HttpRequest("POST", "https://api.venice.ai/api/v1/chat/completions")
CREDENTIAL = Credential((("SIGN-IN-WITH-X", "signed"),), single_use=True)


class Signer:
    """A wallet that writes down what it signs."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.signed: list[SignInMessage] = []

    def sign_in(self, message: SignInMessage) -> str:
        self.signed.append(message)
        return f"signature {len(self.signed)}"


EVM = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
SOL = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
VENICE = Venice("https://api.venice.ai/api", Signer(EVM), BASE)
ON_SOLANA = Venice("https://api.venice.ai/api", Signer(SOL), SOLANA)

OUT_OF_CREDIT: dict[str, Any] = {
    "error": "Payment required",
    "code": "PAYMENT_REQUIRED",
    "reason": "insufficient_balance",
    "currentBalanceUsd": 0.04,
    "minimumBalanceUsd": 0.1,
    "description": "Venice API",
    "suggestedTopUpUsd": 10,
    "minimumTopUpUsd": 5,
    "topUpInstructions": {"network": BASE, "minimumAmountUsd": 5},
    "siwxChallenge": {"info": {}, "supportedChains": []},
}
RAIL_BASE: dict[str, Any] = {
    "scheme": "exact",
    "network": BASE,
    "amount": "5000000",
    "asset": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
    "payTo": "0x2670B922ef37C7Df47158725C0CC407b5382293F",
    "maxTimeoutSeconds": 300,
    "extra": {"name": "USD Coin", "version": "2"},
}
RAIL_SOLANA: dict[str, Any] = {
    "scheme": "exact",
    "network": SOLANA,
    "amount": "5000000",
    "asset": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    "payTo": "8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL",
    "maxTimeoutSeconds": 300,
    "extra": {"feePayer": "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F"},
}
DISCOVERY: dict[str, Any] = {"x402Version": 2, "accepts": [RAIL_BASE, RAIL_SOLANA]}
NOT_SIGNED_IN: dict[str, Any] = {
    "x402Version": 2,
    "error": "Authentication required",
    "resource": {"url": REQUEST.url, "description": "Venice API"},
    "accepts": [{**RAIL_BASE, "amount": "10000000"}, {**RAIL_SOLANA, "network": "solana"}],
    "extensions": {"sign-in-with-x": {"info": {}, "supportedChains": []}},
}
TEN = Usdc.parse("10.00 USDC")


def answered(document: Any, status: int = 200) -> HttpResponse:
    """A response with this document."""
    return HttpResponse(status, (), json.dumps(document).encode())


def challenged(document: Any) -> tuple[str, str]:
    """This document as a challenge's header."""
    return "PAYMENT-REQUIRED", base64.b64encode(json.dumps(document).encode()).decode()


def ask(exchange: Exchange[T], answer: HttpResponse) -> tuple[HttpRequest, T]:
    """The one request of this conversation, and what it makes of the answer."""
    request = next(exchange)
    with pytest.raises(StopIteration) as done:
        exchange.send(answer)
    result: T = done.value.value
    return request, result


def signed_in(venice: Venice, occasion: Occasion = OCCASION) -> Credential:
    """What a sign-in comes to, without a step."""
    with pytest.raises(StopIteration) as done:
        next(venice.sign_in(occasion))
    credential: Credential = done.value.value
    return credential


def remedy(document: Any, *headers: tuple[str, str]) -> Remedy:
    """What is done about a 402 with this body."""
    refusal = replace(answered(document, 402), headers=headers)
    return VENICE.remedy(REQUEST, refusal, OCCASION)


def terms(document: Any, amount: Usdc = TEN, venice: Venice = VENICE) -> PaymentRequired | str:
    """The terms of a top-up that is answered so."""
    return venice.terms("", answered(document, 402), amount)


def test_origins() -> None:
    """A sign-in goes to Venice alone."""
    assert frozenset({Origin("https", "api.venice.ai", 443)}) == VENICE.origins


def test_traits() -> None:
    """Costs stand in bodies; five requests at a time; fewer than 30 readings a minute."""
    traits = VENICE.traits

    assert (True, 5) == (traits.reads_bodies, traits.in_flight_max)
    assert 60 / 30 < traits.balance_spacing_s


def test_one_account() -> None:
    """A wallet has one account, and every request is paid from it."""
    assert ("",) == VENICE.accounts
    assert "" == VENICE.account_of(REQUEST)


@pytest.mark.parametrize("network", ["eip155:999999", "base", "", SOLANA])
def test_unknown_network(network: str) -> None:
    """A network that is not the wallet's, or is not known, is refused before any request."""
    with pytest.raises(ValueError, match="a sign-in"):
        Venice(VENICE.upstream, Signer(EVM), network)


# Signing in.


def test_sign_in() -> None:
    """The wallet signs a message that says who, where, from when, and for five minutes."""
    signer = Signer(EVM)
    credential = signed_in(Venice("https://api.venice.ai/api", signer, BASE))

    assert [
        SignInMessage(
            domain="api.venice.ai",
            address=EVM,
            uri="https://api.venice.ai/api/v1/chat/completions",
            network=BASE,
            nonce="0102030405060708",
            issued_at="2026-01-02T03:04:05.678Z",
            statement="Sign in to Venice AI",
            expiration_time="2026-01-02T03:09:05.678Z",
        )
    ] == signer.signed
    assert credential.expires_at == OCCASION.at + timedelta(minutes=5)


def test_sign_in_header() -> None:
    """The header carries the text, the signature and the chain; on Solana also its kind."""
    [(name, value)] = signed_in(VENICE).headers
    [(_, on_solana)] = signed_in(ON_SOLANA).headers
    sent = json.loads(base64.b64decode(value, validate=True))
    sent_on_solana = json.loads(base64.b64decode(on_solana, validate=True))

    assert "SIGN-IN-WITH-X" == name
    assert {"address", "message", "signature", "chainId"} == sent.keys()
    assert (EVM, 8453) == (sent["address"], sent["chainId"])
    assert (SOL, SOLANA, "ed25519") == tuple(
        sent_on_solana[key] for key in ("address", "chainId", "type")
    )


def test_sign_in_serves_once() -> None:
    """A sign-in is for one request, and the next one says something else."""
    first, second = signed_in(VENICE), signed_in(VENICE, replace(OCCASION, nonce=bytes(32)))

    assert first.single_use
    assert first.headers != second.headers


def test_sign_in_elsewhere() -> None:
    """The domain is the upstream's own host and port, and never the sidecar's."""
    signer = Signer(EVM)
    signed_in(Venice("http://127.0.0.1:4021/venice/api/v1/", signer, "eip155:84532"))

    assert "127.0.0.1:4021" == signer.signed[0].domain
    assert "http://127.0.0.1:4021/venice/api/v1/chat/completions" == signer.signed[0].uri


@pytest.mark.parametrize("word", ["EXPIRED", "FUTURE_TIMESTAMP", "NONCE_REUSED"])
def test_stale(word: str) -> None:
    """A sign-in that was too old, too new or not the first of its nonce is made again."""
    assert VENICE.is_stale(answered({"error": "no", "code": f"X402_SIGN_IN_{word}"}, 401))


@pytest.mark.parametrize(
    "document",
    [
        {"error": "no", "code": "X402_SIGN_IN_INVALID_SIGNATURE"},
        {"error": "no", "code": "X402_SIGN_IN_DOMAIN_MISMATCH"},
        {"error": "no", "code": "X402_SIGN_IN_TIMESTAMP_MISMATCH"},
        {"error": "X402_SIGN_IN_EXPIRED"},
        {"code": ["X402_SIGN_IN_EXPIRED"]},
        {"code": {}},
        {"error": "Invalid Sign-in-with-x signature"},
        ["X402_SIGN_IN_EXPIRED"],
        None,
    ],
)
def test_not_stale(document: Any) -> None:
    """Any other refusal would only come again."""
    assert not VENICE.is_stale(answered(document, 401))


# What a 402 means.


def test_out_of_credit() -> None:
    """A wallet that signed in and is out of credit gets some, whatever challenge is beside."""
    challenge = challenged(NOT_SIGNED_IN)

    assert TopUp() == remedy(OUT_OF_CREDIT) == remedy(OUT_OF_CREDIT, challenge)


def test_short_of_a_quote() -> None:
    """Credit that is less than the price of one request is added to."""
    error = "Insufficient USD or Diem balance to complete request. Visit the settings."

    assert TopUp() == remedy({"error": error})


def test_not_signed_in() -> None:
    """Where the sign-in was not read nothing is bought, though terms are offered."""
    assert PassThrough("Venice did not read our sign-in, and no credit mends that") == remedy(
        NOT_SIGNED_IN, challenged(NOT_SIGNED_IN)
    )


def test_enough_usd() -> None:
    """A wallet that has more than it needs, and is refused, lacks something else than USDC."""
    assert PassThrough(
        "Venice holds 3.5 USD for this wallet, asks for 0.1, and refuses all the same: "
        "what it wants is no USDC"
    ) == remedy({**OUT_OF_CREDIT, "currentBalanceUsd": 3.5})


@pytest.mark.parametrize(
    "words",
    [
        {"reason": "insufficient_diem"},
        {"reason": "DIEM_EXHAUSTED"},
        {"consumptionCurrency": "DIEM"},
    ],
)
def test_out_of_diem(words: dict[str, str]) -> None:
    """Where DIEM is what ran out, no USDC is spent on it."""
    assert PassThrough("the wallet's DIEM is used up, which no USDC brings back") == remedy(
        {**OUT_OF_CREDIT, **words}
    )


@pytest.mark.parametrize(
    "words",
    [
        {"currentBalanceUsd": None},
        {"minimumBalanceUsd": "much"},
        {"currentBalanceUsd": -0.02},
        {"reason": None},
        {"reason": ["diem"]},
        {"consumptionCurrency": "USD"},
    ],
)
def test_less_is_said(words: dict[str, Any]) -> None:
    """A refusal that says less, or has a debt, is mended by credit all the same."""
    assert TopUp() == remedy({**OUT_OF_CREDIT, **words})


@pytest.mark.parametrize(
    "document",
    [
        DISCOVERY,
        {"error": "SETTLEMENT_FAILED", "message": "Funds were not moved"},
        {"error": "Insufficient DIEM balance"},
        {"error": "API key USD spend limit exceeded"},
        {"error": {"code": "PAYMENT_REQUIRED"}},
        {"error": {"message": "Insufficient USD or Diem balance"}},
        {"code": ["PAYMENT_REQUIRED"]},
        {"code": "payment_required"},
        {},
        [OUT_OF_CREDIT],
        "PAYMENT_REQUIRED",
        None,
    ],
)
def test_anything_else(document: Any) -> None:
    """A 402 that we do not know buys nothing, and is the app's to see."""
    challenge = challenged(DISCOVERY)

    assert isinstance(remedy(document), PassThrough)
    assert isinstance(remedy(document, challenge), PassThrough)


def test_garbage() -> None:
    """A 402 whose body cannot be read buys nothing, and is told of."""
    refusal = HttpResponse(402, (("PAYMENT-REQUIRED", "%%%"),), b'{"code": "PAYMENT_REQ')

    assert PassThrough("Venice answers 402; credit is not what it asks for") == VENICE.remedy(
        REQUEST, refusal, OCCASION
    )


# Balances.


@pytest.mark.parametrize("venice", [VENICE, ON_SOLANA])
def test_balance(venice: Venice) -> None:
    """The balance is read at the wallet's own address, with its sign-in."""
    data = {"walletAddress": "0x", "balanceUsd": 12.5, "canConsume": True}
    request, held = ask(venice.balance(CREDENTIAL, ""), answered({"success": True, "data": data}))

    assert "GET" == request.method
    assert f"https://api.venice.ai/api/v1/x402/balance/{venice.signer.address}" == request.url
    assert CREDENTIAL.headers[0] in request.headers
    assert (Balance(Decimal("12.5"), "usd", True),) == held


def test_diem_balance() -> None:
    """DIEM is a balance of its own, after the one that a top-up raises."""
    data = {"diemBalanceUsd": 5.25, "balanceUsd": 0.04, "canConsume": True}

    assert (
        Balance(Decimal("0.04"), "usd", True),
        Balance(Decimal("5.25"), "diem", True),
    ) == ask(VENICE.balance(CREDENTIAL, ""), answered({"data": data}))[1]


@pytest.mark.parametrize(
    ("usd", "said", "can_consume"),
    [
        (12.5, False, False),
        (0.01, True, True),
        (0.10, None, True),
        (0.09, None, False),
        (0.10, "yes", True),
        (-0.02, None, False),
    ],
)
def test_can_consume(usd: float, said: Any, can_consume: bool) -> None:
    """Venice's word decides whether the next request is let in; without it, its floor."""
    data = {"balanceUsd": usd, "canConsume": said}

    assert (Balance(Decimal(str(usd)), "usd", can_consume),) == ask(
        VENICE.balance(CREDENTIAL, ""), answered({"data": data})
    )[1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answered({"error": "Invalid Sign-in-with-x signature"}, 401), "401: Invalid Sign-in"),
        (answered({"error": "Wallet mismatch"}, 403), "403: Wallet mismatch"),
        (HttpResponse(502, (), b"<html>"), "502"),
        (answered({"success": True}), "its answer has none"),
        (answered({"data": []}), "its answer has none"),
        (answered({"data": {"balanceUsd": "lots"}}), "its answer has none"),
        (answered({"data": {"balanceUsd": True}}), "its answer has none"),
        (HttpResponse(200, (), b"[" * 100_000), "its answer has none"),
    ],
)
def test_balance_not_told(answer: HttpResponse, said: str) -> None:
    """A balance that is not told is never taken for an empty one."""
    exchange = VENICE.balance(CREDENTIAL, "")
    next(exchange)
    with pytest.raises(RemoteProtocolError, match=f"does not tell the balance: .*{said}"):
        exchange.send(answer)


def test_observe() -> None:
    """A response may tell the balance in a header, and tells the cost in its body."""
    response = HttpResponse(
        200, (("X-Balance-Remaining", "4.230000"),), b'{"cost": {"usd": 0.00042, "diem": 0}}'
    )

    assert Observation(
        (Balance(Decimal("4.230000"), "usd", True),), Decimal("0.00042")
    ) == VENICE.observe(response)


@pytest.mark.parametrize(("value", "can_consume"), [("0.099999", False), ("0.100000", True)])
def test_observe_little(value: str, can_consume: bool) -> None:
    """A balance below the floor is told as one that lets nothing in."""
    response = HttpResponse(200, (("X-Balance-Remaining", value),))

    assert (Balance(Decimal(value), "usd", can_consume),) == VENICE.observe(response).balances


def test_observe_stream() -> None:
    """A stream tells the cost in its last chunk."""
    body = b'data: {"choices":[],"cost":{"usd":0.001,"diem":0}}\n\ndata: [DONE]\n\n'
    response = HttpResponse(200, (("content-type", "text/event-stream"),), body)

    assert Observation(cost_usd=Decimal("0.001")) == VENICE.observe(response)


def test_observe_rpc() -> None:
    """What a call of a chain's node cost stands in a header."""
    response = HttpResponse(200, (("X-Venice-RPC-Cost-USD", "0.00002"),), b'{"result": "0x1"}')

    assert Observation(cost_usd=Decimal("0.00002")) == VENICE.observe(response)


@pytest.mark.parametrize("value", ["", "NaN", "-", "1e3", "4.2, 5"])
def test_observe_nothing(value: str) -> None:
    """Headers without a number, and bodies without a cost, say nothing."""
    headers = (("X-Balance-Remaining", value), ("X-Venice-RPC-Cost-USD", value))

    assert Observation() == VENICE.observe(HttpResponse(200, headers, b"[1"))


# Top-ups.


def test_charge() -> None:
    """Credit is bought with an empty request, which says nothing about who asks."""
    request = VENICE.charge("", CREDENTIAL, TEN)

    assert HttpRequest("POST", "https://api.venice.ai/api/v1/x402/top-up") == request


def test_charge_of_a_versioned_upstream() -> None:
    """An upstream that ends in its version is not given it twice."""
    venice = Venice("https://api.venice.ai/api/v1", Signer(EVM), BASE)

    assert VENICE.charge("", CREDENTIAL, TEN) == venice.charge("", CREDENTIAL, TEN)


@pytest.mark.parametrize(
    ("venice", "rail", "alias"), [(VENICE, RAIL_BASE, "base"), (ON_SOLANA, RAIL_SOLANA, "solana")]
)
def test_terms(venice: Venice, rail: dict[str, Any], alias: str) -> None:
    """The terms are the wallet's own rail, with our amount in place of the minimum."""
    required = terms(DISCOVERY, TEN, venice)
    assert isinstance(required, PaymentRequired)
    [requirements] = required.accepts

    assert ("10000000", rail["payTo"]) == (requirements.amount, requirements.pay_to)
    assert rail["extra"] == requirements.extra
    assert {
        "header": "PAYMENT-SIGNATURE",
        "encoding": "base64",
        "document": {"x402Version": 2, "scheme": "exact", "network": alias},
    } == envelope_for(required, requirements, "pay_" + "0" * 32)


def test_terms_can_be_paid() -> None:
    """What the terms ask is something that we know how to pay, and of that amount."""
    required = terms(DISCOVERY)
    assert isinstance(required, PaymentRequired)
    [candidate], reasons = candidates(required)

    assert (TEN, ()) == (candidate.amount, reasons)


def test_terms_by_other_names() -> None:
    """A rail may go by its short name, and the terms may stand in the header alone."""
    discovery = {**DISCOVERY, "accepts": [{**RAIL_SOLANA, "network": "solana"}]}
    refusal = HttpResponse(402, (challenged(discovery),))
    required = ON_SOLANA.terms("", refusal, TEN)
    assert isinstance(required, PaymentRequired)

    assert SOLANA == required.accepts[0].network


def test_terms_on_a_test_network() -> None:
    """A network that has no short name goes by its own."""
    venice = Venice(VENICE.upstream, Signer(EVM), "eip155:421614")
    required = terms(
        {**DISCOVERY, "accepts": [{**RAIL_BASE, "network": venice.network}]}, TEN, venice
    )
    assert isinstance(required, PaymentRequired)

    assert "eip155:421614" == required.accepts[0].original["network"]


@pytest.mark.parametrize("text", ["5.00 USDC", "10000.00 USDC"])
def test_terms_at_the_bounds(text: str) -> None:
    """The minimum itself can be bought, and the maximum."""
    amount = Usdc.parse(text)
    required = terms(DISCOVERY, amount)
    assert isinstance(required, PaymentRequired)

    assert str(amount.atomic) == required.accepts[0].amount


def test_below_the_minimum() -> None:
    """An amount below the vendor's minimum is refused, and never raised to it."""
    assert (
        "Venice sells us no credit: its minimum is 5.00 USDC, and the top-up is of 4.999999 USDC"
    ) == terms(DISCOVERY, Usdc(4_999_999))


def test_above_the_maximum() -> None:
    """An amount that the vendor would not take is refused."""
    assert (
        "Venice sells at most 10000.00 USDC at a time, and the top-up is of 10000.000001 USDC"
    ) == terms(DISCOVERY, Usdc(10_000_000_001))


@pytest.mark.parametrize("minimum", ["0", "-5", "5.0", "5e6", "9" * 40])
def test_no_minimum(minimum: str) -> None:
    """A minimum that is no amount is not guessed at."""
    assert "Venice sells us no credit: its minimum is not an amount" == terms(
        {**DISCOVERY, "accepts": [{**RAIL_BASE, "amount": minimum}]}
    )


def test_another_rail() -> None:
    """Credit that would be another wallet's is not bought."""
    assert "Venice sells us no credit: it does not sell on Base" == terms(
        {**DISCOVERY, "accepts": [RAIL_SOLANA]}
    )


def test_unreadable_rail() -> None:
    """A rail that cannot be read is told of."""
    said = terms({**DISCOVERY, "accepts": [{**RAIL_BASE, "payTo": 7}]})

    assert (
        "Venice sells us no credit: accepts[0]: its payTo is not a string with something in it"
    ) == said


def test_one_rail_of_several() -> None:
    """A rail that does not serve does not keep another one from it."""
    offers = [{**RAIL_BASE, "amount": "99000000"}, RAIL_BASE]
    required = terms({**DISCOVERY, "accepts": offers})
    assert isinstance(required, PaymentRequired)

    assert ["10000000"] == [offer.amount for offer in required.accepts]
    assert ("its minimum is 99.00 USDC, and the top-up is of 10.00 USDC",) == required.unreadable


@pytest.mark.parametrize(
    "document", [{}, [], None, OUT_OF_CREDIT, {"error": "SETTLEMENT_FAILED"}, {"x402Version": 3}]
)
def test_no_terms(document: Any) -> None:
    """An answer without terms is a fault of the vendor's."""
    with pytest.raises(RemoteProtocolError):
        terms(document)


def test_credited() -> None:
    """The answer to a paid charge tells the new balance."""
    data = {"walletAddress": "0x", "amountCredited": 10, "newBalance": 22.5, "paymentId": "x402-1"}

    assert (Balance(Decimal("22.5"), "usd", True),) == VENICE.credited(
        answered({"success": True, "data": data})
    )


@pytest.mark.parametrize("document", [{}, [], None, {"data": 7}, {"data": {"newBalance": "?"}}])
def test_credit_not_told(document: Any) -> None:
    """An answer without a balance tells of none."""
    assert () == VENICE.credited(answered(document))
