"""What every store promises: the sentences of ``sidecar.ledger.Ledger``, one test each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.model import (
    Breaker,
    Budget,
    Change,
    PayeePin,
    Payment,
    PaymentState,
    PriceRule,
    Proof,
    Purchase,
    Spent,
    TopUpRule,
    Window,
)
from sidecar.money import ZERO, Usdc
from sidecar.refusal import BudgetUse, Denied
from tests.world.fakes import NOON
from tests.world.intents import (
    DAY,
    EXPIRED,
    HOUR,
    RECEIPT,
    SECOND,
    SERVED,
    UNSIGNED,
    authorization,
    authorized,
    intent,
    posted,
    reserved,
    row_of,
)
from tests.world.leased_store import InSqlite, LeasedStore
from tests.world.stores import Opened, PostgresStore, SqliteStore

HASHED = Purchase("one call", explicit=False)
EXPLICIT = Purchase("one call", explicit=True)
KINDS = (HASHED, EXPLICIT)
BOTH_KINDS = pytest.mark.parametrize("purchase", KINDS, ids=["hashed", "explicit"])
LATER = NOON + 5 * SECOND
TTL = timedelta(minutes=10)
SINCE = NOON - TTL


class Store(Protocol):
    """Books that several processes share, and a way to kill one."""

    async def open(self, instance: str) -> Ledger: ...

    async def kill(self, ledger: Ledger) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture(params=["sqlite", "postgres", "leased"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """The shared books of one test."""
    made: Store
    if request.param == "sqlite":
        made = Opened(SqliteStore(tmp_path / "ledger.db"))
    elif request.param == "leased":
        made = LeasedStore(tmp_path, InSqlite(tmp_path))
    else:
        made = Opened(PostgresStore(request.getfixturevalue("database"), wait_s=30.0))
    yield made
    await made.close()


@pytest.fixture
async def ledger(store: Store) -> Ledger:
    """The one process of most tests."""
    return await store.open("one")


async def use(ledger: Ledger, budget: Budget = DAY) -> tuple[int, int]:
    """What is reserved, and what is spent."""
    (used,) = await ledger.budgets([budget], NOON)
    return used.reserved.atomic, used.spent.atomic


# spending


async def test_spending(ledger: Ledger) -> None:
    """What moved, by the hour in which it was set aside, by route, caller and network."""
    await posted(ledger, "p1", amount=5)
    await posted(ledger, "p2", amount=7)
    await posted(ledger, "p3", amount=11, route="nodit")
    await posted(ledger, "p4", amount=13, network="eip155:8453")
    wanted = intent("p5", amount=17, budgets=(Budget("all", Usdc(100), Window.TOTAL),))
    await ledger.reserve(wanted, NOON + HOUR)
    await ledger.authorize("p5", authorization("p5"), NOON + HOUR)
    await ledger.post("p5", RECEIPT, NOON + 3 * HOUR)

    assert (
        Spent(NOON, "nodit", "aider", "eip155:84532", Usdc(11), 1),
        Spent(NOON, "venice", "aider", "eip155:8453", Usdc(13), 1),
        Spent(NOON, "venice", "aider", "eip155:84532", Usdc(12), 2),
        Spent(NOON + HOUR, "venice", "aider", "eip155:84532", Usdc(17), 1),
    ) == await ledger.spending(NOON - HOUR)


async def test_spending_is_what_moved(ledger: Ledger) -> None:
    """What is reserved, in doubt or voided was not spent; what was given up was."""
    await reserved(ledger, "p1", amount=1)
    await authorized(ledger, "p2", amount=2)
    await authorized(ledger, "p3", amount=4)
    await ledger.void("p3", EXPIRED, NOON + HOUR)
    await posted(ledger, "p4", amount=8)
    await ledger.give_up("p4", NOON)
    await posted(ledger, "p5", amount=16)
    await ledger.deliver("p5", NOON)
    (spent,) = await ledger.spending(NOON)

    assert (Usdc(24), 2) == (spent.amount, spent.payments)


async def test_spending_since(ledger: Ledger) -> None:
    """The hour that the moment falls in is whole, and what was before it is left out."""
    await posted(ledger, "p1")

    assert 1 == len(await ledger.spending(NOON + HOUR - SECOND))
    assert () == await ledger.spending(NOON + HOUR)


async def test_spending_of_all(store: Store) -> None:
    """What another process paid is spent too."""
    one, two = await store.open("one"), await store.open("two")
    await posted(one, "p1", amount=3)

    assert [Usdc(3)] == [spent.amount for spent in await two.spending(NOON)]


# reserve


async def test_reserve_sets_aside(ledger: Ledger) -> None:
    """Set the amount aside in every window of every budget, and write the row, in one go."""
    hour = Budget("hour", Usdc(50), Window.HOUR)

    await reserved(ledger, "p1", amount=7, budgets=(DAY, hour))

    assert (7, 0) == await use(ledger, DAY)
    assert (7, 0) == await use(ledger, hour)
    assert PaymentState.RESERVED == (await row_of(ledger, "p1")).state


async def test_reserve_returns_the_payment(ledger: Ledger) -> None:
    """Returns the new payment, RESERVED and held."""
    envelope = {"x402Version": 2, "accepted": {"extra": {"é\ud800": [1, 2.5, None, True]}}}
    wanted = intent("p1", key="one call", explicit=True, amount=3, envelope=envelope)

    made = await ledger.reserve(wanted, NOON)

    assert made == Payment(
        id="p1",
        purchase=EXPLICIT,
        state=PaymentState.RESERVED,
        route="venice",
        caller="aider",
        purpose="request",
        scheme="exact",
        network="eip155:84532",
        asset="0xusdc",
        pay_to="0xseller",
        amount=Usdc(3),
        envelope=envelope,
        authorization=None,
        proof=None,
        reserved_at=NOON,
        authorized_at=None,
        settled_at=None,
        delivered_at=None,
        closed_at=None,
        confirmed=False,
    )
    assert made == await row_of(ledger, "p1")
    await ledger.authorize("p1", authorization("p1"), NOON)
    assert await ledger.claim(EXPLICIT, LATER, SINCE) is None


async def test_whole_milliseconds(ledger: Ledger) -> None:
    """Times are kept in whole milliseconds, in UTC, and what is returned says the same."""
    odd = NOON + timedelta(microseconds=1999)

    made = await ledger.reserve(intent("p1"), odd)

    assert isinstance(made, Payment)
    assert NOON + timedelta(milliseconds=1) == made.reserved_at
    assert made == await row_of(ledger, "p1")


@BOTH_KINDS
async def test_reserve_binds_authorized(ledger: Ledger, purchase: Purchase) -> None:
    """Where an open payment became free to claim meanwhile, reserve returns that one, held."""
    terms = {"key": purchase.key, "explicit": purchase.explicit}
    await authorized(ledger, "p1", **terms)
    await ledger.release("p1")

    bound = await ledger.reserve(intent("p2", key=purchase.key, explicit=purchase.explicit), LATER)

    assert bound == await row_of(ledger, "p1")
    assert isinstance(bound, Payment)
    assert PaymentState.AUTHORIZED == bound.state
    assert (1, 0) == await use(ledger)
    assert await ledger.claim(purchase, LATER, SINCE) is None


@BOTH_KINDS
async def test_reserve_binds_posted(ledger: Ledger, purchase: Purchase) -> None:
    """A posted payment that nobody holds and nobody got is not paid for a second time."""
    await posted(ledger, "p1", key=purchase.key, explicit=purchase.explicit)
    await ledger.release("p1")

    bound = await ledger.reserve(intent("p2", key=purchase.key, explicit=purchase.explicit), LATER)

    assert isinstance(bound, Payment)
    assert ("p1", PaymentState.POSTED) == (bound.id, bound.state)
    assert (0, 1) == await use(ledger)


async def test_reserve_binds_the_free_one(ledger: Ledger) -> None:
    """Of two live hashed purchases, a third request binds to the one that was left."""
    await authorized(ledger, "p1", key="one call")
    await authorized(ledger, "p2", key="one call")
    await ledger.release("p2")

    bound = await ledger.reserve(intent("p3", key="one call"), LATER)

    assert isinstance(bound, Payment)
    assert "p2" == bound.id


async def test_explicit_in_doubt_binds_after_delivery(ledger: Ledger) -> None:
    """An explicit purchase that was served and is in doubt still is the same purchase."""
    await authorized(ledger, "p1", key="one call", explicit=True)
    await ledger.deliver("p1", NOON)

    bound = await ledger.reserve(intent("p2", key="one call", explicit=True), LATER)

    assert isinstance(bound, Payment)
    assert "p1" == bound.id


async def test_explicit_delivered_since_the_claim(ledger: Ledger) -> None:
    """An explicit purchase that was delivered after claim had looked is bound to, not bought."""
    await posted(ledger, "p1", key="one call", explicit=True)
    await ledger.deliver("p1", NOON)

    wanted = intent("p2", key="one call", explicit=True, undelivered_since=NOON)
    bound = await ledger.reserve(wanted, LATER)

    assert isinstance(bound, Payment)
    assert ("p1", NOON) == (bound.id, bound.delivered_at)
    assert (0, 1) == await use(ledger)
    busy = await ledger.reserve(wanted, LATER)
    assert isinstance(busy, Denied)
    assert "in_progress" == busy.rule


async def test_hashed_delivered_since_the_claim(ledger: Ledger) -> None:
    """A hashed purchase that was delivered is over: the same call again is another one."""
    await posted(ledger, "p1", key="one call")
    await ledger.deliver("p1", NOON)

    again = await ledger.reserve(intent("p2", key="one call", undelivered_since=NOON), LATER)

    assert isinstance(again, Payment)
    assert "p2" == again.id


async def test_explicit_posted_too_long_ago(ledger: Ledger) -> None:
    """An explicit purchase that was delivered, and posted too long ago, is bought again."""
    await posted(ledger, "p1", key="one call", explicit=True)
    await ledger.deliver("p1", LATER)

    since = NOON + timedelta(milliseconds=1)
    wanted = intent("p2", key="one call", explicit=True, undelivered_since=since)
    again = await ledger.reserve(wanted, LATER)

    assert isinstance(again, Payment)
    assert "p2" == again.id


async def test_explicit_delivered_long_ago(ledger: Ledger) -> None:
    """An explicit purchase that was delivered, and that claim found too old, is bought again."""
    await posted(ledger, "p1", key="one call", explicit=True)
    await ledger.deliver("p1", NOON)

    again = await ledger.reserve(intent("p2", key="one call", explicit=True), LATER)

    assert isinstance(again, Payment)
    assert "p2" == again.id


async def test_reserve_denied_by_budget(ledger: Ledger) -> None:
    """Denied: ``budget``, with its use, and a sentence that has everything a person needs."""
    await posted(ledger, "p1", amount=60)
    await reserved(ledger, "p2", amount=30)

    denied = await ledger.reserve(intent("p3", amount=11), NOON)

    resets_at = DAY.resets_at(NOON)
    assert Denied(
        "budget",
        'budget "day" has no room for 0.000011 USDC: 0.00006 USDC spent and 0.00003 USDC '
        "reserved of 0.0001 USDC; it starts again at 2026-11-22 00:00:00 UTC",
        BudgetUse("day", Usdc(100), spent=Usdc(60), reserved=Usdc(30), resets_at=resets_at),
    ) == (denied)


async def test_total_never_starts_again(ledger: Ledger) -> None:
    """A budget for all time says that it never starts again."""
    total = Budget("total", Usdc(1), Window.TOTAL)

    denied = await ledger.reserve(intent("p1", amount=2, budgets=(total,)), NOON)

    assert isinstance(denied, Denied)
    assert denied.detail.endswith("it never starts again")


async def test_budget_is_filled_exactly(ledger: Ledger) -> None:
    """The last unit of a budget can be reserved, and not one more."""
    await reserved(ledger, "p1", amount=99)
    await reserved(ledger, "p2", amount=1)

    assert isinstance(await ledger.reserve(intent("p3", amount=1), NOON), Denied)
    assert (100, 0) == await use(ledger)


async def test_first_payment_over_the_limit(ledger: Ledger) -> None:
    """A window that nobody has used yet has a limit too."""
    assert isinstance(await ledger.reserve(intent("p1", amount=101), NOON), Denied)
    assert (0, 0) == await use(ledger)


async def test_refusal_undoes_everything(ledger: Ledger) -> None:
    """A refusal by one budget leaves nothing in the others, and no row."""
    broad = Budget("a broad one", Usdc(100), Window.DAY)
    narrow = Budget("b narrow one", Usdc(5), Window.DAY)

    denied = await ledger.reserve(intent("p1", amount=6, budgets=(narrow, broad)), NOON)

    assert isinstance(denied, Denied)
    assert denied.budget is not None
    assert "b narrow one" == denied.budget.name
    assert (0, 0) == await use(ledger, broad)
    assert () == await ledger.payments(None, 10)


async def test_no_budget_no_payment(ledger: Ledger) -> None:
    """Empty means no: without a budget there is no payment."""
    denied = await ledger.reserve(intent("p1", budgets=()), NOON)

    assert isinstance(denied, Denied)
    assert "budget" == denied.rule
    assert () == await ledger.payments(None, 10)


async def test_budget_named_twice(ledger: Ledger) -> None:
    """A budget that the route and the caller both name counts once, with the smaller limit."""
    small = replace(DAY, limit=Usdc(10))

    await reserved(ledger, "p1", amount=10, budgets=(DAY, small))
    await reserved(ledger, "p2", amount=1, budgets=(DAY, DAY))

    assert (11, 0) == await use(ledger)
    for both in ((small, DAY), (DAY, small)):
        over = await ledger.reserve(intent("p3", amount=1, budgets=both), NOON)
        assert isinstance(over, Denied)
    await ledger.void("p1", UNSIGNED, NOON)
    assert (1, 0) == await use(ledger)


async def test_budget_is_shared(ledger: Ledger) -> None:
    """Routes and callers that name the same budget share it."""
    await reserved(ledger, "p1", amount=60, route="venice")

    assert isinstance(await ledger.reserve(intent("p2", amount=60, route="nodit"), NOON), Denied)


async def test_lowered_limit(ledger: Ledger) -> None:
    """A limit that was lowered below what is gone refuses, and says what is gone."""
    await posted(ledger, "p1", amount=60)

    denied = await ledger.reserve(
        intent("p2", amount=1, budgets=(replace(DAY, limit=Usdc(50)),)), NOON
    )

    assert isinstance(denied, Denied)
    assert denied.budget is not None
    assert (Usdc(60), ZERO) == (denied.budget.spent, denied.budget.remaining)


async def test_absurd_amount(ledger: Ledger) -> None:
    """An amount that no ledger can hold is refused, whatever the budget says."""
    endless = Budget("endless", Usdc(10**31), Window.TOTAL)

    denied = await ledger.reserve(intent("p1", amount=10**30, budgets=(endless,)), NOON)
    largest = await ledger.reserve(intent("p2", amount=10**18, budgets=(endless,)), NOON)
    another = await ledger.reserve(intent("p3", amount=10**18, budgets=(endless,)), NOON)

    assert isinstance(denied, Denied)
    assert "amount" == denied.rule
    assert isinstance(largest, Payment)
    assert isinstance(another, Denied)
    assert (10**18, 0) == await use(ledger, endless)


async def test_windows_start_again(ledger: Ledger) -> None:
    """Windows are fixed, in UTC, from the epoch: the next one starts from nothing."""
    hour = Budget("hour", Usdc(10), Window.HOUR)
    last = NOON + HOUR - timedelta(milliseconds=1)

    first = await ledger.reserve(intent("p1", amount=10, budgets=(hour,)), NOON)
    refused = await ledger.reserve(intent("p2", amount=1, budgets=(hour,)), last)
    second = await ledger.reserve(intent("p3", amount=10, budgets=(hour,)), NOON + HOUR)

    assert isinstance(first, Payment)
    assert isinstance(refused, Denied)
    assert isinstance(second, Payment)


async def test_settled_in_its_own_window(ledger: Ledger) -> None:
    """A payment is posted, or voided, in the windows in which it was reserved."""
    hour = Budget("hour", Usdc(10), Window.HOUR)
    await authorized(ledger, "p1", amount=3, budgets=(hour,))
    await reserved(ledger, "p2", amount=4, budgets=(hour,))

    await ledger.post("p1", RECEIPT, NOON + HOUR)
    await ledger.void("p2", UNSIGNED, NOON + HOUR)

    assert (0, 3) == await use(ledger, hour)
    (next_hour,) = await ledger.budgets([hour], NOON + HOUR)
    assert (ZERO, ZERO) == (next_hour.reserved, next_hour.spent)


async def test_everything_but_voided_counts(ledger: Ledger) -> None:
    """Everything but VOIDED counts against budgets."""
    await reserved(ledger, "p1", amount=1)
    await authorized(ledger, "p2", amount=2)
    await posted(ledger, "p3", amount=4)
    await reserved(ledger, "p4", amount=8)
    await ledger.void("p4", UNSIGNED, NOON)

    assert (3, 4) == await use(ledger)


BREAKER = Breaker(undelivered_max=2, window=HOUR)


async def _give_up_two(ledger: Ledger) -> None:
    for payment_id in ("p1", "p2"):
        await posted(ledger, payment_id)
        await ledger.give_up(payment_id, NOON)


async def test_breaker(ledger: Ledger) -> None:
    """Denied: ``breaker``, once this many were paid for nothing on the route in the window."""
    await posted(ledger, "p1")
    await ledger.give_up("p1", NOON)
    await reserved(ledger, "p2", breaker=BREAKER)
    await posted(ledger, "p3")
    await ledger.give_up("p3", NOON)

    denied = await ledger.reserve(intent("p4", breaker=BREAKER), NOON + HOUR)

    assert Denied(
        "breaker",
        "route venice: 2 payments within 1:00:00 were paid and never delivered; at 2 no more are "
        "made",
    ) == (denied)


async def test_breaker_of_another_route(ledger: Ledger) -> None:
    """A breaker looks at its own route only."""
    await _give_up_two(ledger)

    await reserved(ledger, "p3", breaker=BREAKER, route="nodit")


async def test_breaker_closes(ledger: Ledger) -> None:
    """A breaker closes by itself when its window has passed."""
    await _give_up_two(ledger)

    late = NOON + HOUR + timedelta(milliseconds=1)
    assert isinstance(await ledger.reserve(intent("p3", breaker=BREAKER), late), Payment)


async def test_no_breaker(ledger: Ledger) -> None:
    """A breaker of zero never refuses."""
    await _give_up_two(ledger)

    await reserved(ledger, "p3", breaker=Breaker(0, HOUR))


async def test_explicit_in_progress(ledger: Ledger) -> None:
    """Denied: ``in_progress``, an explicit purchase that is being served right now."""
    busy = Denied("in_progress", "this purchase is being served right now")
    again = intent("p2", key="one call", explicit=True)

    await reserved(ledger, "p1", key="one call", explicit=True)
    assert busy == await ledger.reserve(again, NOON)
    await ledger.authorize("p1", authorization("p1"), NOON)
    assert busy == await ledger.reserve(again, NOON)
    await ledger.post("p1", RECEIPT, NOON)
    assert busy == await ledger.reserve(again, NOON)


async def test_explicit_delivered_again(ledger: Ledger) -> None:
    """A delivered explicit purchase that is being served once more is in progress too."""
    await posted(ledger, "p1", key="one call", explicit=True)
    await ledger.deliver("p1", NOON)
    assert await ledger.claim(EXPLICIT, LATER, SINCE) is not None

    denied = await ledger.reserve(intent("p2", key="one call", explicit=True), LATER)

    assert isinstance(denied, Denied)
    assert "in_progress" == denied.rule


async def test_left_but_still_working(ledger: Ledger) -> None:
    """A reserved payment whose process lives is in progress, though the app has gone."""
    await reserved(ledger, "p1", key="one call", explicit=True)
    await ledger.release("p1")

    denied = await ledger.reserve(intent("p2", key="one call", explicit=True), LATER)

    assert isinstance(denied, Denied)
    assert "in_progress" == denied.rule


async def test_two_live_hashed_purchases(ledger: Ledger) -> None:
    """Two live requests with one hashed key are two purchases."""
    await reserved(ledger, "p1", key="one call")
    await reserved(ledger, "p2", key="one call")
    await reserved(ledger, "p3", key="one call")

    assert (3, 0) == await use(ledger)


async def test_kinds_of_purchase(ledger: Ledger) -> None:
    """An Idempotency-Key that looks like a hash is still another purchase than the hash."""
    await authorized(ledger, "p1", key="one call", explicit=True)
    await ledger.release("p1")

    assert await ledger.claim(HASHED, LATER, SINCE) is None
    await reserved(ledger, "p2", key="one call", explicit=False)


async def test_used_id(ledger: Ledger) -> None:
    """An id names one payment: a second one under it is refused and leaves no trace."""
    await reserved(ledger, "p1")

    with pytest.raises(LedgerError, match=r"(?i)unique"):
        await ledger.reserve(intent("p1", key="another"), NOON)

    assert (1, 0) == await use(ledger)


async def test_unstorable_text(ledger: Ledger) -> None:
    """A text that has no bytes is refused, and leaves no trace."""
    with pytest.raises(LedgerError, match="a text cannot be stored"):
        await ledger.reserve(intent("p1", route="\ud800"), NOON)

    assert (0, 0) == await use(ledger)


# authorize, post, void


async def test_authorize(ledger: Ledger) -> None:
    """RESERVED -> AUTHORIZED, with everything that signing it again needs."""
    made = await reserved(ledger, "p1")

    await ledger.authorize("p1", authorization("p1"), LATER)

    assert replace(
        made,
        state=PaymentState.AUTHORIZED,
        authorization=authorization("p1"),
        authorized_at=LATER,
    ) == await row_of(ledger, "p1")


async def test_post(ledger: Ledger) -> None:
    """AUTHORIZED -> POSTED: what was reserved is spent."""
    await authorized(ledger, "p1", amount=5)
    before = await row_of(ledger, "p1")

    change = await ledger.post("p1", RECEIPT, LATER)
    after = change.payment

    assert "posted" == change.made
    assert (
        replace(before, state=PaymentState.POSTED, proof=RECEIPT, settled_at=LATER, confirmed=True)
        == after
    )
    assert after == await row_of(ledger, "p1")
    assert (0, 5) == await use(ledger)


@pytest.mark.parametrize("kind", ["receipt", "served", "upfront", "chain"])
async def test_posting_proofs(ledger: Ledger, kind: str) -> None:
    """Only a bare 2xx leaves a posted payment unconfirmed."""
    payment = await posted(ledger, "p1", Proof(kind))

    assert (kind != "served") == payment.confirmed


@pytest.mark.parametrize("terminal", [RECEIPT, EXPIRED], ids=["posted", "voided"])
async def test_terminal_is_returned(ledger: Ledger, terminal: Proof) -> None:
    """A payment that is terminal already is returned as it is, by post and by void."""
    await authorized(ledger, "p1", amount=5)
    if terminal is RECEIPT:
        before = (await ledger.post("p1", terminal, NOON)).payment
    else:
        before = (await ledger.void("p1", terminal, NOON)).payment
    used = await use(ledger)

    assert Change(before, "") == await ledger.post("p1", Proof("chain", "0xother"), LATER)
    assert Change(before, "") == await ledger.post("p1", SERVED, LATER)
    assert Change(before, "") == await ledger.void("p1", Proof("canceled"), LATER)
    assert before == await row_of(ledger, "p1")
    assert used == await use(ledger)


async def test_confirm(ledger: Ledger) -> None:
    """A proof which confirms marks a posted, unconfirmed payment confirmed, and is kept."""
    before = await posted(ledger, "p1", SERVED)
    seen = Proof("chain", "0xseen")

    assert Change(before, "") == await ledger.post("p1", SERVED, LATER)
    change = await ledger.post("p1", seen, LATER)
    after = change.payment

    assert "confirmed" == change.made
    assert replace(before, confirmed=True, proof=seen) == after
    assert Change(after, "") == await ledger.post("p1", Proof("chain", "0xother"), LATER)
    assert (0, 1) == await use(ledger)


@pytest.mark.parametrize("proof", [EXPIRED, Proof("canceled", "0xcancel")])
async def test_void_authorized(ledger: Ledger, proof: Proof) -> None:
    """AUTHORIZED -> VOIDED, its amount free again."""
    await authorized(ledger, "p1", amount=100)
    before = await row_of(ledger, "p1")

    change = await ledger.void("p1", proof, LATER)
    after = change.payment

    assert "voided" == change.made
    assert replace(before, state=PaymentState.VOIDED, proof=proof, settled_at=LATER) == after
    assert after == await row_of(ledger, "p1")
    assert (0, 0) == await use(ledger)
    await reserved(ledger, "p2", amount=100)


@pytest.mark.parametrize("proof", [UNSIGNED, EXPIRED])
async def test_void_reserved(ledger: Ledger, proof: Proof) -> None:
    """RESERVED -> VOIDED: nothing was signed, so dropping it is free."""
    await reserved(ledger, "p1", amount=100)

    assert PaymentState.VOIDED == (await ledger.void("p1", proof, LATER)).payment.state
    assert (0, 0) == await use(ledger)


@pytest.mark.parametrize("kind", ["receipt", "served", "upfront", "chain", "unsigned", ""])
async def test_one_door_to_void(ledger: Ledger, kind: str) -> None:
    """Void has one door: the authorization can no longer settle. Nothing else opens it."""
    await authorized(ledger, "p1")

    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p1", Proof(kind), LATER)

    assert PaymentState.AUTHORIZED == (await row_of(ledger, "p1")).state
    assert (1, 0) == await use(ledger)


async def test_no_receipt_voids_reserved(ledger: Ledger) -> None:
    """A proof of payment does not void what was only reserved."""
    await reserved(ledger, "p1")

    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p1", RECEIPT, LATER)


@pytest.mark.parametrize("kind", ["expired", "canceled", "unsigned", ""])
async def test_posted_on_proof_only(ledger: Ledger, kind: str) -> None:
    """POSTED on proof only: what shows that it cannot move does not show that it did."""
    await authorized(ledger, "p1")

    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.post("p1", Proof(kind), LATER)

    assert [PaymentState.AUTHORIZED] == [row.state for row in await ledger.in_doubt()]
    assert (1, 0) == await use(ledger)


async def test_illegal_transitions(ledger: Ledger) -> None:
    """A step that the life of a payment does not have is refused, and changes nothing."""
    await reserved(ledger, "reserved")
    await authorized(ledger, "authorized")
    await posted(ledger, "posted")
    await reserved(ledger, "voided")
    await ledger.void("voided", UNSIGNED, NOON)
    before = await ledger.payments(None, 10)

    with pytest.raises(LedgerError, match="is reserved: it cannot become posted"):
        await ledger.post("reserved", RECEIPT, LATER)
    with pytest.raises(LedgerError, match="is reserved"):
        await ledger.deliver("reserved", LATER)
    for payment_id in ("authorized", "posted", "voided"):
        with pytest.raises(LedgerError, match=f"is {payment_id}: it cannot become authorized"):
            await ledger.authorize(payment_id, authorization(payment_id), LATER)
    for payment_id in ("reserved", "authorized", "voided"):
        with pytest.raises(LedgerError, match="not one that was paid and undelivered"):
            await ledger.give_up(payment_id, LATER)

    assert before == await ledger.payments(None, 10)


async def test_unknown_payment(ledger: Ledger) -> None:
    """A payment that is not there is a LedgerError; letting go of it is harmless."""
    with pytest.raises(LedgerError, match="there is no payment p1"):
        await ledger.authorize("p1", authorization("p1"), NOON)
    with pytest.raises(LedgerError, match="there is no payment p1"):
        await ledger.post("p1", RECEIPT, NOON)
    with pytest.raises(LedgerError, match="there is no payment p1"):
        await ledger.void("p1", EXPIRED, NOON)
    with pytest.raises(LedgerError, match="there is no payment p1"):
        await ledger.deliver("p1", NOON)
    with pytest.raises(LedgerError, match="there is no payment p1"):
        await ledger.give_up("p1", NOON)

    await ledger.release("p1")


# claim, release, deliver, give_up


@BOTH_KINDS
async def test_claim_in_doubt(ledger: Ledger, purchase: Purchase) -> None:
    """The authorized payment that a repeated request binds to, now held, however old it is."""
    await authorized(ledger, "p1", key=purchase.key, explicit=purchase.explicit)
    await ledger.release("p1")

    claimed = await ledger.claim(purchase, LATER, NOON + 365 * 24 * HOUR)

    assert claimed == await row_of(ledger, "p1")
    assert await ledger.claim(purchase, LATER, SINCE) is None


@BOTH_KINDS
async def test_claim_young_posted(ledger: Ledger, purchase: Purchase) -> None:
    """Posted ones count only if they were posted at ``undelivered_since`` or later."""
    await posted(ledger, "p1", key=purchase.key, explicit=purchase.explicit)
    await ledger.release("p1")

    assert await ledger.claim(purchase, LATER, NOON + timedelta(milliseconds=1)) is None
    assert await row_of(ledger, "p1") == await ledger.claim(purchase, LATER, NOON)


async def test_claim_nothing(ledger: Ledger) -> None:
    """None where there is nothing to bind to: a first call, or one that is only reserved."""
    assert await ledger.claim(HASHED, NOON, SINCE) is None

    await reserved(ledger, "p1", key="one call")
    await ledger.release("p1")

    assert await ledger.claim(HASHED, NOON, SINCE) is None


@BOTH_KINDS
async def test_claim_held(ledger: Ledger, purchase: Purchase) -> None:
    """Nobody holds it: what a live request holds is not claimed."""
    await authorized(ledger, "p1", key=purchase.key, explicit=purchase.explicit)
    assert await ledger.claim(purchase, LATER, SINCE) is None

    await ledger.post("p1", RECEIPT, NOON)
    assert await ledger.claim(purchase, LATER, SINCE) is None


async def test_claim_skips_the_held_one(ledger: Ledger) -> None:
    """Of two open payments, the one that nobody holds is claimed."""
    await authorized(ledger, "p1", key="one call")
    await authorized(ledger, "p2", key="one call")
    await ledger.release("p2")

    claimed = await ledger.claim(HASHED, LATER, SINCE)

    assert isinstance(claimed, Payment)
    assert "p2" == claimed.id


async def test_claim_oldest(ledger: Ledger) -> None:
    """The oldest, if there are several."""
    for payment_id in ("p1", "p2", "p3"):
        await authorized(ledger, payment_id, key="one call")
    for payment_id in ("p3", "p2", "p1"):
        await ledger.release(payment_id)

    claimed = [await ledger.claim(HASHED, LATER, SINCE) for _ in range(4)]

    found = [row.id for row in claimed if isinstance(row, Payment)]
    assert (["p1", "p2", "p3"], None) == (found, claimed[3])


async def test_claim_voided(ledger: Ledger) -> None:
    """A voided payment is nobody's any more: the next call is a new purchase."""
    await authorized(ledger, "p1", key="one call")
    await ledger.release("p1")
    await ledger.void("p1", EXPIRED, LATER)

    assert await ledger.claim(HASHED, LATER, SINCE) is None
    await reserved(ledger, "p2", key="one call")


