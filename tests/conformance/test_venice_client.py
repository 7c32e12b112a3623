"""What Venice's official client sent, beside what we send in the same place."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from sidecar.chains import SOLANA, usdc_on
from sidecar.http import Exchange, HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.policy import Allowed, Policy, choose
from sidecar.providers.base import Credential, Occasion, TopUp
from sidecar.providers.venice import Venice
from sidecar.siwx import SignInMessage
from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.select import candidates
from sidecar.x402.types import PaymentRequired
from tests.conformance.recorded import load
from tests.conformance.test_eip712_vectors import typed_data

T = TypeVar("T")

SCENARIOS = load("venice-js.json")["scenarios"]
VECTORS = load("vectors.json")
BASE = "eip155:8453"
WALLET = EvmWallet(parse_private_key(VECTORS["private_key"]))
VENICE = Venice("https://api.venice.ai/api", WALLET, BASE)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OCCASION = Occasion(NOW, bytes.fromhex("0123456789abcdef" * 4))


class SolanaSigner:
    """A Solana wallet that knows one message, and its recorded signature."""

    address: str = VECTORS["solana_address"]

    def sign_in(self, message: SignInMessage) -> str:
        recorded: dict[str, str] = VECTORS["siwx"]["venice_solana"]["payload"]
        assert recorded["message"] == message.text()
        return recorded["signature"]


def result_of(exchange: Exchange[T]) -> T:
    """What a conversation without any step comes to."""
    with pytest.raises(StopIteration) as done:
        next(exchange)
    result: T = done.value.value
    return result


def signed_in(venice: Venice) -> Credential:
    """What a sign-in now comes to."""
    return result_of(venice.sign_in(OCCASION))


def answer_of(recorded: dict[str, Any]) -> HttpResponse:
    """The response in a recorded round trip."""
    response = recorded["response"]
    body = response["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    return HttpResponse(response["status"], tuple(response["headers"].items()), text.encode())


def sent_header(recorded: dict[str, Any], name: str) -> dict[str, Any]:
    """The JSON in this header of a recorded request."""
    [value] = [value for key, value in recorded["headers"] if key.lower() == name.lower()]
    document: dict[str, Any] = json.loads(base64.b64decode(value, validate=True))
    return document


def without_times(message: str) -> str:
    """A sign-in's text without what differs from one to the next, of the same shape."""
    text = re.sub(r"Nonce: [0-9a-f]{16}\n", "Nonce: …\n", message)
    text = re.sub(r"URI: https://api\.venice\.ai/api/v1/\S+\n", "URI: …\n", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "…", text)


def paid(scenario: str, amount: Usdc) -> tuple[str, dict[str, Any]]:
    """The payment header that we send where the client paid in this scenario."""
    discovery = next(
        answer_of(recorded)
        for recorded in SCENARIOS[scenario]
        if recorded["path"].endswith("/x402/top-up")
    )
    required = VENICE.terms("", discovery, amount)
    assert isinstance(required, PaymentRequired)
    allowed = choose(candidates(required), Policy(amount, frozenset({BASE}), frozenset(), 300))
    assert isinstance(allowed, Allowed)
    candidate = allowed.candidate
    authorization = result_of(
        WALLET.authorize(
            candidate.requirements, candidate.amount, OCCASION.nonce, NOW, allowed.validity_s
        )
    )
    name, value = payment_header(
        envelope_for(required, candidate.requirements, "pay_" + "0" * 32),
        WALLET.sign(authorization),
    )
    document: dict[str, Any] = json.loads(base64.b64decode(value, validate=True))
    return name, document


@pytest.mark.parametrize(
    ("venice", "vector"),
    [
        (VENICE, "venice_evm"),
        (Venice(VENICE.upstream, SolanaSigner(), SOLANA), "venice_solana"),
    ],
)
def test_sign_in_vector(venice: Venice, vector: str) -> None:
    """Our sign-in equals the recorded one to the last byte."""
    recorded = VECTORS["siwx"][vector]

    assert ((recorded["header"], recorded["header_value"]),) == signed_in(venice).headers


