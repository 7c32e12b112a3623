"""Approvals in a whole service: the admin port, the webhook, the metrics and the app's answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.world.market import Market, market

CALL = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
# The last route of the market's config, and so the one that further lines belong to.
ROUTE = "seller"
WAIT_S = 20.0


def approval(more: str = "") -> str:
    """The route's rule: a person approves everything."""
    return f'    approval: {{above: "0 USDC", wait_s: 60{more}}}\n'


async def call(town: Market) -> tuple[int, str, str]:
    """One app call: its status, its rule where it was refused, and whether SDKs try again."""
    url = f"{town.url(ROUTE)}/chat/completions"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=CALL, headers=town.headers) as response:
            text = await response.text()
            rule = json.loads(text)["error"]["rule"] if response.status == 402 else ""
            return response.status, rule, response.headers.get("x-should-retry", "")


async def admin(town: Market, path: str, token: str = "") -> tuple[int, dict[str, object]]:
    """The admin port's answer: a GET, or with the token a POST."""
    url = f"http://127.0.0.1:{town.service.admin_port}{path}"
    async with aiohttp.ClientSession() as session:
        if not token:
            async with session.get(url) as response:
                return response.status, await response.json()
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(url, headers=headers) as response:
            return response.status, await response.json()


async def waiting(town: Market) -> str:
    """The id of the payment that waits, once one does."""
    async with asyncio.timeout(WAIT_S):
        while True:
            _, status = await admin(town, "/status")
            approvals = status["approvals"]
            assert isinstance(approvals, list)
            if approvals:
                return str(approvals[0]["id"])
            await asyncio.sleep(0.02)


async def test_admin_approves(tmp_path: Path) -> None:
    """Seen in the status and the metrics, approved with the admin token, then paid and served."""
    async with market(tmp_path, more=approval()) as town:
        token = (tmp_path / "admin.token").read_text().strip()
        held = asyncio.create_task(call(town))
        payment_id = await waiting(town)
        shown = (await town.metrics())[f'sidecar_approvals_waiting{{route="{ROUTE}"}}']
        presented = town.sandbox.books.presentations
        stranger, _ = await admin(town, f"/approve/{payment_id}", "no")
        approved, _ = await admin(town, f"/approve/{payment_id}", token)
        served = await held
        again, _ = await admin(town, f"/refuse/{payment_id}", token)
        samples = await town.metrics()

    assert (1, (), 401) == (shown, presented, stranger)
    assert (200, 200, 409) == (approved, served[0], again)
    assert 1 == samples[f'sidecar_approvals_total{{outcome="approved",route="{ROUTE}"}}']
    assert 0 == samples[f'sidecar_approvals_waiting{{route="{ROUTE}"}}']


async def test_admin_refuses(tmp_path: Path) -> None:
    """Refused, the app gets a 402 that no SDK repeats, and nothing was ever presented."""
    async with market(tmp_path, more=approval()) as town:
        token = (tmp_path / "admin.token").read_text().strip()
        held = asyncio.create_task(call(town))
        await admin(town, f"/refuse/{await waiting(town)}", token)
        refused = await held
        presented = town.sandbox.books.presentations

    assert (402, "approval_refused", "false") == refused
    assert () == presented


@asynccontextmanager
async def bot(answer: web.Response) -> AsyncIterator[tuple[str, list[dict[str, object]]]]:
    """A webhook on loopback, and what it was told."""
    told: list[dict[str, object]] = []

    async def hear(request: web.BaseRequest) -> web.Response:
        told.append(json.loads(await request.read()))
        return answer

    runner = web.ServerRunner(web.Server(hear))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/hook?key=1", told
    finally:
        await runner.cleanup()


async def test_webhook_approves(tmp_path: Path) -> None:
    """A webhook is told of the payment, and its answer lets it be made."""
    answer = web.json_response({"decision": "approve"})
    async with bot(answer) as (url, told):
        async with market(tmp_path, more=approval(f', webhook: "{url}"')) as town:
            served = await call(town)
            (payment,) = await town.payments()

    assert (200, 1) == (served[0], len(told))
    assert {"id": payment.id, "amount": str(payment.amount)}.items() <= told[0]["payment"].items()  # type: ignore[attr-defined]


async def test_webhook_redirects(tmp_path: Path) -> None:
    """A webhook that sends us elsewhere is not followed, and decides nothing."""
    async with bot(web.json_response({"decision": "approve"})) as (other, told):
        answer = web.Response(status=307, headers={"Location": other})
        async with bot(answer) as (url, _):
            rule = f'    approval: {{above: "0 USDC", wait_s: 1, webhook: "{url}"}}\n'
            async with market(tmp_path, more=rule) as town:
                refused = await call(town)

    assert (402, "approval_timeout") == refused[:2]
    assert [] == told


async def test_stopping(tmp_path: Path) -> None:
    """A sidecar that is stopped does not wait for anybody: the app hears that it may try again."""
    async with market(tmp_path, more=approval()) as town:
        held = asyncio.create_task(call(town))
        await waiting(town)
        await town.service.stop()
        answer = await held

    assert (503, "true") == (answer[0], answer[2])
    assert () == town.sandbox.books.presentations