@pytest.mark.parametrize("state", [PaymentState.AUTHORIZED, PaymentState.POSTED])
async def test_claim_delivered(ledger: Ledger, state: PaymentState) -> None:
    """For an explicit purchase a delivered one counts too; a hashed one is complete."""
    for purchase, payment_id in ((HASHED, "p1"), (EXPLICIT, "p2")):
        await authorized(ledger, payment_id, key=purchase.key, explicit=purchase.explicit)
        if state is PaymentState.POSTED:
            await ledger.post(payment_id, RECEIPT, NOON)
        await ledger.deliver(payment_id, NOON)

    assert await ledger.claim(HASHED, LATER, SINCE) is None
    assert await row_of(ledger, "p2") == await ledger.claim(EXPLICIT, LATER, SINCE)


async def test_release(ledger: Ledger) -> None:
    """Nobody is connected for this payment any more. Harmless when it is not held."""
    await authorized(ledger, "p1", key="one call")
    before = await row_of(ledger, "p1")

    await ledger.release("p1")
    await ledger.release("p1")

    assert before == await row_of(ledger, "p1")
    assert before == await ledger.claim(HASHED, LATER, SINCE)


async def test_deliver(ledger: Ledger) -> None:
    """The app has its last byte: the purchase is complete."""
    before = await posted(ledger, "p1", key="one call")

    await ledger.deliver("p1", LATER)

    assert replace(before, delivered_at=LATER) == await row_of(ledger, "p1")
    await reserved(ledger, "p2", key="one call")


