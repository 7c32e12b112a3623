"""While it is frozen, nothing that could move money leaves; counted at the seller."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import aiohttp
import pytest

from sidecar.ledger import sqlite_desk
from sidecar.ledger.model import PaymentState
from sidecar.payments.order import InDoubt
from sidecar.refusal import Denied
from tests.world.market import Market, market
from tests.world.running import TOKEN
from tests.world.seller import Step
from tests.world.shop import Served, World
from tests.world.stores import Store
from tests.world.town import Town

BODY = b'{"model":"m","messages":[]}'
CALL = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def rule_of(served: Served) -> str:
    return served.outcome.rule if isinstance(served.outcome, Denied) else ""


async def test_nothing_new(world: World) -> None:
    """A running process signs nothing from the freeze on, and pays again after it."""
    async with world.process() as process:
        world.store.desk().freeze(world.clock.now())
        frozen = await process.call(BODY)
        rows = await process.ledger.payments(None, 10)
        presented = len(world.seller.presented())
        world.store.desk().unfreeze()
        thawed = await process.call(BODY)

    assert ("frozen", 200) == (rule_of(frozen), thawed.status)
    assert ((), 0) == (rows, presented)
    assert 1 == world.seller.settled(BODY)


async def test_frozen_before_the_first_start(world: World) -> None:
    """A freeze before there is a ledger holds for the first process that comes."""
    world.store.desk().freeze(world.clock.now())
    async with world.process() as process:
        frozen = await process.call(BODY)

    assert "frozen" == rule_of(frozen)
    assert [] == world.seller.presented()


async def test_in_doubt_waits(world: World) -> None:
    """What is in doubt is not presented again, across restarts; after the freeze it is."""
    world.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with world.process() as process:
        await process.call(BODY)
        await process.ledger.freeze(world.clock.now())
        frozen = await process.call(BODY)
    async with world.process() as process:
        restarted = await process.call(BODY)
        presented = len(world.seller.presented())
        await process.ledger.unfreeze()
        thawed = await process.call(BODY)

    assert ("frozen", "frozen", 200) == (rule_of(frozen), rule_of(restarted), thawed.status)
    assert 3 == presented
    assert 1 == len(set(world.seller.presented()))
    assert 1 == world.seller.settled(BODY)


async def test_between_presentations(world: World) -> None:
    """A freeze that comes between two presentations of one payment stops the second."""
    world.seller.steps.extend([Step("hang", settles=False)] * 3)
    async with world.process() as process:
        sleep = world.clock.sleep

        async def freeze_and_sleep(duration_s: float) -> None:
            if duration_s:
                await process.ledger.freeze(world.clock.now())
            await sleep(duration_s)

        world.clock.sleep = freeze_and_sleep  # type: ignore[method-assign]
        served = await process.call(BODY)

    assert isinstance(served.outcome, InDoubt)
    assert 1 == len(world.seller.presented())


async def test_before_the_writing_down(world: World) -> None:
    """A freeze that comes while the wallet thinks costs nothing: the reservation is dropped."""
    async with world.process() as process:
        reserve = process.ledger.reserve

        async def reserve_and_freeze(*terms: object) -> object:
            made = await reserve(*terms)  # type: ignore[arg-type]
            await process.ledger.freeze(world.clock.now())
            return made

        process.ledger.reserve = reserve_and_freeze  # type: ignore[method-assign, assignment]
        served = await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)

    assert "frozen" == rule_of(served)
    assert PaymentState.VOIDED is row.state
    assert [] == world.seller.presented()


async def test_recovery_goes_on(world: World) -> None:
    """Recovery signs nothing, so it settles what is in doubt on proof during a freeze."""
    world.seller.steps.extend([Step("hang")] + [Step("hang", settles=False)] * 2)
    async with world.process() as process:
        await process.call(BODY)
        await process.ledger.freeze(world.clock.now())
        await process.recovery.run_once()
        (row,) = await process.ledger.payments(None, 10)

    assert PaymentState.POSTED is row.state


async def test_no_credit_is_bought(store: Store) -> None:
    """No credit is bought, nor terms asked for it; what there is can be used."""
    town = Town(store)
    async with town.process() as process:
        app = town.app(process)
        await process.ledger.freeze(process.clock.now())
        frozen = await app.call()
        asked = len(town.vendor.seller.sent)
        await process.ledger.unfreeze()
        thawed = await app.call()
        await process.ledger.freeze(process.clock.now())
        used = await app.call()

    assert ("frozen", "served", "served") == (frozen, thawed, used)
    assert 0 == asked
    assert 1 == town.vendor.paid


async def test_paid_top_up_waits(store: Store) -> None:
    """A top-up that an earlier process paid is taken up once the freeze is over."""
    town = Town(store)
    town.vendor.mute = True
    async with town.process() as process:
        await town.app(process).topups.ensure("tab", "", "app", process.watched.mark_s())
        await process.ledger.freeze(process.clock.now())
    town.vendor.mute = False
    async with town.process() as process:
        app = town.app(process)
        await app.topups.resume()
        await process.ledger.unfreeze()
        served = await app.call()
        await process.tasks.drain(1)

    assert "served" == served
    assert 1 == town.vendor.paid


async def ask(market: Market, path: str, token: str = "", method: str = "POST") -> tuple[int, str]:
    """The admin port's answer."""
    url = f"http://127.0.0.1:{market.service.admin_port}{path}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, headers=headers) as response:
            return response.status, await response.text()


async def call(market: Market, route: str) -> tuple[int, str, str]:
    """One app call: its status, its rule, and whether SDKs shall try again."""
    url = f"{market.url(route)}/chat/completions"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=CALL, headers=market.headers) as response:
            text = await response.text()
            rule = json.loads(text)["error"]["rule"] if response.status == 402 else ""
            return response.status, rule, response.headers.get("x-should-retry", "")


async def test_service(tmp_path: Path) -> None:
    """By the admin token a whole service is frozen: not ready, seen, 402 that no SDK retries."""
    async with market(tmp_path) as town:
        token_file = tmp_path / "admin.token"
        token = token_file.read_text().strip()
        refused = [(await ask(town, "/freeze", wrong))[0] for wrong in ("", "no", TOKEN)]
        before = await call(town, "seller")
        done, _ = await ask(town, "/freeze", token)
        ready, checks = await ask(town, "/readyz", method="GET")
        _, status = await ask(town, "/status", method="GET")
        frozen = [await call(town, route) for route in ("seller", "seller-sol", "venice")]
        unpaid = await call(town, "venice-key")
        shown = (await town.metrics())["sidecar_frozen"]
        settled = len(await town.payments())
        await ask(town, "/unfreeze", token)
        after = await call(town, "seller")
        gone = (await town.metrics())["sidecar_frozen"]

    assert 0o600 == stat.S_IMODE(token_file.stat().st_mode)
    assert [401] * 3 == refused
    assert ([200] * 2, 200, 503) == ([before[0], after[0]], done, ready)
    assert ["frozen"] == list(json.loads(checks)["failed"])
    assert json.loads(status)["frozen"] is not None
    assert [(402, "frozen", "false")] * 3 == frozen
    assert 200 == unpaid[0]
    assert (1, 0, 1) == (shown, gone, settled)


async def test_service_counts_refusals(tmp_path: Path) -> None:
    """Refusals of a freeze are counted by their rule."""
    async with market(tmp_path) as town:
        sqlite_desk.freeze(tmp_path / "ledger.db", town.service._ports.clock.now())
        await call(town, "seller")
        samples = await town.metrics()

    assert 1 == samples['sidecar_policy_denials_total{route="seller",rule="frozen"}']
