"""The vendors of the seeds, through the sidecar, with clients that have never heard of x402.

Each starts with an empty balance. What the vendor counted, what the ledger holds and what the
metrics say are compared to the unit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import openai
import pytest

from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.options import VendorOptions
from tests.world.market import Market, market
from tests.world.running import TOKEN

TEN = Usdc(10_000_000)
CALL: dict[str, Any] = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Market]:
    async with market(tmp_path) as found:
        yield found


def client(place: Market, route: str) -> openai.AsyncOpenAI:
    """The stock client, pointed at a route."""
    return openai.AsyncOpenAI(base_url=place.url(route), api_key=TOKEN, max_retries=0)


def wallet(place: Market, name: str) -> str:
    """The address of a wallet of the config."""
    return place.service._opened.wallets[name].address


async def chat(app: openai.AsyncOpenAI, **call: Any) -> Any:
    """One chat completion, or its stream."""
    return await app.chat.completions.create(**call)


async def said(place: Market, route: str) -> tuple[str, str]:
    """What the stock client hears, at once and streamed."""
    async with client(place, route) as app:
        whole = await chat(app, **CALL)
        chunks = [chunk async for chunk in await chat(app, **CALL, stream=True)]
    parts = (choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    return whole.choices[0].message.content or "", "".join(parts)


async def at_once(place: Market, count: int, max_retries: int = 0) -> list[Any]:
    """What so many calls of Venice come to, all made at the same time."""
    async with client(place, "venice").with_options(max_retries=max_retries, timeout=120) as app:
        calls = (chat(app, **CALL) for _ in range(count))
        return await asyncio.gather(*calls, return_exceptions=True)


async def settled(place: Market, route: str) -> tuple[Usdc, int]:
    """What this route's payments come to in the ledger, once all are complete; and how many."""
    for _ in range(100):
        rows = [row for row in await place.payments() if row.route == route]
        if all(row.delivered_at is not None for row in rows):
            break
        await asyncio.sleep(0.02)
    return Usdc(sum(row.amount.atomic for row in rows)), len(rows)


async def sample(place: Market, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        value
        for key, value in (await place.metrics()).items()
        if key.partition("{")[0] == name and all(want in key for want in wanted)
    )


@pytest.mark.parametrize(("route", "name"), [("venice", "main"), ("venice-sol", "sol")])
async def test_venice(place: Market, route: str, name: str) -> None:
    """Venice: signed in, topped up once, served and streamed; books, ledger and metrics agree."""
    whole, streamed = await said(place, route)
    account = place.sandbox.vendors.venice.account(wallet(place, name))

    assert whole == streamed != ""
    assert TEN == account.paid
    assert (TEN, 1) == await settled(place, route)
    assert 10.0 == await sample(place, "sidecar_spend_usdc_total", route=route, purpose="top_up")
    assert 1.0 == await sample(place, "sidecar_topups_total", route=route, outcome="raised")
    cost = sum(charge.amount for charge in account.charges)
    assert float(cost) == await sample(place, "sidecar_cost_usd_total", route=route)
    assert 2 == account.served
    # Its nonces serve once: every attempt has its own.
    assert len(account.sign_ins) == len({found.nonce for found in account.sign_ins})


async def test_venice_key(place: Market) -> None:
    """Venice by API key: nothing is ever paid; balance and cost are seen."""
    whole, streamed = await said(place, "venice-key")

    assert whole == streamed != ""
    assert (Usdc(0), 0) == await settled(place, "venice-key")
    balance = await sample(place, "sidecar_provider_balance", route="venice-key", unit="usd")
    assert 9.999 == balance
    assert 0.002 == await sample(place, "sidecar_cost_usd_total", route="venice-key")


async def post(place: Market, route: str, path: str, document: Any) -> tuple[int, Any]:
    """What a plain HTTP client hears."""
    url = place.url(route, path)
    async with aiohttp.ClientSession(headers=place.headers) as session:
        async with session.post(url, json=document) as response:
            return response.status, await response.json()


@pytest.mark.parametrize(("route", "name"), [("nodit", "main"), ("nodit-sol", "sol")])
async def test_nodit(place: Market, route: str, name: str) -> None:
    """Nodit: one sign-in for many calls, credit charged once, each call deducted."""
    path = "/credit/v1/ethereum/mainnet/blockchain/getBlockByHashOrNumber"
    answers = [await post(place, route, path, {"block": "latest"}) for _ in range(3)]
    account = place.sandbox.vendors.nodit.account(wallet(place, name))

    assert [200] * 3 == [status for status, _ in answers], answers
    assert Usdc(1_000_000) == account.paid
    assert (Usdc(1_000_000), 1) == await settled(place, route)
    assert 1.0 == await sample(place, "sidecar_spend_usdc_total", route=route)
    assert (1, 3) == (len(account.sign_ins), account.served)
    assert Decimal(1_000_000 - 300) == account.balance