async def test_deliver_in_doubt(ledger: Ledger) -> None:
    """An app that was served is complete even where nobody knows whether the money moved."""
    await authorized(ledger, "p1", key="one call")

    await ledger.deliver("p1", LATER)

    assert ["p1"] == [row.id for row in await ledger.in_doubt()]
    await reserved(ledger, "p2", key="one call")


async def test_deliver_again(ledger: Ledger) -> None:
    """Delivering an explicit purchase once more keeps the first moment, and also releases."""
    await posted(ledger, "p1", key="one call", explicit=True)
    await ledger.deliver("p1", NOON)
    first = await ledger.claim(EXPLICIT, LATER, SINCE)

    await ledger.deliver("p1", LATER)

    assert isinstance(first, Payment)
    assert NOON == first.delivered_at
    assert first == await ledger.claim(EXPLICIT, LATER, SINCE)


@pytest.mark.parametrize("proof", [RECEIPT, SERVED], ids=["receipt", "served"])
async def test_conclude_delivered(ledger: Ledger, proof: Proof) -> None:
    """Posted and delivered in one move: what was reserved is spent, and the purchase complete."""
    await authorized(ledger, "p1", key="one call", amount=5)
    before = await row_of(ledger, "p1")

    change = await ledger.conclude("p1", proof, LATER, delivered=True)

    posted_row = replace(
        before,
        state=PaymentState.POSTED,
        proof=proof,
        settled_at=LATER,
        confirmed=proof is RECEIPT,
    )
    assert "posted" == change.made
    assert posted_row == replace(change.payment, delivered_at=None)
    assert replace(posted_row, delivered_at=LATER) == await row_of(ledger, "p1")
    assert (0, 5) == await use(ledger)
    assert () == await ledger.in_doubt()
    await reserved(ledger, "p2", key="one call")