@pytest.mark.parametrize("scenario", ["getBalance", "chat", "chatStream", "authFetch"])
def test_same_sign_in(scenario: str) -> None:
    """Our sign-in says what the client's says, but for its redundant time beside the text."""
    theirs = sent_header(SCENARIOS[scenario][0], "X-Sign-In-With-X")
    [(_, value)] = signed_in(VENICE).headers
    ours = json.loads(base64.b64decode(value, validate=True))

    assert theirs.keys() - {"timestamp"} == ours.keys()
    assert without_times(theirs["message"]) == without_times(ours["message"])
    assert (theirs["address"], theirs["chainId"]) == (ours["address"], ours["chainId"])
    for sent in (theirs, ours):
        message = encode_defunct(text=sent["message"])
        assert WALLET.address == Account.recover_message(message, signature=sent["signature"])


def test_no_sign_in_twice() -> None:
    """The client signs anew for every request, as we do: a retry of its has another nonce."""
    sent = [sent_header(recorded, "X-Sign-In-With-X") for recorded in SCENARIOS["chat-429-retry"]]

    assert 2 == len({sign_in["message"] for sign_in in sent})
    assert signed_in(VENICE).single_use


def test_same_balance_request() -> None:
    """The balance is read where the client reads it, and its answer is understood."""
    recorded = SCENARIOS["getBalance"][0]
    exchange = VENICE.balance(signed_in(VENICE), "")
    request = next(exchange)
    with pytest.raises(StopIteration) as done:
        exchange.send(answer_of(recorded))

    assert (recorded["method"], recorded["path"]) == (request.method, urlsplit(request.url).path)
    assert "12.5" == str(done.value.value[0].value)


def test_same_top_up_requests() -> None:
    """Credit is bought where the client buys it, by a request as empty."""
    request = VENICE.charge("", signed_in(VENICE), Usdc.parse("10.00 USDC"))

    for recorded in SCENARIOS["topUp10"]:
        assert (recorded["method"], recorded["path"]) == (
            request.method,
            urlsplit(request.url).path,
        )
        assert recorded["body"].encode() == request.body


@pytest.mark.parametrize(
    ("scenario", "amount"), [("topUp10", "10.00 USDC"), ("chat-402-autotopup", "5.00 USDC")]
)
def test_same_payment(scenario: str, amount: str) -> None:
    """Our payment is the client's but for nonce, validity and signature; and its newer name."""
    recorded = next(
        recorded
        for recorded in SCENARIOS[scenario]
        if any(name == "X-402-Payment" for name, _ in recorded["headers"])
    )
    theirs = sent_header(recorded, "X-402-Payment")
    name, ours = paid(scenario, Usdc.parse(amount))
    for sent in (theirs, ours):
        payload = sent["payload"]
        assert WALLET.address == Account.recover_message(
            typed_data(usdc_on(BASE), payload["authorization"]),
            signature=payload.pop("signature"),
        )
        for differs in ("nonce", "validAfter", "validBefore"):
            assert isinstance(payload["authorization"].pop(differs), str)

    assert "PAYMENT-SIGNATURE" == name
    assert theirs == ours


def test_same_remedy() -> None:
    """Where the client tops up and asks again, so do we; and we read what it credits."""
    refused, _, charged, _ = SCENARIOS["chat-402-autotopup"]
    request = HttpRequest("POST", f"https://api.venice.ai{refused['path']}")

    assert TopUp() == VENICE.remedy(request, answer_of(refused), OCCASION)
    assert ["22.5"] == [str(balance.value) for balance in VENICE.credited(answer_of(charged))]


@pytest.mark.parametrize("scenario", ["chat", "chatStream"])
def test_same_balance_header(scenario: str) -> None:
    """The balance that the client reads from a header is read by us."""
    [balance] = VENICE.observe(answer_of(SCENARIOS[scenario][0])).balances

    assert "4.230000" == str(balance.value)
