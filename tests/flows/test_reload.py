"""The config changes while money is on its way: nothing is paid twice, and nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sidecar.http import HttpRequest
from sidecar.payments.events import PaymentPosted, SignedIn
from tests.world.rereading import Rereading, pays, rereading

# Another route in the eyes of everybody: its vendor is reached in another way.
OTHER_VENICE = ("    provider: venice\n", "    provider: venice\n    connect_wait_s: 9\n")
OTHER_SELLER = (
    "    provider: pay_per_request\n",
    "    provider: pay_per_request\n    connect_wait_s: 9\n",
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Rereading]:
    async with rereading(tmp_path) as made:
        yield made


@pytest.fixture
async def app() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


def chats(request: HttpRequest) -> bool:
    return request.url.endswith("/chat/completions")


async def test_payment_goes_on(world: Rereading, app: aiohttp.ClientSession) -> None:
    """A payment that is being presented while its route changes is made once, and delivered."""
    world.turnstile.holds = pays
    asking = asyncio.ensure_future(world.ask(app, "seller", "/v1"))
    await world.turnstile.holding(1)
    told = await world.reload(OTHER_SELLER, ("100.00 USDC", "99.00 USDC"))
    world.turnstile.open()
    status, _ = await asking

    assert told.ok
    assert 200 == status
    assert 1 == len(world.sandbox.books.settlements)
    async with asyncio.timeout(10):
        # No app waits until it is on the disk.
        while not any(isinstance(event, PaymentPosted) for event in world.events):
            await asyncio.sleep(0.01)
    assert 1 == sum(isinstance(event, PaymentPosted) for event in world.events)


async def test_payment_goes_on_where_its_route_is_removed(
    world: Rereading, app: aiohttp.ClientSession
) -> None:
    """What was signed for a route that is gone is still presented, and its app is served."""
    world.turnstile.holds = pays
    asking = asyncio.ensure_future(world.ask(app, "seller", "/v1"))
    await world.turnstile.holding(1)
    await world.reload(("  seller:\n", "  renamed:\n"))
    world.turnstile.open()
    status, _ = await asking
    later, _ = await world.ask(app, "renamed", "/v1")

    assert (200, 200) == (status, later)
    assert 2 == len(world.sandbox.books.settlements)


async def test_retry_binds_over_a_reload(world: Rereading, app: aiohttp.ClientSession) -> None:
    """An app that hangs up, and asks again once the config has changed, gets what it paid for."""
    world.turnstile.holds = pays
    leaving = asyncio.ensure_future(world.ask(app, "seller", "/v1"))
    await world.turnstile.holding(1)
    leaving.cancel()
    await asyncio.wait([leaving])
    await asyncio.sleep(0.1)
    await world.reload(OTHER_SELLER)
    again = asyncio.ensure_future(world.ask(app, "seller", "/v1"))
    await asyncio.sleep(0.3)
    world.turnstile.open()
    status, _ = await again

    assert 200 == status
    assert 1 == len(world.sandbox.books.settlements)


async def test_top_up_goes_on(world: Rereading, app: aiohttp.ClientSession) -> None:
    """Credit that is being bought while its route changes is bought once for all who wait."""
    world.turnstile.holds = pays
    first = asyncio.ensure_future(world.ask(app, "venice", "/v1"))
    await world.turnstile.holding(1)
    await world.reload(OTHER_VENICE)
    second = asyncio.ensure_future(world.ask(app, "venice", "/v1"))
    await asyncio.sleep(0.5)
    held = world.turnstile.most
    world.turnstile.open()
    answers = [await first, await second]

    assert [200, 200] == [status for status, _ in answers]
    assert 1 == held == len(world.sandbox.books.settlements)


async def test_top_up_is_completed(world: Rereading, app: aiohttp.ClientSession) -> None:
    """Credit that was bought before a reload, and is first used after it, completes its top-up."""
    asked = 0

    def second_chat(request: HttpRequest) -> bool:
        nonlocal asked
        asked += chats(request)
        return asked == 2 and chats(request)

    world.turnstile.holds = second_chat
    leaving = asyncio.ensure_future(world.ask(app, "venice", "/v1"))
    await world.turnstile.holding(1)
    await world.reload(OTHER_VENICE)
    leaving.cancel()
    await asyncio.wait([leaving])
    status, _ = await world.ask(app, "venice", "/v1")
    async with asyncio.timeout(10):
        while (await world.payments())[0].delivered_at is None:
            await asyncio.sleep(0.02)

    assert 200 == status
    assert 1 == len(world.sandbox.books.settlements)


async def test_turns_are_shared(world: Rereading, app: aiohttp.ClientSession) -> None:
    """What a vendor allows in flight holds for the requests of old and new config together."""
    await world.ask(app, "venice", "/v1")
    world.turnstile.holds = chats
    calls = [asyncio.ensure_future(world.ask(app, "venice", "/v1")) for _ in range(8)]
    await world.turnstile.holding(5)
    await world.reload(OTHER_VENICE)
    calls += [asyncio.ensure_future(world.ask(app, "venice", "/v1")) for _ in range(8)]
    await asyncio.sleep(0.5)
    most = world.turnstile.most
    world.turnstile.open()
    answers = await asyncio.gather(*calls)

    assert 5 == most
    assert {200} == {status for status, _ in answers}


async def test_sign_in_is_kept(world: Rereading, app: aiohttp.ClientSession) -> None:
    """A route signs in again where the way to its vendor changes, and not for its own rules."""

    def sign_ins() -> int:
        made = (event for event in world.events if isinstance(event, SignedIn))
        return sum(event.route == "nodit" for event in made)

    call = "/base/1/evm"
    await world.ask(app, "nodit", call)
    first = sign_ins()
    await world.reload(("100.00 USDC", "99.00 USDC"))
    await world.ask(app, "nodit", call)
    kept = sign_ins()
    await world.reload(("    provider: nodit\n", "    provider: nodit\n    connect_wait_s: 9\n"))
    await world.ask(app, "nodit", call)

    assert (1, 1, 2) == (first, kept, sign_ins())


async def test_another_chain_endpoint(world: Rereading, app: aiohttp.ClientSession) -> None:
    """Wallets ask the endpoints of the new config: payments go on that need a chain's word."""
    rpc = f'"solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": {{rpc: ["{world.sandbox.url}/rpc/solana"]}}'
    asked: list[str] = []

    def notes(request: HttpRequest) -> bool:
        if b"Blockhash" in request.body:
            asked.append(request.url)
        return False

    told = await world.reload((rpc, rpc.replace("127.0.0.1", "localhost")))
    world.turnstile.holds = notes
    status, _ = await world.ask(app, "venice-sol", "/v1")

    assert told.ok
    assert 200 == status
    assert [True] * len(asked) == ["localhost" in url for url in asked]
    assert asked


async def test_nothing_of_a_bad_config(world: Rereading, app: aiohttp.ClientSession) -> None:
    """What turns out to be wrong only when it is built changes nothing either."""
    upstream, nowhere = f"{world.sandbox.url}/nodit", "https://unreachable.example"
    told = await world.reload(("100.00 USDC", "0.01 USDC"), (upstream, nowhere))
    paid = [(await world.ask(app, "seller", "/v1"))[0] for _ in range(2)]

    # There are two routes to it.
    assert (f"HTTPS_PROXY: no way to {nowhere}",) * 2 == told.mistakes
    assert [200, 200] == paid
    assert [] == world.log.levels