@pytest.mark.parametrize("price", [None, PriceRule("POST /", Decimal(2))], ids=["", "priced"])
async def test_conclude_undelivered(ledger: Ledger, price: PriceRule | None) -> None:
    """Posted and let go of in one move: the app's retry binds to it."""
    await authorized(ledger, "p1", key="one call", amount=5, price=price)

    change = await ledger.conclude("p1", RECEIPT, LATER, delivered=False)

    assert ("posted", None) == (change.made, change.payment.delivered_at)
    assert change.payment == await row_of(ledger, "p1")
    assert (0, 5) == await use(ledger)
    assert change.payment == await ledger.claim(HASHED, LATER, SINCE)


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("terminal", [RECEIPT, EXPIRED], ids=["posted", "voided"])
async def test_conclude_terminal(ledger: Ledger, terminal: Proof, delivered: bool) -> None:
    """What was settled meanwhile stays as it is, and its request is over all the same."""
    await authorized(ledger, "p1", key="one call", amount=5)
    settle = ledger.post if terminal is RECEIPT else ledger.void
    before = (await settle("p1", terminal, NOON)).payment
    used = await use(ledger)

    change = await ledger.conclude("p1", SERVED, LATER, delivered=delivered)

    after = await row_of(ledger, "p1")
    assert "" == change.made
    assert replace(before, delivered_at=LATER if delivered else None) == after
    assert used == await use(ledger)
    found = await ledger.claim(HASHED, LATER, SINCE)
    assert (before if terminal is RECEIPT and not delivered else None) == found


