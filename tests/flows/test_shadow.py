"""Shadow mode: every rule is applied to live traffic, and nothing is signed; seen at the seller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.ledger.model import Budget, Payment, PaymentState, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.payments.events import PaymentPosted, PaymentRehearsed
from sidecar.refusal import Denied
from sidecar.sandbox import SandboxOptions
from tests.world.crash import CrashPlan, Killed
from tests.world.market import Market, market
from tests.world.shop import Served, World
from tests.world.stores import Store

BODY = b'{"model":"m","messages":[]}'
PRICE = SandboxOptions().price
CALL = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def rule_of(served: Served) -> str:
    return served.outcome.rule if isinstance(served.outcome, Denied) else ""


async def test_nothing_leaves(world: World) -> None:
    """What would have been paid is told and booked, and nothing was signed or presented."""
    async with world.process(shadow=True) as process:
        served = await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)
    assert isinstance(served.outcome, Denied)

    assert "shadow" == served.outcome.rule
    assert f"{PRICE} would have been paid to {row.pay_to}" in served.outcome.detail
    assert (PaymentState.POSTED, PRICE) == (row.state, row.amount)
    assert row.proof is not None
    assert "rehearsed" == row.proof.kind
    assert [] == world.seller.presented()


async def test_told(world: World) -> None:
    """It counts as rehearsed, never as spent."""
    async with world.process(shadow=True) as process:
        await process.call(BODY)
    kinds = [type(event) for event in process.events]

    assert 1 == kinds.count(PaymentRehearsed)
    assert PaymentPosted not in kinds


async def test_each_call_is_a_purchase(world: World) -> None:
    """The same call again is another purchase, as it would be had the first been served."""
    async with world.process(shadow=True) as process:
        rules = [rule_of(await process.call(BODY)) for _ in range(3)]
        rows = await process.ledger.payments(None, 10)

    assert (["shadow"] * 3, 3) == (rules, len(rows))


async def test_repeated_key(world: World) -> None:
    """A call with a key that was rehearsed is told so again, and nothing is presented for it."""
    async with world.process(shadow=True) as process:
        rules = [rule_of(await process.call(BODY, idempotency_key="one")) for _ in range(2)]

    assert ["shadow", "shadow"] == rules
    assert [] == world.seller.presented()


async def test_refused_since(world: World) -> None:
    """A rehearsed call that a rule refuses by now is refused, and nothing is presented."""
    async with world.process(shadow=True) as process:
        await process.call(BODY, idempotency_key="one")
    async with world.process(shadow=True, max_payment=Usdc(PRICE.atomic - 1)) as process:
        served = await process.call(BODY, idempotency_key="one")

    assert "max_payment" == rule_of(served)
    assert [] == world.seller.presented()


async def test_budgets_fill(world: World) -> None:
    """What was rehearsed counts, so the budget refuses what it would refuse, across restarts."""
    twice = (Budget("day", Usdc(2 * PRICE.atomic), Window.DAY),)
    rules = []
    for _ in range(3):
        async with world.process(shadow=True, budgets=twice) as process:
            rules.append(rule_of(await process.call(BODY)))

    assert ["shadow", "shadow", "budget"] == rules


async def test_policy(world: World) -> None:
    """A rule that would refuse the payment refuses it."""
    async with world.process(shadow=True, max_payment=Usdc(PRICE.atomic - 1)) as process:
        served = await process.call(BODY)
        rows = await process.ledger.payments(None, 10)

    assert ("max_payment", ()) == (rule_of(served), rows)


async def test_frozen(world: World) -> None:
    """The freeze holds here too, and leaves nothing reserved when it comes in between."""
    async with world.process(shadow=True) as process:
        reserve = process.ledger.reserve

        async def reserve_and_freeze(*terms: Any) -> Payment | Denied:
            made = await reserve(*terms)
            await process.ledger.freeze(world.clock.now())
            return made

        process.ledger.reserve = reserve_and_freeze  # type: ignore[method-assign, assignment]
        between = await process.call(BODY)
        process.ledger.reserve = reserve  # type: ignore[method-assign]
        after = await process.call(BODY)
        (row,) = await process.ledger.payments(None, 10)

    assert ("frozen", "frozen") == (rule_of(between), rule_of(after))
    assert PaymentState.VOIDED is row.state


@pytest.mark.parametrize("moment", range(1, 7))
async def test_killed(world: World, moment: int) -> None:
    """Killed before or after any of its port calls, the same call is rehearsed all the same."""
    plan = CrashPlan(moment)
    with pytest.raises(Killed):
        async with world.process(plan, shadow=True) as process:
            await process.call(BODY, idempotency_key="one call")
    async with world.process(shadow=True) as process:
        await process.recovery.run_once()
        again = await process.call(BODY, idempotency_key="one call")

    assert "shadow" == rule_of(again)
    assert [] == world.seller.presented()


async def ask(town: Market, route: str, path: str = "/v1/chat/completions") -> tuple[int, str]:
    """One app call: its status, and its rule where it was refused."""
    url = town.url(route, path)
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=CALL, headers=town.headers) as response:
            text = await response.text()
            refused = response.status == 402
            return response.status, json.loads(text)["error"]["rule"] if refused else ""


async def test_service(tmp_path: Path) -> None:
    """A whole service in shadow mode: unpaid traffic flows, nothing is signed, all is counted."""
    async with market(tmp_path, more="mode: shadow\n") as town:
        rehearsed = [await ask(town, route) for route in ("seller", "venice", "venice-sol")]
        nodit = await ask(town, "nodit", "/credit/ethereum/mainnet/json-rpc")
        unpaid = await ask(town, "venice-key")
        samples = await town.metrics()
        admin = f"http://127.0.0.1:{town.service.admin_port}/status"
        async with aiohttp.ClientSession() as session, session.get(admin) as response:
            status = await response.json()
        presented = town.sandbox.books.presentations

    assert [(402, "shadow")] * 3 == rehearsed
    assert (402, "top_up_terms") == nodit
    assert (200, "") == unpaid
    assert ("shadow", 1, ()) == (status["mode"], samples["sidecar_shadow"], presented)
    assert [] == [name for name, value in samples.items() if "spend_usdc" in name and value]
    assert 3 == sum(value for name, value in samples.items() if 'rule="shadow"' in name)


async def test_two_books(tmp_path: Path) -> None:
    """The ledger of live payments is not touched."""
    async with market(tmp_path) as town:
        await ask(town, "seller")
    before = SqliteLedger.read(tmp_path / "ledger.db", None, 10)
    async with market(tmp_path, more="mode: shadow\n") as town:
        await ask(town, "seller")
    after = SqliteLedger.read(tmp_path / "ledger.db", None, 10)
    shadow = SqliteLedger.read(tmp_path / "ledger.db.shadow", None, 10)

    assert before == after
    assert ["rehearsed"] == [row.proof.kind for row in shadow if row.proof is not None]