async def test_nodit_token_revoked(place: Market) -> None:
    """A token that is refused is replaced once, and the request goes again."""
    path = "/credit/ethereum/mainnet/json-rpc"
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    first, _ = await post(place, "nodit", path, call)
    place.sandbox.vendors.conduct.add("nodit", Misdeed.JWT_REVOKED_ONCE)
    second, _ = await post(place, "nodit", path, call)

    assert (200, 200) == (first, second)
    assert 2.0 == await sample(place, "sidecar_sign_ins_total", route="nodit", outcome="ok")


async def test_venice_sign_in_expired(place: Market) -> None:
    """A sign-in that Venice calls expired is made once more, and the request goes again."""
    await said(place, "venice")
    place.sandbox.vendors.conduct.add("venice", Misdeed.SIGN_IN_EXPIRED_ONCE)

    assert ("", "") != await said(place, "venice")


@pytest.mark.parametrize(
    ("route", "slug", "name"),
    [
        ("x402layer", "weather-data", "main"),
        ("x402layer", "plain", "main"),
        ("x402layer", "terse", "main"),
        ("x402layer", "schemeless", "main"),
        ("x402layer-sol", "solana-pack", "sol"),
    ],
)
async def test_x402layer(place: Market, route: str, slug: str, name: str) -> None:
    """x402layer: a package of credits is bought once for its endpoint, and each call takes one."""
    answers = [await post(place, route, f"/e/{slug}/today", {"n": n}) for n in range(3)]
    account = place.sandbox.vendors.x402layer.account(slug, wallet(place, name))
    package = place.sandbox.options.vendors.x402layer.endpoints[slug]

    assert [200] * 3 == [status for status, _ in answers], answers
    assert package.price == account.paid
    assert (package.price, 1) == await settled(place, route)
    assert (3, Decimal(package.package_size - 3)) == (account.served, account.balance)


async def test_x402layer_accounts(place: Market) -> None:
    """Credits belong to an endpoint: each of two is bought its own, and neither twice."""
    slugs = ["plain", "terse"] * 3
    answers = await asyncio.gather(*(post(place, "x402layer", f"/e/{slug}", {}) for slug in slugs))
    books = place.sandbox.vendors.x402layer
    top_ups = [len(books.account(slug, wallet(place, "main")).top_ups) for slug in slugs[:2]]

    assert [200] * 6 == [status for status, _ in answers]
    assert [1, 1] == top_ups


async def test_x402layer_direct(place: Market) -> None:
    """x402layer's direct endpoints are paid per request, and their receipts tell the cost."""
    answers = [await post(place, "x402layer", "/e/direct", {"n": n}) for n in range(2)]

    assert [200, 200] == [status for status, _ in answers]
    assert (Usdc(20_000), 2) == await settled(place, "x402layer")
    assert 0.02 == await sample(place, "sidecar_cost_usd_total", route="x402layer")


@pytest.mark.parametrize("model", ["m-permit", "m-twa", "m-default"])
async def test_libertai(place: Market, model: str) -> None:
    """LibertAI: each call is paid for by itself, three of them one after another."""
    call = {**CALL, "model": model, "max_tokens": 20}
    async with client(place, "libertai") as app:
        for _ in range(2):
            answer = await chat(app, **call)
            assert answer.choices[0].message.content
        usage = {"stream": True, "stream_options": {"include_usage": True}}
        streamed = [chunk async for chunk in await chat(app, **call, **usage)]
    spent, count = await settled(place, "libertai")

    assert streamed[-1].usage is not None
    assert 3 == count
    # What was signed for is what counts, whatever the vendor takes of it.
    spend = await sample(place, "sidecar_spend_usdc_total", route="libertai", purpose="request")
    assert float(spent.in_usd()) == pytest.approx(spend)
    assert place.sandbox.vendors.libertai.account(wallet(place, "main")).paid <= spent
    if model != "m-default":
        estimate = await sample(place, "sidecar_cost_estimated_usd_total", route="libertai")
        assert 0.0003 == pytest.approx(estimate)


