"""What the official clients sent, beside what we send for the same challenge."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from eth_account import Account

from sidecar.chains import find_asset
from sidecar.http import HttpRequest, HttpResponse
from sidecar.policy import SCHEMES, Allowed, Policy, choose
from sidecar.providers.base import Occasion, PayInline, Provider
from sidecar.providers.libertai import LibertAI
from sidecar.providers.pay_per_request import PayPerRequest
from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.receipt import read_settlement
from sidecar.x402.select import candidates
from sidecar.x402.types import Authorization, SettlementResponse
from tests.conformance.recorded import load
from tests.conformance.test_eip712_vectors import typed_data

SCENARIOS = {
    name: scenario
    for file in ("x402-openai-py", "libertai-js", "libertai-py")
    for name, scenario in (
        (f"{file} {name}", scenario) for name, scenario in load(f"{file}.json")["scenarios"].items()
    )
}
X402 = ["x402-openai-py v1", "x402-openai-py v2"]
LIBERTAI_PERMIT = [
    "libertai-js openai/m-permit",
    "libertai-js plain-fetch/m-permit",
    "libertai-py openai/m-permit",
]
LIBERTAI_TRANSFER = [
    "libertai-js openai/m-twa",
    "libertai-js openai/m-default",
    "libertai-py openai/m-twa",
    "libertai-py openai/m-default",
    "libertai-py openai-stream/m-twa",
]
LIBERTAI = LIBERTAI_PERMIT + LIBERTAI_TRANSFER
EVERY = X402 + LIBERTAI
KEY = parse_private_key(load("vectors.json")["private_key"])
PAYER = load("vectors.json")["address"]
RPC_URL = "http://127.0.0.1:8545"
NONCE = b"\x5a" * 32
AT = datetime.fromtimestamp(1_795_224_561, UTC)


def header_of(recorded: dict[str, Any]) -> tuple[str, str] | None:
    """The payment header of a recorded request."""
    for name, value in recorded["headers"]:
        if name.lower() in ("x-payment", "payment-signature"):
            return name, value
    return None


def theirs(scenario: str) -> tuple[str, str]:
    """The payment header that the official client sent."""
    (sent,) = filter(None, map(header_of, SCENARIOS[scenario]))
    return sent


def answer_of(question: HttpRequest, scenario: str) -> HttpResponse:
    """The recorded node's answer; which block is newest it was never asked."""
    asked = json.loads(question.body)
    if asked["method"] == "eth_getBlockByNumber":
        result: object = {"number": "0x1", "timestamp": "0x1"}
    else:
        (node,) = (one for one in SCENARIOS[scenario] if one["provider"] == "rpc")
        known = json.loads(node["body"])
        assert known["params"][0]["data"] == asked["params"][0]["data"]
        assert known["params"][0]["to"].lower() == asked["params"][0]["to"]
        result = node["response"]["body"]["result"]
    return HttpResponse(200, (), json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())


def ours(scenario: str) -> tuple[str, str]:
    """The payment header that we send when we get the same 402."""
    libertai = scenario in LIBERTAI
    provider: Provider = (
        LibertAI("https://api.libertai.io/v1") if libertai else PayPerRequest("http://x")
    )
    recorded = SCENARIOS[scenario][0]["response"]
    refusal = HttpResponse(
        402, tuple(recorded["headers"].items()), json.dumps(recorded["body"]).encode()
    )
    remedy = provider.remedy(HttpRequest("POST", "http://x"), refusal, Occasion(AT, NONCE))
    assert isinstance(remedy, PayInline)
    offers = candidates(remedy.required)
    policy = Policy(
        offers[0][0].amount, frozenset({"eip155:8453"}), frozenset(), 60, frozenset(SCHEMES)
    )
    allowed = choose(offers, policy)
    assert isinstance(allowed, Allowed)
    wallet = EvmWallet(KEY, {"eip155:8453": RPC_URL})
    exchange = wallet.authorize(
        allowed.candidate.requirements, allowed.candidate.amount, NONCE, AT, allowed.validity_s
    )
    try:
        question = next(exchange)
        while True:
            question = exchange.send(answer_of(question, scenario))
    except StopIteration as done:
        authorization: Authorization = done.value
    return payment_header(
        envelope_for(remedy.required, allowed.candidate.requirements, "pay_" + "0" * 32),
        wallet.sign(authorization),
    )


def document(sent: tuple[str, str]) -> dict[str, Any]:
    """What is in a payment header; LibertAI's is not in base64."""
    text = sent[1] if sent[1].startswith("{") else base64.b64decode(sent[1], validate=True)
    content: dict[str, Any] = json.loads(text)
    return content


def shape(value: Any) -> Any:
    """The keys and types of a document, without what is in it; hexadecimal by its length."""
    match value:
        case dict():
            return {key: shape(child) for key, child in value.items()}
        case str() if value.startswith("0x"):
            return f"hex of {len(value)}"
        case str() if value.isdecimal():
            return "decimal"
        case _:
            return type(value).__name__


@pytest.mark.parametrize("scenario", EVERY)
def test_same_shape(scenario: str) -> None:
    """Our header has the official one's name, keys and types, at every level."""
    assert theirs(scenario)[0].lower() == ours(scenario)[0].lower()
    assert shape(document(theirs(scenario))) == shape(document(ours(scenario)))


@pytest.mark.parametrize("scenario", EVERY)
def test_same_words(scenario: str) -> None:
    """But for nonce, validity and signature, our header says what the official one says."""
    documents = document(theirs(scenario)), document(ours(scenario))
    for content in documents:
        del content["payload"]["signature"]
        for name in ("nonce", "validAfter", "validBefore"):
            del content["payload"]["authorization"][name]

    assert documents[0] == documents[1]


@pytest.mark.parametrize("scenario", LIBERTAI_PERMIT)
def test_same_permit(scenario: str) -> None:
    """A Permit has the chain's number where the official clients write it, and no start."""
    sent = document(theirs(scenario))["payload"]["authorization"]
    result = document(ours(scenario))["payload"]["authorization"]

    assert sent | {"validBefore": "1795224621"} == result


@pytest.mark.parametrize("scenario", LIBERTAI)
def test_plain_json(scenario: str) -> None:
    """LibertAI's header is compact JSON as it is, with its keys in the official clients' order."""
    name, value = ours(scenario)

    assert "X-PAYMENT" == name
    assert json.dumps(document((name, value)), separators=(",", ":")) == value
    keys = [json.dumps(shape(document(sent))) for sent in (theirs(scenario), (name, value))]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("scenario", EVERY)
@pytest.mark.parametrize("sent", [theirs, ours])
def test_recovers(scenario: str, sent: Callable[[str], tuple[str, str]]) -> None:
    """Either signature gives the payer back, under USDC's own domain."""
    payload = document(sent(scenario))["payload"]
    asset = find_asset("eip155:8453", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")
    assert asset is not None

    signed = typed_data(asset, payload["authorization"], permit=scenario in LIBERTAI_PERMIT)
    recovered = Account.recover_message(signed, signature=payload["signature"])

    assert PAYER == payload["authorization"]["from"] == recovered


@pytest.mark.parametrize("scenario", X402)
def test_receipt(scenario: str) -> None:
    """The recorded receipt is read."""
    headers = tuple(SCENARIOS[scenario][1]["response"]["headers"].items())

    assert SettlementResponse(True, "0x" + "ab" * 32, "eip155:8453", "") == read_settlement(headers)
