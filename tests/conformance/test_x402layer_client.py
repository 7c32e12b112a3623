"""What x402layer's official scripts sent, beside what we send for the same challenge."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from eth_account import Account

from sidecar.chains import usdc_on
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.policy import Allowed, Policy, choose
from sidecar.providers.base import Credential, Occasion, TopUp
from sidecar.providers.x402layer import X402Layer
from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.select import candidates
from sidecar.x402.types import Authorization, PaymentRequired
from tests.conformance.recorded import load
from tests.conformance.test_eip712_vectors import typed_data

RECORDED = load("x402layer-py.json")
SCENARIOS = RECORDED["scenarios"]
WALLET = EvmWallet(parse_private_key(load("vectors.json")["private_key"]))
LAYER = X402Layer("https://api.x402layer.cc", WALLET.address, "eip155:8453")
SLUG = "weather-data"
AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def credential() -> Credential:
    with pytest.raises(StopIteration) as done:
        next(LAYER.sign_in(Occasion(AT, bytes(32))))
    found: Credential = done.value.value
    return found


def theirs() -> tuple[HttpRequest, dict[str, Any]]:
    """The purchase that the official script paid, and its payment."""
    call = SCENARIOS["recharge_credits"][1]
    headers = tuple((name, value) for name, value in call["headers"])
    value = next(value for name, value in headers if name.lower() == "x-payment")
    document: dict[str, Any] = json.loads(base64.b64decode(value, validate=True))
    return HttpRequest(call["method"], f"https://api.x402layer.cc{call['path']}", headers), document


def refusal() -> HttpResponse:
    """The recorded 402 to a purchase."""
    body = SCENARIOS["recharge_credits"][0]["response"]["body"]
    return HttpResponse(402, (), json.dumps(body).encode())


def ours() -> tuple[HttpRequest, dict[str, Any]]:
    """The purchase that we pay when we get the same 402, and its payment."""
    amount = Usdc(1_000_000)
    charge = LAYER.charge(SLUG, credential(), amount)
    terms = LAYER.terms(SLUG, refusal(), amount)
    assert isinstance(terms, PaymentRequired)
    allowed = choose(candidates(terms), Policy(amount, frozenset({"eip155:8453"}), frozenset()))
    assert isinstance(allowed, Allowed)
    chosen = allowed.candidate
    exchange = WALLET.authorize(
        chosen.requirements, chosen.amount, b"\x5a" * 32, AT, allowed.validity_s
    )
    with pytest.raises(StopIteration) as done:
        next(exchange)
    authorization: Authorization = done.value.value
    envelope = envelope_for(terms, chosen.requirements, "pay_" + "0" * 32)
    header = payment_header(envelope, WALLET.sign(authorization))
    document: dict[str, Any] = json.loads(base64.b64decode(header[1], validate=True))
    return charge.with_headers(header), document


def test_same_wallet() -> None:
    """The recorded requests are of the wallet whose key we have."""
    assert RECORDED["wallet"] == WALLET.address


def test_same_purchase() -> None:
    """Our purchase goes to the same place, with the same two headers."""
    for request, _ in (theirs(), ours()):
        headers = {name.lower(): value for name, value in request.headers}

        assert f"https://api.x402layer.cc/e/{SLUG}?action=purchase" == request.url
        assert "GET" == request.method
        assert WALLET.address == headers["x-wallet-address"]
        assert "x-payment" in headers


def test_same_payment() -> None:
    """But for nonce, validity and signature, our payment says what theirs says, as it does."""
    documents = [theirs()[1], ours()[1]]
    lengths = []
    for document in documents:
        authorization = document["payload"]["authorization"]
        lengths.append((len(document["payload"].pop("signature")), len(authorization.pop("nonce"))))
        assert authorization.pop("validBefore").isdecimal()

    assert lengths[0] == lengths[1]
    assert documents[0] == documents[1]


@pytest.mark.parametrize("sent", [theirs, ours])
def test_recovers(sent: Any) -> None:
    """Either signature gives the payer back, under USDC's own domain."""
    payload = sent()[1]["payload"]
    recovered = Account.recover_message(
        typed_data(usdc_on("eip155:8453"), payload["authorization"]),
        signature=payload["signature"],
    )

    assert WALLET.address == recovered


def test_same_balance() -> None:
    """Where the documented path is gone, the balance is asked for as the script does."""
    call = SCENARIOS["check_credits"][0]
    exchange = LAYER.balance(credential(), SLUG)
    next(exchange)
    request = exchange.send(HttpResponse(404))
    with pytest.raises(StopIteration) as done:
        exchange.send(HttpResponse(200, (), json.dumps(call["response"]["body"]).encode()))

    assert f"https://api.x402layer.cc{call['path']}" == request.url
    assert call["method"] == request.method
    assert [(4500, "credits")] == [(found.value, found.unit) for found in done.value.value]


def test_same_consumption() -> None:
    """A request that uses credits carries the same one header, and its 402 asks for more."""
    call = SCENARIOS["consume_credits"][0]
    request = HttpRequest(call["method"], f"https://api.x402layer.cc{call['path']}")

    assert set(credential().headers) <= {(name, value) for name, value in call["headers"]}
    remedy = LAYER.remedy(request, refusal(), Occasion(AT, bytes(32)))
    assert TopUp(SLUG) == remedy
