"""What official clients sent, byte for byte, is good at the sandbox's vendors.

The sandbox stands at the time of the recording, offers what was offered then, and knows the payer
as the chain did: so a rule of ours that an official client breaks shows up here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from solders.pubkey import Pubkey

from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.chain import Settled
from sidecar.sandbox.permits import Permit, Pull
from sidecar.sandbox.server import Sandbox
from sidecar.sandbox.solana import Expected, Tendered
from sidecar.sandbox.solana.rules import judge
from sidecar.sandbox.vendors.libertai_options import LibertaiOptions, Model, PrimaryType
from sidecar.sandbox.vendors.options import VendorOptions
from sidecar.sandbox.vendors.x402layer_options import (
    AssetForm,
    BalanceForm,
    Endpoint,
    X402LayerOptions,
)
from tests.conformance.recorded import load
from tests.unit.sandbox.client import Answer, Buyer
from tests.world.fakes import FakeClock, FakeEntropy

BASE = "eip155:8453"
PERMITS_BEFORE = 7
PAYER = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
SERVER_WALLET = "0x" + "2" * 40
RECIPIENT = "0x" + "1" * 40
LAYER_PAYEE = "0xCD95802A4aBddD75A5750DD2d6935007eF268275"


def model(primary_type: PrimaryType, *, unnamed: bool = False) -> Model:
    """A model whose quote is what it was in the recording, whatever it is asked."""
    return Model(
        input_usd=Decimal(0),
        output_usd=Decimal("1.234"),
        context_tokens=1_000,
        primary_type=primary_type,
        unnamed=unnamed,
    )


OPTIONS = SandboxOptions(
    network=BASE,
    vendors=VendorOptions(
        libertai=LibertaiOptions(
            models={
                "m-permit": model(PrimaryType.PERMIT),
                "m-twa": model(PrimaryType.TRANSFER),
                "m-default": model(PrimaryType.TRANSFER, unnamed=True),
            },
            server_wallet=SERVER_WALLET,
            recipient=RECIPIENT,
        ),
        x402layer=X402LayerOptions(
            endpoints={
                "weather-data": Endpoint(
                    pay_to=LAYER_PAYEE,
                    asset_form=AssetForm.CAIP,
                    balance_form=BalanceForm.NEW,
                    terse=True,
                )
            }
        ),
    ),
)


@asynccontextmanager
async def sandbox_at(moment_s: int) -> AsyncIterator[Buyer]:
    """A sandbox at this time, on Base, where the payer has used seven permits before."""
    clock = FakeClock(datetime.fromtimestamp(moment_s, UTC))
    sandbox = Sandbox(OPTIONS, clock, FakeEntropy())
    for nonce in range(PERMITS_BEFORE):
        used = sandbox.chain.pull(Pull(Permit(PAYER, RECIPIENT, 0, nonce, moment_s), RECIPIENT, 0))
        assert isinstance(used, Settled)
    await sandbox.start()
    try:
        async with Buyer(sandbox, clock) as buyer:
            yield buyer
    finally:
        await sandbox.stop()


# What the client that replays them sets by itself.
FRAMING = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}


async def replay(buyer: Buyer, call: dict[str, Any]) -> Answer:
    """One recorded request, as it was, at the vendor or the node that it was for."""
    headers = {name: value for name, value in call["headers"] if name.lower() not in FRAMING}
    path = "/rpc" if call["provider"] == "rpc" else f"/{call['provider']}{call['path']}"
    body = call["body"].encode() or None
    return await buyer.send(call["method"], path, body, headers)


def sent(calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The payment that the last of these requests carries."""
    headers = {name.lower(): value for name, value in calls[-1]["headers"]}
    text: str = headers["x-payment"]
    document: dict[str, Any] = json.loads(text if text.startswith("{") else base64.b64decode(text))
    return document


def paid_scenarios(name: str) -> list[Any]:
    scenarios = load(name)["scenarios"]
    return [
        pytest.param(calls, id=f"{name}-{title}")
        for title, calls in scenarios.items()
        if len(calls) > 1
    ]


@pytest.mark.parametrize(
    "calls", paid_scenarios("libertai-js.json") + paid_scenarios("libertai-py.json")
)
async def test_libertai(calls: list[dict[str, Any]]) -> None:
    """LibertAI's own clients are quoted, ask the chain, pay, and their payments settle."""
    authorization = sent(calls)["payload"]["authorization"]
    async with sandbox_at(int(authorization["validBefore"]) - 300) as buyer:
        answers = [await replay(buyer, call) for call in calls]
        buyer.clock.advance(2)
        (call,) = buyer.sandbox.vendors.libertai.calls

    assert [402, *[200] * (len(calls) - 1)] == [answer.status for answer in answers]
    assert [calls[0]["response"]["body"]["accepts"][0]["maxAmountRequired"]] == [
        entry["maxAmountRequired"] for entry in answers[0].json["accepts"]
    ]
    assert all(
        answer.json["result"] == recorded["response"]["body"]["result"]
        for answer, recorded in zip(answers, calls, strict=True)
        if recorded["provider"] == "rpc"
    )
    assert (PAYER, True) == (call.payer, call.settled)


async def test_libertai_key() -> None:
    """A real key is no payment, and is refused as it was."""
    (call,) = load("libertai-js.json")["scenarios"]["real-key-preserved"]
    async with sandbox_at(1_795_000_000) as buyer:
        answer = await replay(buyer, call)

    assert 401 == answer.status == call["response"]["status"]


async def test_x402layer() -> None:
    """x402layer's own scripts buy a package, read the balance, and use it."""
    scenarios = load("x402layer-py.json")["scenarios"]
    asked, paid = scenarios["recharge_credits"]
    valid_before = int(sent([paid])["payload"]["authorization"]["validBefore"])
    async with sandbox_at(valid_before - 3_600) as buyer:
        required = await replay(buyer, asked)
        bought = await replay(buyer, paid)
        (consumed,) = [await replay(buyer, call) for call in scenarios["consume_credits"]]
        (balance,) = [await replay(buyer, call) for call in scenarios["check_credits"]]
        settled = buyer.books.settled_total

    assert asked["response"]["body"] | {"accepts": []} == required.json | {"accepts": []}
    (entry,), (recorded,) = required.json["accepts"], asked["response"]["body"]["accepts"]
    assert recorded == entry | {"scheme": "exact"}
    assert (200, 200, 10_000) == (bought.status, consumed.status, settled.atomic)
    assert {"balance": 68} == balance.json


def test_solana() -> None:
    """The official SDK's Solana transaction keeps every rule of the ledger's."""
    calls = load("x402-openai-py.json")["scenarios"]["v2sol"]
    headers = {name.lower(): value for name, value in calls[-1]["headers"]}
    document = json.loads(base64.b64decode(headers["payment-signature"]))
    accepted = document["accepted"]
    expected = Expected(
        Pubkey.from_string(accepted["payTo"]), Pubkey.from_string(accepted["asset"]), 1_000, 1_000
    )
    fee_payer = Pubkey.from_string(accepted["extra"]["feePayer"])
    found = judge(document["payload"]["transaction"], expected, fee_payer)

    assert isinstance(found, Tendered)
    assert 1_000 == found.amount
