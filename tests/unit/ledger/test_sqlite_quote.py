"""``sidecar.ledger.sqlite_quote``: what a reservation would be told, and nothing is changed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_quote
from sidecar.ledger.model import Breaker, Budget, PriceRule, TopUpRule, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import DAY, HOUR, intent, posted, reserved

ENTRY = intent("pay_of_nobody", amount=10, pin_place="")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def rule_of(path: Path, **terms: Any) -> str:
    """The rule against such a payment; "" where it would be reserved."""
    denied = sqlite_quote.refusal(path, intent("pay_of_nobody", **terms), NOON)
    return "" if denied is None else denied.rule


def test_no_ledger(path: Path) -> None:
    """Where there is no ledger yet, an empty one answers, and no file is made."""
    assert None is sqlite_quote.refusal(path, ENTRY, NOON)
    assert None is sqlite_quote.newest_top_up(path, ENTRY.purchase)
    (use,) = sqlite_quote.budgets(path, (DAY,), NOON)
    assert (Usdc(0), Usdc(100)) == (use.spent, use.remaining)
    assert [] == list(path.parent.iterdir())


async def test_beside_a_running_sidecar(path: Path) -> None:
    """Budgets count what the running sidecar has reserved and spent, and it can go on."""
    ledger = await SqliteLedger.open(path, "running")
    await posted(ledger, "pay_1", amount=40)
    await reserved(ledger, "pay_2", amount=50)
    (use,) = sqlite_quote.budgets(path, (DAY,), NOON)
    asked = (rule_of(path, amount=10), rule_of(path, amount=11))
    later = await ledger.reserve(intent("pay_3", amount=10), NOON)
    await ledger.close()

    assert (Usdc(40), Usdc(50)) == (use.spent, use.reserved)
    assert ("", "budget") == asked
    assert "pay_3" == getattr(later, "id", later)


async def test_nothing_is_written(path: Path) -> None:
    """A quote pins no payee, sets nothing aside and leaves no event."""
    ledger = await SqliteLedger.open(path, "running")
    await posted(ledger, "pay_1", amount=1)
    before = (await ledger.pins(), await ledger.budgets((DAY,), NOON))
    for payee in ("0xone", "0xother"):
        assert "" == rule_of(path, pin_place="", pay_to=payee, amount=10)
    after = (await ledger.pins(), await ledger.budgets((DAY,), NOON))
    rows = await ledger.payments(None, 10)
    await ledger.close()

    assert before == after
    assert ["pay_1"] == [row.id for row in rows]


async def test_rules(path: Path) -> None:
    """Each rule of a reservation is asked: pin, price, breaker, top-ups, freeze."""
    ledger = await SqliteLedger.open(path, "running")
    roomy = (Budget("all", Usdc(1_000_000), Window.TOTAL),)
    price = PriceRule("POST /v1", Decimal(2))
    rate = TopUpRule(NOON + HOUR, 1)
    await posted(ledger, "pay_1", pin_place="", budgets=roomy, price=price, amount=10)
    await ledger.give_up("pay_1", NOON)
    await posted(ledger, "pay_2", key="account", top_up=rate, budgets=roomy)
    asked = [
        rule_of(path, budgets=roomy, pin_place="", pay_to="0xother"),
        rule_of(path, budgets=roomy, price=price, amount=21),
        rule_of(path, budgets=roomy, breaker=Breaker(1, timedelta(hours=1))),
        rule_of(path, budgets=roomy, key="account", top_up=rate),
        rule_of(path, budgets=roomy),
        rule_of(path, budgets=()),
    ]
    newest = sqlite_quote.newest_top_up(path, intent("x", key="account").purchase)
    await ledger.freeze(NOON)
    asked.append(rule_of(path, budgets=roomy))
    await ledger.close()

    assert [
        "payee_changed",
        "price_jump",
        "breaker",
        "top_up_rate",
        "",
        "budget",
        "frozen",
    ] == asked
    assert newest is not None
    assert "pay_2" == newest.id


def test_another_file(path: Path) -> None:
    """What is no ledger is not asked."""
    path.write_text("not a database, and long enough to be looked at as one" * 50)

    with pytest.raises(LedgerError, match="not an SQLite database"):
        sqlite_quote.refusal(path, ENTRY, NOON)