async def test_libertai_at_once(place: Market) -> None:
    """Permits are numbered, so calls at the same time follow one another; all are served."""
    async with client(place, "libertai").with_options(timeout=60) as app:
        calls = [
            chat(
                app,
                model="m-permit",
                max_tokens=20,
                messages=[{"role": "user", "content": f"call {number}"}],
            )
            for number in range(4)
        ]
        answers = await asyncio.gather(*calls)
    rows = [row for row in await place.payments() if row.route == "libertai"]
    numbers = {row.authorization.fields["nonce"] for row in rows if row.authorization}

    assert 4 == len(answers)
    assert 4 == len(rows) == len(numbers)


@pytest.mark.parametrize("route", ["seller"])
async def test_anthropic(place: Market, route: str) -> None:
    """An unmodified Anthropic client is served on /v1/messages, at once and streamed."""
    call: dict[str, Any] = {
        "model": "sandbox",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "hi"}],
    }
    async with anthropic.AsyncAnthropic(
        base_url=place.url(route, ""), api_key=TOKEN, max_retries=0
    ) as app:
        whole = await app.messages.create(**call)
        async with app.messages.stream(**call) as stream:
            parts = [part async for part in stream.text_stream]

    assert whole.content[0].text == "".join(parts) != ""
    assert (Usdc(20_000), 2) == await settled(place, route)


async def test_a_thousand_at_once(place: Market) -> None:
    """A thousand concurrent calls on an empty account: one top-up, all served, five in flight."""
    answers = await at_once(place, 1000)
    account = place.sandbox.vendors.venice.account(wallet(place, "main"))

    assert {"ChatCompletion": 1000} == Counter(type(answer).__name__ for answer in answers)
    assert (TEN, 1000) == (account.paid, account.served)
    assert TEN.in_usd() - 1000 * Decimal("0.001") == account.balance
    assert 5 >= account.in_flight_seen


TROUBLES = {
    "slow": (Misdeed.TOP_UP_SLOW, 1, 2.0),
    "refused once": (Misdeed.TOP_UP_REFUSED, 1, 0.0),
    "409": (Misdeed.TOP_UP_409, 2, 0.0),
    "timeout": (Misdeed.TOP_UP_TIMEOUT_AFTER_SETTLE, 1, 1.0),
    "not configured": (Misdeed.TOP_UP_NOT_CONFIGURED, 2, 0.0),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_troubled_top_ups(place: Market, trouble: str) -> None:
    """However the top-up goes wrong: paid once, by one signature, and everybody is served."""
    misdeed, times, seconds = TROUBLES[trouble]
    place.sandbox.vendors.conduct.add("venice", misdeed, times=times, seconds=seconds)
    answers = await at_once(place, 20, max_retries=3)
    account = place.sandbox.vendors.venice.account(wallet(place, "main"))

    assert {"ChatCompletion": 20} == Counter(type(answer).__name__ for answer in answers)
    assert TEN == account.paid
    assert (TEN, 1) == await settled(place, "venice")


@pytest.mark.parametrize(
    "misdeed", [Misdeed.TOP_UP_TAKEN_BUT_402, Misdeed.TOP_UP_UNCREDITED, Misdeed.DIEM_402]
)
async def test_paid_and_still_refused(place: Market, misdeed: Misdeed) -> None:
    """A vendor that takes the top-up and still says 402: one payment, and an alert."""
    place.sandbox.vendors.conduct.add("venice", misdeed, times=1000)
    statuses = []
    for _ in range(3):
        faults = await at_once(place, 20)
        statuses += [getattr(fault, "status_code", 200) for fault in faults]
    account = place.sandbox.vendors.venice.account(wallet(place, "main"))

    assert not {200} & set(statuses)
    assert Usdc(10_000_000) >= account.paid
    assert 1 >= len([row for row in await place.payments() if row.route == "venice"])
    if account.paid == TEN:
        assert 1.0 == await sample(place, "sidecar_top_ups_stopped", route="venice")


async def test_low_water(tmp_path: Path) -> None:
    """Below the mark credit is bought in the background: no app ever sees a 402."""
    options = SandboxOptions()
    venice = replace(options.vendors.venice, starting_balance_usd=Decimal("1.50"))
    options = replace(options, vendors=VendorOptions(venice=venice))
    async with market(tmp_path, options, interval_s=1, low_water="2.00 USDC") as place:
        for _ in range(200):
            account = place.sandbox.vendors.venice.account(wallet(place, "main"))
            if account.paid == TEN:
                break
            await asyncio.sleep(0.05)
        await said(place, "venice")
        row = await settled(place, "venice")
        refusals = [found for found in account.refusals if found.path.endswith("completions")]

    assert (TEN, 1) == row
    assert [] == refusals
