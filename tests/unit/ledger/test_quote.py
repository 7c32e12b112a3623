"""What a reservation would be told, in every store: asked, and nothing is changed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_quote
from sidecar.ledger.desk import Desk
from sidecar.ledger.model import Breaker, Budget, PriceRule, TopUpRule, Window
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import DAY, HOUR, intent, posted, reserved
from tests.world.stores import Store

ENTRY = intent("pay_of_nobody", amount=10, pin_place="")


@pytest.fixture
def desk(store: Store) -> Desk:
    return store.desk()


def rule_of(desk: Desk, **terms: Any) -> str:
    """The rule against such a payment; "" where it would be reserved."""
    denied = desk.refusal(intent("pay_of_nobody", **terms), NOON)
    return "" if denied is None else denied.rule


def test_no_ledger(desk: Desk) -> None:
    """Where there is no ledger yet, an empty one answers, and none is made."""
    assert None is desk.refusal(ENTRY, NOON)
    assert None is desk.newest_top_up(ENTRY.purchase)
    (use,) = desk.budgets((DAY,), NOON)
    assert (Usdc(0), Usdc(100)) == (use.spent, use.remaining)
    assert not desk.exists()


def test_no_file(tmp_path: Path) -> None:
    """Nor is a file made, or anything beside it."""
    assert None is sqlite_quote.refusal(tmp_path / "ledger.db", ENTRY, NOON)
    assert [] == list(tmp_path.iterdir())


async def test_no_ledger_refuses(store: Store, desk: Desk) -> None:
    """An empty ledger that is not there refuses what one that is there refuses, word for word."""
    terms: tuple[dict[str, Any], ...] = (
        {"amount": 101},
        {"budgets": ()},
        {"amount": 10**18 + 1},
        {"amount": 100, "breaker": Breaker(1, HOUR), "top_up": TopUpRule(NOON, 1)},
    )
    asked = [intent("pay_of_nobody", **each) for each in terms]
    before = [desk.refusal(each, NOON) for each in asked]
    await (await store.open("one")).close()

    assert before == [desk.refusal(each, NOON) for each in asked]
    assert ["budget", "budget", "amount", ""] == [each.rule if each else "" for each in before]


async def test_beside_a_running_sidecar(store: Store, desk: Desk) -> None:
    """Budgets count what the running sidecar has reserved and spent, and it can go on."""
    ledger = await store.open("running")
    await posted(ledger, "pay_1", amount=40)
    await reserved(ledger, "pay_2", amount=50)
    (use,) = desk.budgets((DAY,), NOON)
    asked = (rule_of(desk, amount=10), rule_of(desk, amount=11))
    later = await ledger.reserve(intent("pay_3", amount=10), NOON)
    await ledger.close()

    assert (Usdc(40), Usdc(50)) == (use.spent, use.reserved)
    assert ("", "budget") == asked
    assert "pay_3" == getattr(later, "id", later)


async def test_nothing_is_written(store: Store, desk: Desk) -> None:
    """A quote pins no payee, sets nothing aside and leaves no event."""
    ledger = await store.open("running")
    await posted(ledger, "pay_1", amount=1)
    before = (await ledger.pins(), await ledger.budgets((DAY,), NOON))
    for payee in ("0xone", "0xother"):
        assert "" == rule_of(desk, pin_place="", pay_to=payee, amount=10)
    after = (await ledger.pins(), await ledger.budgets((DAY,), NOON))
    rows = await ledger.payments(None, 10)
    await ledger.close()

    assert before == after
    assert ["pay_1"] == [row.id for row in rows]
    assert () == desk.history("pay_of_nobody")


async def test_rules(store: Store, desk: Desk) -> None:
    """Each rule of a reservation is asked: pin, price, breaker, top-ups, freeze."""
    ledger = await store.open("running")
    roomy = (Budget("all", Usdc(1_000_000), Window.TOTAL),)
    price = PriceRule("POST /v1", Decimal(2))
    rate = TopUpRule(NOON + HOUR, 1)
    await posted(ledger, "pay_1", pin_place="", budgets=roomy, price=price, amount=10)
    await ledger.give_up("pay_1", NOON)
    await posted(ledger, "pay_2", key="account", top_up=rate, budgets=roomy)
    await ledger.deliver("pay_2", NOON)
    asked = [
        rule_of(desk, budgets=roomy, pin_place="", pay_to="0xother"),
        rule_of(desk, budgets=roomy, price=price, amount=21),
        rule_of(desk, budgets=roomy, breaker=Breaker(1, timedelta(hours=1))),
        rule_of(desk, budgets=roomy, key="account", top_up=rate),
        rule_of(desk, budgets=roomy),
        rule_of(desk, budgets=()),
    ]
    newest = desk.newest_top_up(intent("x", key="account").purchase)
    nobodys = desk.newest_top_up(intent("x", key="other").purchase)
    await ledger.freeze(NOON)
    frozen = desk.refusal(intent("pay_of_nobody", budgets=roomy), NOON)
    await ledger.close()

    assert [
        "payee_changed",
        "price_jump",
        "breaker",
        "top_up_rate",
        "",
        "budget",
    ] == asked
    assert isinstance(frozen, Denied)
    assert "frozen" == frozen.rule
    assert newest is not None
    assert ("pay_2", None) == (newest.id, nobodys)


def test_another_file(tmp_path: Path) -> None:
    """What is no ledger is not asked."""
    path = tmp_path / "ledger.db"
    path.write_text("not a database, and long enough to be looked at as one" * 50)

    with pytest.raises(LedgerError, match="not an SQLite database"):
        sqlite_quote.refusal(path, ENTRY, NOON)
