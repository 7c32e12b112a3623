"""A seller that changes its payee, or its price, gets nothing signed; counted at the seller."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from sidecar.http import HttpRequest, read_whole
from sidecar.money import Usdc
from sidecar.payments.events import PaymentDenied
from sidecar.payments.order import Order
from sidecar.payments.prepaid import TopUpTerms
from sidecar.policy import Policy
from sidecar.providers.x402layer import X402Layer
from sidecar.refusal import Denied
from sidecar.sandbox.options import SandboxOptions
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import PaymentRequired
from tests.world.crash import CrashPlan
from tests.world.market import Market, market
from tests.world.seller import ORIGIN, InMemorySeller, Step
from tests.world.shop import NETWORK, Process, Served, World
from tests.world.stores import Store
from tests.world.town import Town
from tests.world.vendor import AMOUNT

BODY = b'{"model":"m","messages":[]}'
FIRST = SandboxOptions().pay_to
THIEF = "0x" + "ee" * 20


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def other_seller(world: World, **options: object) -> InMemorySeller:
    """The same origin in other hands."""
    return InMemorySeller(world.clock, replace(SandboxOptions(), **options))  # type: ignore[arg-type]


def rule_of(served: Served) -> str:
    return served.outcome.rule if isinstance(served.outcome, Denied) else ""


async def test_payee_swapped(world: World) -> None:
    """The first payee is paid again; another one gets a refusal, and nothing is signed for it."""
    thief = other_seller(world, pay_to=THIEF)
    async with world.process() as process:
        first = await process.call(BODY)
        process.upstream = thief
        swapped = await process.call(BODY)
        process.upstream = world.seller
        again = await process.call(BODY)

    assert (200, "payee_changed", 200) == (first.status, rule_of(swapped), again.status)
    assert [] == thief.presented()
    assert 2 == world.seller.settled(BODY)
    assert isinstance(swapped.outcome, Denied)
    assert FIRST.lower() in swapped.outcome.detail
    assert THIEF in swapped.outcome.detail


async def test_swapped_after_restart(world: World) -> None:
    """The next process knows whom the route is used to."""
    async with world.process() as process:
        await process.call(BODY)
    thief = other_seller(world, pay_to=THIEF)
    world.upstream = thief
    async with world.process() as process:
        swapped = await process.call(BODY)

    assert "payee_changed" == rule_of(swapped)
    assert [] == thief.presented()


async def test_forgotten(world: World) -> None:
    """Once a person forgets the pin, the new payee is paid, and is the one from then on."""
    moved = other_seller(world, pay_to=THIEF)
    async with world.process() as process:
        await process.call(BODY)
        await process.ledger.forget_pins("seller")
        process.upstream = moved
        there = await process.call(BODY)
        process.upstream = world.seller
        back = await process.call(BODY)

    assert (200, "payee_changed") == (there.status, rule_of(back))
    assert (1, 1) == (moved.settled(BODY), world.seller.settled(BODY))


async def test_config_names_the_payees(world: World) -> None:
    """Where the config names payees, each of them is paid and no other, whoever came first."""
    moved, thief = other_seller(world, pay_to=THIEF), other_seller(world, pay_to="0x" + "dd" * 20)
    both = frozenset({FIRST.lower(), THIEF})
    policy = Policy(Usdc(100_000), frozenset({NETWORK}), both)
    async with world.process() as process:
        answers = []
        for upstream in (world.seller, moved, thief):
            process.upstream = upstream
            order = process.order(BODY)
            order.route = replace(order.route, policy=policy)
            answers.append(await serve(process, order, upstream))
        pins = await process.ledger.pins()

    assert ["paid", "paid", "pay_to"] == answers
    assert () == pins
    assert [] == thief.presented()


async def serve(process: Process, order: Order, seller: InMemorySeller) -> str:
    """Pay this order to this seller; ``paid``, or the rule by which it was not."""
    outcome = await process.purchases.pay(order, await terms_of(order, seller))
    if isinstance(outcome, Denied):
        return outcome.rule
    await process.payer.delivered(outcome.payment)
    return "paid"


async def terms_of(order: Order, seller: InMemorySeller) -> PaymentRequired:
    reply = await seller.send(order.request, wait_s=1)
    terms = read_payment_required(await read_whole(reply, 1_000_000))
    assert terms is not None
    return terms


async def test_in_doubt_keeps_its_payee(world: World) -> None:
    """A payment in doubt is presented as it was signed, whatever the new terms name."""
    world.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        order = process.order(BODY)
        swapped = await terms_of(order, other_seller(world, pay_to=THIEF))
        outcome = await process.purchases.pay(order, swapped)

    assert not isinstance(outcome, Denied)
    assert 1 == len(set(world.seller.presented()))
    assert 1 == world.seller.settled(BODY)


def at(slug: str) -> HttpRequest:
    return HttpRequest("POST", f"{ORIGIN}/e/{slug}?x=1", (), slug.encode())


async def test_endpoints_apart(world: World) -> None:
    """At x402layer each endpoint has a payee of its own, and keeps it."""
    place_of = X402Layer(ORIGIN, "0x" + "11" * 20, NETWORK).account_of
    thief = other_seller(world, pay_to=THIEF)
    async with world.process() as process:

        async def pay(slug: str, seller: InMemorySeller) -> str:
            process.upstream = seller
            order = process.order(slug.encode())
            order.request = at(slug)
            order.route = replace(order.route, place_of=place_of)
            return await serve(process, order, seller)

        answers = [
            await pay("weather", world.seller),
            await pay("news", thief),
            await pay("weather", thief),
            await pay("news", world.seller),
        ]
        places = [pin.place for pin in await process.ledger.pins()]

    assert ["paid", "paid", "payee_changed", "payee_changed"] == answers
    assert ["news", "weather"] == places


async def test_twenty_payees_at_once(world: World) -> None:
    """Twenty calls in two processes meet two payees at once: all that is paid goes to one."""
    thief = other_seller(world, pay_to=THIEF)
    async with world.process() as one, world.process() as two:
        two.upstream = thief
        await asyncio.gather(
            *(process.call(b"%d" % n) for n in range(10) for process in (one, two))
        )

    paid = (len(world.seller.books.settlements), len(thief.books.settlements))
    assert [0, 10] == sorted(paid)


async def test_top_up_payee(store: Store) -> None:
    """The payee of top-ups is pinned too, and apart from that of requests."""
    town = Town(store)
    async with town.process() as process:
        app = town.app(process)
        await app.call()
        await process.tasks.drain(1)
        town.vendor.credit = Decimal(0)
        process.clock.advance(1)
        honest, town.vendor.seller = town.vendor.seller, other_seller(town, pay_to=THIEF)
        thief = town.vendor.seller
        thief.options = honest.options
        answer = await app.call()
        (pin,) = await process.ledger.pins()

    assert "payee_changed" == answer
    assert 1 == len(honest.books.settlements)
    assert [] == thief.presented()
    assert ("tab", "top_up", FIRST.lower()) == (pin.route, pin.purpose, pin.pay_to)


async def test_low_water_denied(store: Store) -> None:
    """A top-up that nobody waits for is counted where it is refused."""
    town = Town(store)
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, wait_s=5, low_water=Decimal(20)))
        await process.ledger.freeze(process.clock.now())
        await app.balances.read(app.route.source, "")
        await process.tasks.drain(1)

    denied = [event for event in process.events if isinstance(event, PaymentDenied)]
    assert [("tab", "", "frozen")] == [
        (each.route, each.caller, each.denied.rule) for each in denied
    ]
    assert 0 == town.vendor.paid


async def prices(world: World, *amounts: int, days: int = 0) -> list[str]:
    """Calls at these prices, so many days apart, on a route with a limit of three times."""
    answers = []
    async with world.process(max_payment=Usdc(10_000_000)) as process:
        for number, amount in enumerate(amounts):
            seller = other_seller(world, price=Usdc(amount))
            process.upstream = seller
            order = process.order(b"%d" % number)
            order.route = replace(order.route, price_jump_max=Decimal(3))
            # A query does not make it another place.
            request = replace(order.request, url=f"{order.request.url}?n={number}")
            order.request = request
            answer = await serve(process, order, seller)
            assert (answer == "paid") == (len(seller.presented()) == 1)
            answers.append(answer)
            world.clock.advance(86_400 * days)
    return answers


async def test_price_spike(world: World) -> None:
    """A price that jumps over the limit is refused, and nothing is signed; the usual is paid."""
    assert ["paid", "price_jump", "paid", "paid"] == await prices(world, 1_000, 3_001, 3_000, 1_000)


async def test_price_walk(world: World) -> None:
    """A price that creeps up every day is stopped where a jump would have been."""
    answers = await prices(world, 1_000, 2_000, 3_000, 3_001, 2_999, days=1)

    assert ["paid", "paid", "paid", "price_jump", "paid"] == answers


async def test_delivered_before_it_reserves(world: World) -> None:
    """A keyed call whose twin is paid and delivered while it is about to pay buys nothing."""
    started, looked = asyncio.Event(), asyncio.Event()

    def slowly(plan: CrashPlan) -> Callable[..., object]:
        call = plan.call

        async def wait(name: str, method: object, *args: object, **kw: object) -> object:
            if name == "ledger.reserve":
                started.set()
                await looked.wait()
            return await call(name, method, *args, **kw)  # type: ignore[arg-type]

        return wait

    plan = CrashPlan()
    plan.call = slowly(plan)  # type: ignore[method-assign, assignment]
    async with world.process() as one, world.process(plan) as two:
        late = asyncio.create_task(two.call(BODY, idempotency_key="key"))
        await started.wait()
        first = await one.call(BODY, idempotency_key="key")
        looked.set()
        second = await late

    assert (200, 200) == (first.status, second.status)
    assert 1 == world.seller.settled(BODY)
    assert 1 == len(set(world.seller.presented()))


async def post(town: Market, path: str) -> tuple[int, str]:
    """One app call at x402layer: its status, and the rule that refused it."""
    async with aiohttp.ClientSession() as session:
        url = town.url("x402layer", path)
        async with session.post(url, json={}, headers=town.headers) as response:
            answer = await response.json()
            return response.status, answer["error"]["rule"] if response.status == 402 else ""


async def test_service_pins_endpoints(tmp_path: Path) -> None:
    """A whole service pins each endpoint of x402layer, by purpose; a swapped payee is counted."""
    async with market(tmp_path) as town:
        statuses = [(await post(town, path))[0] for path in ("/e/plain", "/e/direct")]
        ledger = town.service._ledger
        assert ledger is not None
        pins = [(pin.purpose, pin.place) for pin in await ledger.pins()]
        # As if somebody else had been the first.
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
            connection.execute("UPDATE pins SET pay_to = ?", (THIEF,))
        paid = len(await town.payments())
        swapped = await post(town, "/e/direct")
        still = len(await town.payments())
        samples = await town.metrics()

    assert [200, 200] == statuses
    assert [("request", "direct"), ("top_up", "plain")] == pins
    assert (402, "payee_changed") == swapped
    assert paid == still
    assert 1 == samples['sidecar_policy_denials_total{route="x402layer",rule="payee_changed"}']
