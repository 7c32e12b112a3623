"""``sidecar.payments.by_hand``: a person buys credit, and every rule for top-ups holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from sidecar.money import Usdc
from sidecar.payments.by_hand import Bought, ByHand, NotForSale
from sidecar.payments.events import TopUpsStopped
from sidecar.payments.order import InDoubt
from sidecar.payments.prepaid import TopUpTerms
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from tests.world.seller import Step
from tests.world.town import Town
from tests.world.vendor import AMOUNT, PURSE, App, Tab


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path / "ledger.db")


def by_hand(app: App) -> ByHand:
    process = app.process
    return ByHand({"tab": app.route}, app.topups, process.books, app.balances, process.watched)


@dataclass(frozen=True, slots=True)
class Endpoints(Tab):
    """A vendor with credit by the endpoint; none of them is known beforehand."""

    @property
    def accounts(self) -> tuple[str, ...]:
        return ()


def of_endpoints(app: App) -> ByHand:
    return replace(by_hand(app), routes={"tab": replace(app.route, provider=Endpoints())})


async def test_bought(town: Town) -> None:
    """Credit is bought though there is plenty, and what there is now is told."""
    town.vendor.credit = Decimal(100)
    async with town.process() as process:
        bought = await by_hand(town.app(process)).buy("tab", "")

    assert isinstance(bought, Bought)
    assert (1, AMOUNT) == (town.vendor.paid, bought.payment.amount)
    assert (Balance(Decimal(110), "usd", can_consume=True),) == bought.balances


async def test_twice(town: Town) -> None:
    """What is bought by hand is complete once its credit came: another can be bought."""
    async with town.process() as process:
        app = town.app(process)
        first = await by_hand(app).buy("tab", "")
        await process.tasks.drain(1)
        process.clock.advance(1)
        second = await by_hand(app).buy("tab", "")

    assert isinstance(first, Bought)
    assert isinstance(second, Bought)
    assert (2, False) == (town.vendor.paid, first.payment.id == second.payment.id)


async def test_at_once(town: Town) -> None:
    """Two people who buy at one moment, and an app that wants credit then: one top-up."""
    async with town.process() as process:
        app = town.app(process)
        hands = by_hand(app)
        first, second, _ = await asyncio.gather(
            hands.buy("tab", ""), hands.buy("tab", ""), app.call()
        )

    assert 1 == town.vendor.paid
    assert isinstance(first, Bought)
    assert isinstance(second, Bought)
    assert first.payment.id == second.payment.id


async def test_without_a_balance(town: Town) -> None:
    """A vendor that tells no balance is paid once: then its credit has to be seen."""
    town.vendor.mute = True
    async with town.process() as process:
        app = town.app(process)
        first = await by_hand(app).buy("tab", "")
        second = await by_hand(app).buy("tab", "")
        stopped = [event for event in process.events if isinstance(event, TopUpsStopped)]

    assert isinstance(first, Bought)
    assert () == first.balances
    assert isinstance(second, Denied)
    assert (1, "top_up_unproven", []) == (town.vendor.paid, second.rule, stopped)
    assert "was paid and no request was served by it yet" in second.detail


async def test_budget(town: Town) -> None:
    """The route's budgets hold for who buys by hand."""
    async with town.process() as process:
        app = town.app(process, budgets=(replace(PURSE, limit=Usdc(AMOUNT.atomic - 1)),))
        refused = await by_hand(app).buy("tab", "")

    assert isinstance(refused, Denied)
    assert (0, "budget") == (town.vendor.paid, refused.rule)


async def test_hourly_maximum(town: Town) -> None:
    """So does the most that an account may have within an hour."""
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, hourly_max=1, wait_s=5))
        await by_hand(app).buy("tab", "")
        await process.tasks.drain(1)
        process.clock.advance(1)
        refused = await by_hand(app).buy("tab", "")

    assert isinstance(refused, Denied)
    assert (1, "top_up_rate") == (town.vendor.paid, refused.rule)


async def test_frozen(town: Town) -> None:
    """Nothing is bought while payments are frozen, and the vendor is not asked."""
    async with town.process() as process:
        await process.ledger.freeze(process.clock.now())
        refused = await by_hand(town.app(process)).buy("tab", "")

    assert isinstance(refused, Denied)
    assert (0, "frozen", []) == (town.vendor.paid, refused.rule, town.vendor.seller.sent)


async def test_in_doubt(town: Town) -> None:
    """A charge whose answer is lost is in doubt, and the next is the same payment."""
    town.vendor.seller.steps.extend([Step("reset")] * 3)
    async with town.process() as process:
        app = town.app(process)
        first = await by_hand(app).buy("tab", "")
        second = await by_hand(app).buy("tab", "")

    assert isinstance(first, InDoubt)
    assert isinstance(second, Bought)
    assert (1, first.payment.id) == (town.vendor.paid, second.payment.id)


async def test_paid_before_a_restart(town: Town) -> None:
    """What an earlier process paid and did not see through is taken up, not bought again."""
    town.vendor.mute = True
    async with town.process() as process:
        await by_hand(town.app(process)).buy("tab", "")
    town.vendor.mute = False
    async with town.process() as process:
        told = await by_hand(town.app(process)).buy("tab", "")

    assert isinstance(told, Denied)
    assert (1, "top_up_wait") == (town.vendor.paid, told.rule)


async def test_nothing_was_needed(town: Town) -> None:
    """Who comes while a low balance is looked into, and it was none, hears that he bought none."""
    town.vendor.credit = Decimal(50)
    async with town.process() as process:
        app = town.app(process, terms=TopUpTerms(AMOUNT, wait_s=5, low_water=Decimal(1)))
        app.balances.observe("tab", "", (Balance(Decimal(0), "usd", can_consume=False),))
        told = await by_hand(app).buy("tab", "")

    assert isinstance(told, Denied)
    assert (0, "top_up_wait") == (town.vendor.paid, told.rule)


async def test_not_for_sale(town: Town) -> None:
    """What has no account, or not the one that is named, is not sold; it says what is."""
    async with town.process() as process:
        app = town.app(process)
        told = [
            await by_hand(app).buy("other", ""),
            await by_hand(app).buy("tab", "weather"),
            await of_endpoints(app).buy("tab", ""),
        ]

    assert 0 == town.vendor.paid
    assert [
        NotForSale("no route other buys credit; those that do: tab"),
        NotForSale("route tab has no account weather"),
        NotForSale("route tab has credit by the endpoint: name one as the account"),
    ] == told


async def test_named_endpoint(town: Town) -> None:
    """An endpoint that is named is an account of its own."""
    async with town.process() as process:
        app = town.app(process)
        bought = await of_endpoints(app).buy("tab", "weather")

    assert isinstance(bought, Bought)
    assert 1 == town.vendor.paid