async def test_conclude_confirms(ledger: Ledger) -> None:
    """A proof that confirms marks a posted, unconfirmed payment confirmed, and delivers it."""
    await posted(ledger, "p1", SERVED)

    change = await ledger.conclude("p1", RECEIPT, LATER, delivered=True)

    after = await row_of(ledger, "p1")
    assert "confirmed" == change.made
    assert (True, NOON, LATER) == (after.confirmed, after.settled_at, after.delivered_at)


async def test_conclude_delivered_before(ledger: Ledger) -> None:
    """An explicit purchase that was delivered in doubt keeps its first moment when it is posted."""
    await authorized(ledger, "p1", key="one call", explicit=True)
    await ledger.deliver("p1", NOON)
    assert await ledger.claim(EXPLICIT, NOON, SINCE) is not None

    await ledger.conclude("p1", RECEIPT, LATER, delivered=True)

    after = await row_of(ledger, "p1")
    assert (PaymentState.POSTED, NOON) == (after.state, after.delivered_at)
    assert after == await ledger.claim(EXPLICIT, LATER, SINCE)


@pytest.mark.parametrize("delivered", [True, False])
async def test_conclude_is_whole(ledger: Ledger, delivered: bool) -> None:
    """What does not prove a transfer neither posts nor delivers, nor lets go."""
    await authorized(ledger, "p1", key="one call")
    before = await row_of(ledger, "p1")

    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.conclude("p1", EXPIRED, LATER, delivered=delivered)

    assert before == await row_of(ledger, "p1")
    assert await ledger.claim(HASHED, LATER, SINCE) is None


@pytest.mark.parametrize("delivered", [True, False])
async def test_conclude_reserved(ledger: Ledger, delivered: bool) -> None:
    """What is only reserved was not paid with."""
    await reserved(ledger, "p1")

    with pytest.raises(LedgerError):
        await ledger.conclude("p1", RECEIPT, LATER, delivered=delivered)

    assert PaymentState.RESERVED is (await row_of(ledger, "p1")).state


async def test_give_up(ledger: Ledger) -> None:
    """POSTED and undelivered -> closed; counted against the route's breaker; also releases."""
    before = await posted(ledger, "p1", key="one call")

    await ledger.give_up("p1", LATER)

    assert replace(before, closed_at=LATER) == await row_of(ledger, "p1")
    assert await ledger.claim(HASHED, LATER, SINCE) is None
    assert (0, 1) == await use(ledger)
    await reserved(ledger, "p2", key="one call")


async def test_give_up_explicit(ledger: Ledger) -> None:
    """An explicit purchase that was given up is closed: the next call is a new purchase."""
    await posted(ledger, "p1", key="one call", explicit=True)
    await ledger.give_up("p1", NOON)

    assert await ledger.claim(EXPLICIT, LATER, SINCE) is None
    await reserved(ledger, "p2", key="one call", explicit=True)


async def test_give_up_twice(ledger: Ledger) -> None:
    """Two that give up the same payment close it once."""
    await posted(ledger, "p1")

    await ledger.give_up("p1", NOON)
    await ledger.give_up("p1", LATER)

    assert NOON == (await row_of(ledger, "p1")).closed_at
    await reserved(ledger, "p2", breaker=Breaker(2, HOUR))


async def test_give_up_delivered(ledger: Ledger) -> None:
    """What was delivered was not paid for nothing."""
    await posted(ledger, "p1")
    await ledger.deliver("p1", NOON)

    with pytest.raises(LedgerError, match="not one that was paid and undelivered"):
        await ledger.give_up("p1", LATER)


# questions


async def test_in_doubt(ledger: Ledger) -> None:
    """Every AUTHORIZED payment, oldest first."""
    await reserved(ledger, "p0")
    await authorized(ledger, "p2")
    await authorized(ledger, "p1")
    await posted(ledger, "p3")

    assert ["p2", "p1"] == [row.id for row in await ledger.in_doubt()]


async def test_to_prove(store: Store) -> None:
    """What a process serves it asks the chain for by itself, and for what nobody serves."""
    one, two = await store.open("one"), await store.open("two")
    for payment_id in ("free", "held"):
        await authorized(one, payment_id)
    await one.release("free")
    await authorized(two, "other")
    await reserved(one, "unsigned")
    await posted(one, "over")

    assert ["free", "held"] == [row.id for row in await one.to_prove(NOON)]
    assert ["free", "other"] == [row.id for row in await two.to_prove(NOON)]


async def test_to_prove_let_go_of(store: Store) -> None:
    """What another process let go of is everybody's to ask for, at once, until one claims it."""
    one, two = await store.open("one"), await store.open("two")
    payment = await authorized(one, "p1")
    before = await two.to_prove(NOON)
    await one.release("p1")
    after = [[row.id for row in await ledger.to_prove(NOON)] for ledger in (one, two)]
    await two.claim(payment.purchase, NOON, SINCE)

    assert ((), [["p1"], ["p1"]]) == (before, after)
    assert () == await one.to_prove(NOON)
    assert ["p1"] == [row.id for row in await two.to_prove(NOON)]


async def test_to_prove_of_the_dead(store: Store) -> None:
    """What a process served that died is everybody's to ask for, at once."""
    one, two = await store.open("one"), await store.open("two")
    await authorized(one, "p1")
    before = await two.to_prove(NOON)
    await store.kill(one)

    assert () == before
    assert ["p1"] == [row.id for row in await two.to_prove(NOON)]


async def test_to_prove_expired(store: Store) -> None:
    """Once an authorization has expired all ask for it, whoever serves it, or says so."""
    one, two = await store.open("one"), await store.open("two")
    await authorized(one, "p1")
    expires_at = authorization("p1").expires_at

    assert () == await two.to_prove(expires_at - SECOND)
    assert ["p1"] == [row.id for row in await two.to_prove(expires_at)]


async def test_unconfirmed(ledger: Ledger) -> None:
    """Every POSTED payment that nobody has vouched for yet, oldest first."""
    await posted(ledger, "p2", SERVED)
    await posted(ledger, "p1", SERVED)
    await posted(ledger, "p3", SERVED)
    await ledger.post("p3", Proof("chain"), NOON)
    await posted(ledger, "p4", RECEIPT)
    await authorized(ledger, "p5")

    assert ["p2", "p1"] == [row.id for row in await ledger.unconfirmed()]


async def test_refused_proof_orphans_nothing(store: Store) -> None:
    """What another process tried to void on a proof that is none stays its owner's."""
    one, two = await store.open("one"), await store.open("two")
    await reserved(one, "p1")
    with pytest.raises(LedgerError, match="'receipt' does not prove"):
        await two.void("p1", RECEIPT, NOON)

    assert () == await two.orphaned()


async def test_undelivered(ledger: Ledger) -> None:
    """Open POSTED payments that nobody holds, posted before this moment: too old to bind."""
    for payment_id in ("free", "held", "delivered", "closed", "young"):
        await authorized(ledger, payment_id)
        await ledger.post(payment_id, RECEIPT, LATER if payment_id == "young" else NOON)
    await authorized(ledger, "in doubt")
    for payment_id in ("free", "young", "in doubt"):
        await ledger.release(payment_id)
    await ledger.deliver("delivered", NOON)
    await ledger.give_up("closed", NOON)

    assert () == await ledger.undelivered(NOON)
    assert ["free"] == [row.id for row in await ledger.undelivered(LATER)]


async def test_budgets(ledger: Ledger) -> None:
    """Each budget's use in the window that ``at`` falls in."""
    total = Budget("total", Usdc(500), Window.TOTAL)
    unused = Budget("unused", Usdc(5), Window.HOUR)
    await posted(ledger, "p1", amount=3, budgets=(DAY, total))
    await reserved(ledger, "p2", amount=4, budgets=(total,))

    tomorrow = NOON + 24 * HOUR
    assert (
        BudgetUse("total", Usdc(500), Usdc(3), Usdc(4), None),
        BudgetUse("unused", Usdc(5), ZERO, ZERO, NOON + HOUR),
        BudgetUse("day", Usdc(100), Usdc(3), ZERO, NOON + 12 * HOUR),
    ) == await ledger.budgets([total, unused, DAY], NOON)
    assert (BudgetUse("day", Usdc(100), ZERO, ZERO, NOON + 36 * HOUR),) == await ledger.budgets(
        [DAY], tomorrow
    )


async def test_payments(ledger: Ledger) -> None:
    """The newest payments first."""
    for seconds, payment_id in enumerate(("p1", "p2", "p3")):
        made = await ledger.reserve(intent(payment_id), NOON + seconds * SECOND)
        assert isinstance(made, Payment)

    assert ["p3", "p2", "p1"] == [row.id for row in await ledger.payments(None, 10)]
    assert ["p3", "p2"] == [row.id for row in await ledger.payments(None, 2)]
    assert ["p3", "p2"] == [row.id for row in await ledger.payments(NOON + SECOND, 10)]


