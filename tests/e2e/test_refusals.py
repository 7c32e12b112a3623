"""The six kinds of 402, and what the sidecar makes of each (providers.md 0).

Each is served as it is written here, whatever is asked; what the sidecar sent and paid, and what
the app heard, is in the table.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.service import Ports, Service, open_all
from tests.world.market import HEAD, write_secrets
from tests.world.running import TOKEN
from tests.world.switches import SWITCHES

PAYEE = "0x" + "12" * 20
USDC = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
OFFER = {
    "scheme": "exact",
    "network": "eip155:84532",
    "asset": USDC,
    "amount": "5000000",
    "payTo": PAYEE,
    "maxTimeoutSeconds": 300,
    "extra": {"name": "USDC", "version": "2"},
}
V2 = {"x402Version": 2, "error": "Payment required", "accepts": [OFFER]}
V1_OFFER = {
    **{key: OFFER[key] for key in ("scheme", "asset", "payTo", "maxTimeoutSeconds", "extra")},
    "network": "base-sepolia",
    "maxAmountRequired": "5000000",
    "resource": "http://example.com",
}
V1 = {"x402Version": 1, "error": "X-PAYMENT header is required", "accepts": [V1_OFFER]}
CHARGE = {**V2, "accepts": [{**OFFER, "amount": "1000000"}]}
VENICE = {
    "error": "Payment required",
    "code": "PAYMENT_REQUIRED",
    "reason": "insufficient_balance",
    "currentBalanceUsd": 0.04,
    "minimumBalanceUsd": 0.1,
    "suggestedTopUpUsd": 10,
    "minimumTopUpUsd": 5,
    "topUpInstructions": {"receiverWallet": PAYEE, "tokenAddress": USDC},
}
DISCOVERY = {**V2, "error": "Authentication required", "authOptions": {"apiKey": {}}}
DIEM = {**VENICE, "currentBalanceUsd": 7.5, "reason": "diem_exhausted"}
KEY_EMPTY = {"error": "Insufficient USD or Diem balance to complete request."}
KEY_LIMIT = {"error": "API key USD spend limit exceeded. Raise it in the dashboard."}
OPENROUTER = {"error": {"code": 402, "message": "Insufficient credits"}}
CREDITS = {
    "error": "Insufficient credits",
    "current_balance": 0,
    "purchase_url": "https://studio.example/pay/credits/weather",
    "credit_package": {"size": 69, "price": 5},
    "accepts": [V1_OFFER],
    "x402Version": 1,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One refusal: at whose route, as header, body or both, and what comes of it."""

    provider: str
    body: Any
    header: Any = None
    paid: str = ""  # where a payment was presented; "": nowhere
    asked: str = ""  # where terms were asked for, beside the route itself
    path: str = "/v1/chat/completions"


KINDS = {
    "1 v2 header, pay per request": Kind("pay_per_request", {}, V2, paid="/v1/chat/completions"),
    "2 v1 body, pay per request": Kind("pay_per_request", V1, paid="/v1/chat/completions"),
    "3 Venice inference": Kind("venice", VENICE, V2, asked="/v1/x402/top-up"),
    "3 Venice, not signed in": Kind("venice", DISCOVERY, DISCOVERY),
    "3 Venice, DIEM": Kind("venice", DIEM, V2),
    "4 Nodit credit": Kind("nodit", {}, CHARGE, asked="/credit/charge", path="/credit/v1/x"),
    "4 x402layer credit": Kind("x402layer", CREDITS, asked="/e/weather", path="/e/weather"),
    "5 API key, empty": Kind("venice-key", KEY_EMPTY),
    "5 API key, limit": Kind("venice-key", KEY_LIMIT),
    "5 API key, not read": Kind("venice-key", DISCOVERY, DISCOVERY),
    "5 OpenAI-compatible key": Kind("api_key", OPENROUTER),
    "5 a key's 402 with terms": Kind("api_key", V2, V2),
}
PAYMENT_HEADERS = ("PAYMENT-SIGNATURE", "X-PAYMENT")


def encoded(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


@dataclass
class Vendor:
    """Answers everything with one 402, and remembers what came."""

    kind: Kind
    seen: list[tuple[str, bool]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        paid = any(name in request.headers for name in PAYMENT_HEADERS)
        self.seen.append((request.path, paid))
        if request.path.endswith("/auth"):
            return web.json_response({"accessToken": "a.b.c"})
        if "balance" in request.path_qs:
            return web.json_response({"error": "no"}, status=500)
        headers = {"PAYMENT-REQUIRED": encoded(self.kind.header)} if self.kind.header else {}
        return web.json_response(self.kind.body, status=402, headers=headers)


@asynccontextmanager
async def serving(folder: Path, kind: Kind) -> AsyncIterator[tuple[Vendor, Service]]:
    """A vendor of this kind, and a sidecar with one route to it."""
    vendor = Vendor(kind)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", vendor.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    write_secrets(folder)
    text = HEAD.format(folder=folder, origin=origin, interval_s=3600)
    text += f"routes:\n  r:\n    upstream: {origin}\n    response_wait_s: 5\n"
    if kind.provider in ("venice-key", "api_key"):
        text += f"    provider: {kind.provider.removesuffix('-key')}\n"
        text += f"    api_key: {{file: {folder}/venice.key}}\n"
    else:
        text += f'    provider: {kind.provider}\n    wallet: main\n    max_payment: "10 USDC"\n'
        text += '    networks: ["eip155:84532"]\n    budgets: [day]\n'
    config = parse_config(text, SWITCHES, {}, folder)
    opened = open_all(config, {}, SystemEntropy())
    service = await Service.start(config, opened, lambda event: None, Ports())
    try:
        yield vendor, service
    finally:
        await service.stop()
        await runner.cleanup()


@pytest.mark.parametrize("name", KINDS)
async def test_kinds(tmp_path: Path, name: str) -> None:
    """Each kind of 402 is paid where paying mends it, and else relayed without its challenge."""
    kind = KINDS[name]
    async with serving(tmp_path, kind) as (vendor, service):
        url = f"http://127.0.0.1:{service.port}/r{kind.path}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.post(url, json={"model": "m"}) as response:
                body, answered = await response.text(), response.headers
        ledger = service._ledger
        assert ledger is not None
        rows = await ledger.payments(None, 10)

    paid_at = {path for path, paid in vendor.seen if paid}
    aside = ("balance", "auth", "rpc")
    asked_at = {path for path, _ in vendor.seen if not any(word in path for word in aside)}
    wanted = {kind.paid or kind.asked} - {""}
    assert wanted == paid_at, vendor.seen
    assert {kind.path} | wanted == asked_at, vendor.seen
    assert len(wanted) == len(rows)
    if not wanted:
        # Relayed: the app hears the vendor's own words, or ours, but never terms to pay.
        assert 402 == response.status
        assert "false" == answered["x-should-retry"]
    assert "PAYMENT-REQUIRED" not in answered
    assert "accepts" not in body