async def test_check_writable(ledger: Ledger) -> None:
    """A ledger that can commit says nothing, and its books are as before."""
    await posted(ledger, "p1")
    before = await ledger.payments(None, 10)

    await ledger.check_writable()

    assert before == await ledger.payments(None, 10)


# processes


async def test_durable(store: Store) -> None:
    """Every method has committed, durably, before it returns."""
    first = await store.open("one")
    await reserved(first, "p1", amount=1)
    await authorized(first, "p2", amount=2)
    await posted(first, "p3", SERVED, amount=4)
    await posted(first, "p4", amount=8)
    await first.deliver("p4", LATER)
    await posted(first, "p5", amount=16)
    await first.give_up("p5", LATER)
    await authorized(first, "p6", amount=32)
    await first.void("p6", EXPIRED, LATER)
    before = await first.payments(None, 10)
    await store.kill(first)

    second = await store.open("two")

    assert before == await second.payments(None, 10)
    assert (3, 28) == await use(second)


@BOTH_KINDS
@pytest.mark.parametrize("state", [PaymentState.AUTHORIZED, PaymentState.POSTED])
async def test_holding_dies(store: Store, purchase: Purchase, state: PaymentState) -> None:
    """Holding dies with the process: after ``kill -9`` the retry binds at once."""
    first, second = await store.open("one"), await store.open("two")
    await authorized(first, "p1", key=purchase.key, explicit=purchase.explicit)
    if state is PaymentState.POSTED:
        await first.post("p1", RECEIPT, NOON)
    assert await second.claim(purchase, LATER, SINCE) is None
    await store.kill(first)

    claimed = await second.claim(purchase, LATER, SINCE)

    assert claimed == await row_of(second, "p1")
    assert await second.claim(purchase, LATER, SINCE) is None


async def test_held_by_another_process(store: Store) -> None:
    """What another live process holds is not free: in progress, or a purchase of its own."""
    first, second = await store.open("one"), await store.open("two")
    await authorized(first, "p1", key="one call")
    await authorized(first, "p2", key="one call", explicit=True)

    denied = await second.reserve(intent("p3", key="one call", explicit=True), LATER)

    assert isinstance(denied, Denied)
    assert "in_progress" == denied.rule
    await reserved(second, "p4", key="one call")


async def test_release_by_another(store: Store) -> None:
    """A process lets go of what it holds, and of nothing that another took over."""
    first, second = await store.open("one"), await store.open("two")
    await authorized(first, "p1", key="one call")
    await first.release("p1")
    assert await second.claim(HASHED, LATER, SINCE) is not None

    await first.release("p1")

    assert await first.claim(HASHED, LATER, SINCE) is None


async def test_deliver_by_another(store: Store) -> None:
    """Who delivers lets go of what it holds itself, and of nothing that another took over."""
    first, second = await store.open("one"), await store.open("two")
    await authorized(first, "p1", key="one call", explicit=True)
    await first.release("p1")
    assert await second.claim(EXPLICIT, LATER, SINCE) is not None

    await first.deliver("p1", LATER)

    assert await first.claim(EXPLICIT, LATER, SINCE) is None


@pytest.mark.parametrize("delivered", [True, False])
async def test_conclude_by_another(store: Store, delivered: bool) -> None:
    """Who concludes lets go of what it holds itself, and of nothing that another took over."""
    first, second = await store.open("one"), await store.open("two")
    await authorized(first, "p1", key="one call", explicit=True)
    await first.release("p1")
    assert await second.claim(EXPLICIT, LATER, SINCE) is not None

    await first.conclude("p1", RECEIPT, LATER, delivered=delivered)

    assert await first.claim(EXPLICIT, LATER, SINCE) is None


async def test_orphaned(store: Store) -> None:
    """Every RESERVED payment whose owner, the process that made it, is gone."""
    first, second = await store.open("one"), await store.open("two")
    await reserved(first, "p1")
    await authorized(first, "p2")
    await reserved(second, "p3")
    await first.release("p1")
    assert () == await first.orphaned()
    assert () == await second.orphaned()
    await store.kill(first)

    assert ["p1"] == [row.id for row in await second.orphaned()]


async def test_own_reservation_is_no_orphan(ledger: Ledger) -> None:
    """A RESERVED payment of the own instance is never orphaned."""
    await reserved(ledger, "p1")
    await ledger.release("p1")

    assert () == await ledger.orphaned()


@BOTH_KINDS
async def test_orphan_makes_way(store: Store, purchase: Purchase) -> None:
    """What a dead process had only reserved is dropped when its purchase is made again."""
    first = await store.open("one")
    await reserved(first, "p1", key=purchase.key, explicit=purchase.explicit, amount=100)
    await store.kill(first)
    second = await store.open("two")

    await reserved(second, "p2", key=purchase.key, explicit=purchase.explicit, amount=100)

    dropped = await row_of(second, "p1")
    assert (PaymentState.VOIDED, UNSIGNED) == (dropped.state, dropped.proof)
    assert (100, 0) == await use(second)


async def test_orphan_stays_when_refused(store: Store) -> None:
    """A refused reservation changes nothing, not even the orphan that it would replace."""
    first = await store.open("one")
    await reserved(first, "p1", key="one call")
    await store.kill(first)
    second = await store.open("two")

    denied = await second.reserve(intent("p2", key="one call", amount=101), NOON)

    assert isinstance(denied, Denied)
    assert ["p1"] == [row.id for row in await second.orphaned()]


async def test_voided_under_its_feet(store: Store) -> None:
    """A process that was taken for dead cannot sign for what was dropped meanwhile."""
    first, second = await store.open("one"), await store.open("two")
    await reserved(first, "p1")
    await second.void("p1", UNSIGNED, NOON)

    with pytest.raises(LedgerError, match="is voided: it cannot become authorized"):
        await first.authorize("p1", authorization("p1"), LATER)


async def test_orphan_that_signed(store: Store) -> None:
    """What was authorized meanwhile is not dropped as unsigned."""
    first, second = await store.open("one"), await store.open("two")
    await authorized(first, "p1")

    with pytest.raises(LedgerError, match="does not prove"):
        await second.void("p1", UNSIGNED, LATER)


async def test_concurrent_reservations(ledger: Ledger) -> None:
    """500 reservations of one unit at once, a budget of 150: 150 succeed, 350 are refused."""
    budgets = (Budget("a", Usdc(150), Window.DAY), Budget("b", Usdc(400), Window.TOTAL))

    made = await asyncio.gather(
        *(ledger.reserve(intent(f"p{n}", budgets=budgets), NOON) for n in range(500))
    )

    assert 150 == sum(isinstance(each, Payment) for each in made)
    assert 350 == sum(isinstance(each, Denied) and each.rule == "budget" for each in made)
    assert [(150, 0), (150, 0)] == [await use(ledger, budget) for budget in budgets]


async def test_two_processes_one_budget(store: Store) -> None:
    """Two processes on the same books share one budget."""
    ledgers = (await store.open("one"), await store.open("two"))
    budget = (Budget("a", Usdc(150), Window.DAY),)

    made = await asyncio.gather(
        *(ledgers[n % 2].reserve(intent(f"p{n}", budgets=budget), NOON) for n in range(500))
    )

    assert 150 == sum(isinstance(each, Payment) for each in made)
    assert (150, 0) == await use(ledgers[0], budget[0])
    assert (150, 0) == await use(ledgers[1], budget[0])


async def test_concurrent_claims(store: Store) -> None:
    """Of many that bind to one payment at once, in two processes, one holds it."""
    ledgers = (await store.open("one"), await store.open("two"))
    await authorized(ledgers[0], "p1", key="one call")
    await ledgers[0].release("p1")

    claims = await asyncio.gather(*(ledgers[n % 2].claim(HASHED, LATER, SINCE) for n in range(20)))

    assert ["p1"] == [claim.id for claim in claims if isinstance(claim, Payment)]


async def test_cancelled_caller(ledger: Ledger) -> None:
    """A caller who is cancelled breaks nothing for the others, and the books stay whole."""
    tasks = [asyncio.create_task(ledger.reserve(intent(f"p{n}"), NOON)) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert 20 == sum(isinstance(outcome, Payment) for outcome in outcomes)
    # What nobody waits for may still be under way while we look.
    before = await use(ledger)
    rows = await ledger.payments(None, 100)
    assert {f"p{n}" for n in range(30) if n % 3} <= {row.id for row in rows}
    assert before <= (len(rows), 0) <= await use(ledger)


async def test_close_finishes(store: Store) -> None:
    """Finish what is queued, and let go."""
    first = await store.open("one")
    queued = [asyncio.create_task(first.reserve(intent(f"p{n}"), NOON)) for n in range(10)]
    await asyncio.sleep(0)

    await first.close()

    assert all([isinstance(await task, Payment) for task in queued])
    with pytest.raises(LedgerError, match="closed"):
        await first.reserve(intent("late"), NOON)
    await first.close()
    second = await store.open("two")
    assert 10 == len(await second.orphaned())


ACCOUNT = Purchase("an account", explicit=False)


def _rule(since: datetime = NOON, hourly_max: int = 2) -> TopUpRule:
    return TopUpRule(since, hourly_max)


async def test_one_top_up_at_a_time(store: Store) -> None:
    """While a top-up is under way nobody makes another for its account, in any process."""
    one, two = await store.open("one"), await store.open("two")
    await reserved(one, "first", key="an account", top_up=_rule())

    for ledger in (one, two):
        answer = await ledger.reserve(intent("second", key="an account", top_up=_rule()), NOON)
        assert isinstance(answer, Denied)
        assert "in_progress" == answer.rule
    other = await two.reserve(intent("other", key="another account", top_up=_rule()), NOON)
    assert isinstance(other, Payment)


async def test_top_up_open_until_delivered(store: Store) -> None:
    """A paid top-up whose owner is gone is bound to, not bought again, until it is delivered."""
    one, two = await store.open("one"), await store.open("two")
    await posted(one, "first", key="an account", top_up=_rule())
    await store.kill(one)

    bound = await two.reserve(intent("second", key="an account", top_up=_rule()), NOON)
    assert isinstance(bound, Payment)
    assert "first" == bound.id


async def test_answered_by_a_top_up(store: Store) -> None:
    """A top-up that was completed since a request was sent is what that request needed."""
    ledger = await store.open("one")
    await posted(ledger, "first", key="an account", top_up=_rule())
    await ledger.deliver("first", LATER)

    early = await ledger.reserve(intent("second", key="an account", top_up=_rule(NOON)), LATER)
    assert isinstance(early, Denied)
    assert "topped_up" == early.rule
    rule = _rule(LATER + SECOND)
    late = await ledger.reserve(intent("second", key="an account", top_up=rule), LATER + SECOND)
    assert isinstance(late, Payment)


async def test_top_ups_in_an_hour(store: Store) -> None:
    """No more top-ups of an account than its rule allows in any hour; voided ones do not count."""
    ledger = await store.open("one")
    await reserved(ledger, "dropped", key="an account", top_up=_rule())
    await ledger.void("dropped", UNSIGNED, NOON)
    for number in range(2):
        rule = _rule(LATER + SECOND)
        await posted(ledger, f"top-up {number}", key="an account", top_up=rule)
        await ledger.deliver(f"top-up {number}", LATER)
    rule = _rule(LATER + SECOND)

    third = await ledger.reserve(intent("third", key="an account", top_up=rule), LATER)
    assert isinstance(third, Denied)
    assert "top_up_rate" == third.rule
    later = await ledger.reserve(intent("third", key="an account", top_up=rule), NOON + HOUR)
    assert isinstance(later, Payment)


async def test_newest_top_up(store: Store) -> None:
    """The newest top-up of an account is found whatever became of it."""
    ledger = await store.open("one")
    nothing = await ledger.newest_top_up(ACCOUNT)
    await reserved(ledger, "first", key="an account", top_up=_rule())
    await ledger.void("first", UNSIGNED, NOON)
    found = await ledger.newest_top_up(ACCOUNT)

    assert nothing is None
    assert found is not None
    assert ("first", PaymentState.VOIDED) == (found.id, found.state)


async def test_authorizations(ledger: Ledger) -> None:
    """What an explicit purchase or an account was authorized before, even if it was voided."""
    for number, top_up in enumerate((None, _rule())):
        key, explicit = f"key {number}", top_up is None
        purchase = Purchase(key, explicit)
        counts = [await ledger.authorizations(purchase, NOON)]
        for payment_id in ("dropped", "lost"):
            wanted = {"key": key, "explicit": explicit, "top_up": top_up}
            await reserved(ledger, f"{payment_id} {number}", **wanted)
            if payment_id == "lost":
                authorized_id = f"{payment_id} {number}"
                await ledger.authorize(authorized_id, authorization(authorized_id), NOON)
                counts.append(await ledger.authorizations(purchase, NOON))
            await ledger.void(f"{payment_id} {number}", EXPIRED, NOON)
            counts.append(await ledger.authorizations(purchase, NOON))
        counts.append(await ledger.authorizations(purchase, NOON + SECOND))

        assert [0, 0, 1, 1, 0] == counts


# pins


def pin(pay_to: str = "0xseller", **changes: Any) -> PayeePin:
    """A pin as the default intent makes it."""
    made = PayeePin("venice", "request", "eip155:84532", "", pay_to, NOON)
    return replace(made, **changes)


async def rule_of(ledger: Ledger, payment_id: str, at: datetime = NOON, **terms: Any) -> str:
    """Which rule refuses this payment; "" where it was made. It is a purchase of its own."""
    answer = await ledger.reserve(intent(payment_id, **terms), at)
    return answer.rule if isinstance(answer, Denied) else ""


async def test_first_payee_is_pinned(ledger: Ledger) -> None:
    """The first payee that a payment is reserved for is pinned, whatever becomes of it."""
    await reserved(ledger, "p1", pin_place="")
    await ledger.void("p1", UNSIGNED, NOON)

    assert (pin(),) == await ledger.pins()


async def test_payee_changed(ledger: Ledger) -> None:
    """Denied: ``payee_changed``, with both addresses, and nothing is set aside or pinned."""
    await reserved(ledger, "p1", pin_place="")

    denied = await ledger.reserve(intent("p2", pin_place="", pay_to="0xthief"), LATER)

    assert Denied(
        "payee_changed",
        "route venice first paid 0xseller on eip155:84532, and now 0xthief asks; if that is "
        "right, `sidecar pins forget venice`",
    ) == (denied)
    assert (1, 0) == await use(ledger)
    assert (pin(),) == await ledger.pins()


async def test_payee_in_other_letters(ledger: Ledger) -> None:
    """An EVM address is the same in any case; a Solana address is another one."""
    solana = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
    await reserved(ledger, "p1", pin_place="", pay_to="0xABC")
    await reserved(ledger, "p2", pin_place="", pay_to="0xabc")
    await reserved(ledger, "p3", pin_place="", pay_to="So1", network=solana)

    assert "payee_changed" == await rule_of(
        ledger, "p4", pin_place="", pay_to="so1", network=solana
    )


@pytest.mark.parametrize(
    "change",
    [
        {"route": "nodit"},
        {"top_up": TopUpRule(LATER, 9)},
        {"network": "eip155:8453"},
        {"pin_place": "weather"},
    ],
    ids=["route", "purpose", "network", "place"],
)
async def test_pins_apart(ledger: Ledger, change: dict[str, Any]) -> None:
    """Each route, purpose, network and place has a pin of its own."""
    await reserved(ledger, "p1", pin_place="")
    terms: dict[str, Any] = {"pin_place": "", "pay_to": "0xother"} | change

    assert "" == await rule_of(ledger, "p2", **terms)
    assert "payee_changed" == await rule_of(ledger, "p3", **(terms | {"pay_to": "0xseller"}))
    assert 2 == len(await ledger.pins())


async def test_place_is_named(ledger: Ledger) -> None:
    """Where a vendor has several payees, the refusal says at which place."""
    await reserved(ledger, "p1", pin_place="weather")

    denied = await ledger.reserve(intent("p2", pin_place="weather", pay_to="0xthief"), NOON)

    assert isinstance(denied, Denied)
    assert "first paid 0xseller at weather on eip155:84532" in denied.detail


async def test_config_outranks_pins(ledger: Ledger) -> None:
    """Without a place nobody is pinned, and whoever is pinned is not asked for."""
    await reserved(ledger, "p1", pay_to="0xfirst")
    assert () == await ledger.pins()

    await reserved(ledger, "p2", pin_place="")

    assert "" == await rule_of(ledger, "p3", pay_to="0xthird")


async def test_refused_pins_nobody(ledger: Ledger) -> None:
    """A reservation that is refused by another rule pins nobody."""
    assert "budget" == await rule_of(ledger, "p1", pin_place="", amount=101)
    assert () == await ledger.pins()


async def test_bound_pins_nobody(ledger: Ledger) -> None:
    """Terms that are not paid pin nobody: what was signed before is presented instead."""
    await authorized(ledger, "p1", key="one call")
    await ledger.release("p1")

    bound = await ledger.reserve(
        intent("p2", key="one call", pin_place="", pay_to="0xthief"), LATER
    )

    assert isinstance(bound, Payment)
    assert "p1" == bound.id
    assert () == await ledger.pins()


async def test_bound_whatever_its_payee(ledger: Ledger) -> None:
    """A payment that was signed already is bound to, whomever the new terms name."""
    await authorized(ledger, "p1", key="one call", pin_place="")
    await ledger.release("p1")

    bound = await ledger.reserve(
        intent("p2", key="one call", pin_place="", pay_to="0xthief"), LATER
    )

    assert isinstance(bound, Payment)
    assert ("p1", "0xseller") == (bound.id, bound.pay_to)


async def test_forget_pins(ledger: Ledger) -> None:
    """What is forgotten is told, and the route's next payee is pinned; others stay."""
    await reserved(ledger, "p1", pin_place="")
    await reserved(ledger, "p2", pin_place="b")
    await reserved(ledger, "p3", pin_place="", route="nodit")

    forgotten = await ledger.forget_pins("venice")
    nothing = await ledger.forget_pins("venice")
    await reserved(ledger, "p4", pin_place="", pay_to="0xother")

    assert ((pin(), pin(place="b")), ()) == (forgotten, nothing)
    assert (pin(route="nodit"), pin("0xother")) == await ledger.pins()


async def test_pins_outlive_processes(store: Store) -> None:
    """What one process pinned binds another one, also after the first was killed."""
    one, two = await store.open("one"), await store.open("two")
    await reserved(one, "p1", pin_place="")
    await store.kill(one)

    assert "payee_changed" == await rule_of(two, "p2", pin_place="", pay_to="0xthief")


async def test_two_payees_at_once(store: Store) -> None:
    """Of many payees that two processes meet at once, one is pinned and only that one is paid."""
    ledgers = (await store.open("one"), await store.open("two"))
    wanted = [intent(f"p{n}", pin_place="", pay_to=f"0x{n % 5}") for n in range(50)]

    made = await asyncio.gather(
        *(ledgers[n % 2].reserve(each, NOON) for n, each in enumerate(wanted))
    )

    (pinned,) = await ledgers[0].pins()
    paid = [each.pay_to for each in made if isinstance(each, Payment)]
    assert [pinned.pay_to] * 10 == paid


# price_jump

THREE_TIMES = PriceRule("POST /v1/call", Decimal(3))
A_DAY = timedelta(days=1)
WIDE = (Budget("wide", Usdc(10**12), Window.TOTAL),)


async def price(ledger: Ledger, name: str, amount: int, days: int = 0, **terms: Any) -> str:
    """Which rule refuses this price, so many days after the first; "" where it was paid."""
    terms = {"price": THREE_TIMES, "budgets": WIDE} | terms
    return await rule_of(ledger, name, NOON + days * A_DAY, amount=amount, **terms)


async def test_price_jump(ledger: Ledger) -> None:
    """Denied: ``price_jump``, past the ratio and not at it; nothing is set aside."""
    first, same = await price(ledger, "p1", 100), await price(ledger, "p2", 300)

    wanted = intent("p3", amount=901, price=THREE_TIMES, budgets=WIDE)
    denied = await ledger.reserve(wanted, NOON)

    assert ("", "") == (first, same)
    assert Denied(
        "price_jump",
        "0.000901 USDC for POST /v1/call is over 3 times the 0.0003 USDC that route venice is "
        "used to pay there (price_jump_max)",
    ) == (denied)
    assert (400, 0) == await use(ledger, WIDE[0])


async def test_ratio_is_exact(ledger: Ledger) -> None:
    """A ratio with a fraction is applied without rounding."""
    rule = PriceRule("POST /v1/call", Decimal("1.1"))
    await price(ledger, "p1", 10**9, price=rule)

    over = await price(ledger, "p2", 1_100_000_001, price=rule)
    exact = await price(ledger, "p3", 1_100_000_000, price=rule)

    assert ("price_jump", "") == (over, exact)


@pytest.mark.parametrize(
    "change",
    [
        {"price": None},
        {"price": PriceRule("POST /v1/other", Decimal(3))},
        {"route": "nodit"},
        {"top_up": TopUpRule(LATER, 9)},
    ],
    ids=["no rule", "place", "route", "purpose"],
)
async def test_prices_apart(ledger: Ledger, change: dict[str, Any]) -> None:
    """Prices are compared only where there is a rule, at one place, route and purpose."""
    await price(ledger, "p1", 1)

    assert "" == await price(ledger, "p2", 1_000, **change)


async def test_price_creeps(ledger: Ledger) -> None:
    """Within a month no walk gets past the ratio, however small its steps are."""
    amount = 1_000
    while await price(ledger, f"day {amount}", amount, days=(amount - 1_000) // 200) == "":
        amount += 200

    assert 3_200 == amount


async def test_price_after_a_month(ledger: Ledger) -> None:
    """A day counts for the thirty days after it, and then no more."""
    await price(ledger, "p1", 100)

    held = await price(ledger, "p2", 301, days=30)
    free = await price(ledger, "p3", 301, days=31)

    assert ("price_jump", "") == (held, free)


async def test_cheap_call_of_a_day(ledger: Ledger) -> None:
    """A cheap call does not lower what is usual: the highest of its day does the telling."""
    await price(ledger, "p1", 100)
    await price(ledger, "p2", 1)
    await price(ledger, "p3", 1, days=1)

    assert "" == await price(ledger, "p4", 300, days=1)


async def test_voided_price(ledger: Ledger) -> None:
    """A payment that was voided raised nothing: its price does not count."""
    await price(ledger, "p1", 100)
    await price(ledger, "p2", 300)
    await ledger.void("p2", UNSIGNED, NOON)

    assert "price_jump" == await price(ledger, "p3", 301)


async def test_price_of_an_orphan(store: Store) -> None:
    """What makes way for a payment has no say on its price, neither against it nor for it."""
    first = await store.open("one")
    await price(first, "p1", 100, key="dear")
    await price(first, "p2", 300, key="dearer")
    await store.kill(first)
    second = await store.open("two")

    assert "price_jump" == await price(second, "p3", 301, key="dearer")
    await second.void("p2", UNSIGNED, NOON)
    assert "" == await price(second, "p4", 301, key="dear")


async def test_two_jumps_at_once(store: Store) -> None:
    """Of many prices in two processes, the one that is first decides about all the others."""
    ledgers = (await store.open("one"), await store.open("two"))

    made = await asyncio.gather(
        *(price(ledgers[n % 2], f"p{n}", (1, 1_000)[n % 2]) for n in range(20))
    )

    *_, first = await ledgers[0].payments(None, 100)
    refused = 10 if first.amount == Usdc(1) else 0
    assert refused == made.count("price_jump")
    assert 20 - refused == made.count("")


# freeze


async def test_freeze(ledger: Ledger) -> None:
    """While frozen, nothing is reserved, bound to, claimed or written down."""
    await authorized(ledger, "p1", key="one call")
    await ledger.release("p1")
    await reserved(ledger, "p2")

    since = await ledger.freeze(NOON)

    frozen = Denied(
        "frozen",
        "the sidecar is frozen since 2026-11-21 12:00:00 UTC and signs no payment; "
        "`sidecar unfreeze` ends it",
    )
    assert NOON == since == await ledger.frozen_since()
    assert frozen == await ledger.reserve(intent("p3"), LATER)
    assert frozen == await ledger.reserve(intent("p4", key="one call"), LATER)
    assert frozen == await ledger.claim(HASHED, LATER, SINCE)
    assert frozen == await ledger.authorize("p2", authorization("p2"), LATER)
    assert PaymentState.RESERVED == (await row_of(ledger, "p2")).state


async def test_frozen_settles(ledger: Ledger) -> None:
    """While frozen, what was signed is posted, voided, delivered, closed and released."""
    for payment_id in ("p1", "p2", "p3"):
        await authorized(ledger, payment_id)
    await reserved(ledger, "p4")
    await ledger.freeze(NOON)

    await ledger.post("p1", RECEIPT, LATER)
    await ledger.deliver("p1", LATER)
    await ledger.post("p2", SERVED, LATER)
    await ledger.give_up("p2", LATER)
    await ledger.void("p3", EXPIRED, LATER)
    await ledger.void("p4", UNSIGNED, LATER)

    assert (0, 2) == await use(ledger)


async def test_frozen_twice(ledger: Ledger) -> None:
    """Frozen again is frozen since the first time; thawed again was not frozen."""
    never = await ledger.unfreeze()
    await ledger.freeze(NOON)
    again = await ledger.freeze(LATER)
    thawed, twice = await ledger.unfreeze(), await ledger.unfreeze()

    assert (None, NOON, NOON, None) == (never, again, thawed, twice)
    assert await ledger.frozen_since() is None
    await reserved(ledger, "p1")


async def test_frozen_for_all(store: Store) -> None:
    """One process freezes every other one, and those that start later."""
    one, two = await store.open("one"), await store.open("two")
    await one.freeze(NOON)
    await store.kill(one)
    three = await store.open("three")

    assert ["frozen", "frozen"] == [await rule_of(each, "p1") for each in (two, three)]


async def test_frozen_amid_reservations(store: Store) -> None:
    """What is reserved while another process freezes is all of it before the freeze."""
    one, two = await store.open("one"), await store.open("two")

    async def reserve(number: int) -> str:
        return await rule_of(one, f"p{number}")

    early = await asyncio.gather(*(reserve(n) for n in range(20)))
    late, _ = await asyncio.gather(reserve(20), two.freeze(NOON))
    later = await asyncio.gather(*(reserve(n) for n in range(21, 40)))

    assert {""} == set(early)
    assert late in {"", "frozen"}
    assert {"frozen"} == set(later)
