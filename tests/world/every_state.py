"""A ledger that has seen everything: payments in each state, by each way there is to come there."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sidecar.ledger import Ledger
from sidecar.ledger.model import Budget, PriceRule, Proof, Purchase, TopUpRule, Window
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import (
    EXPIRED,
    HOUR,
    RECEIPT,
    SECOND,
    SERVED,
    UNSIGNED,
    authorized,
    posted,
    reserved,
)

ALL = Budget("all", Usdc(1_000_000), Window.TOTAL)
MONTH = Budget("month", Usdc(10_000), Window.MONTH)
BUDGETS = (ALL, MONTH)
AGAIN = Purchase("again", explicit=False)
NAMED = Purchase("named", explicit=True)
RULE = TopUpRule(NOON, 10)
# In the order in which they were made.
STATES = (
    *("reserved", "asked", "approved", "dropped", "in doubt", "claimed", "expired", "served"),
    *("confirmed", "undelivered", "delivered", "lost", "explicit", "credit", "priced"),
)


async def see_everything(ledger: Ledger) -> None:
    """Make them all; the ledger is left frozen."""
    await reserved(ledger, "reserved", budgets=BUDGETS, amount=3, pin_place="")
    for name in ("asked", "approved"):
        await reserved(ledger, name, budgets=BUDGETS, amount=5, ask_until=NOON + HOUR)
    await ledger.decide("approved", "ann", NOON, approve=True)
    await reserved(ledger, "dropped", budgets=BUDGETS, amount=7)
    await ledger.void("dropped", UNSIGNED, NOON + SECOND)
    await authorized(ledger, "in doubt", budgets=BUDGETS, amount=11)
    await authorized(ledger, "claimed", key=AGAIN.key, budgets=BUDGETS, amount=13)
    await ledger.release("claimed")
    await ledger.claim(AGAIN, NOON + SECOND, NOON)
    await authorized(ledger, "expired", budgets=BUDGETS, amount=17)
    await ledger.void("expired", EXPIRED, NOON + HOUR)
    await posted(ledger, "served", SERVED, budgets=BUDGETS, amount=19)
    await posted(ledger, "confirmed", SERVED, budgets=BUDGETS, amount=23)
    await ledger.post("confirmed", Proof("chain", "0xseen"), NOON + HOUR)
    await posted(ledger, "undelivered", key="once more", budgets=BUDGETS, amount=29)
    await ledger.release("undelivered")
    await posted(ledger, "delivered", RECEIPT, budgets=BUDGETS, amount=31, envelope={"é": "𝄞\n\t"})
    await ledger.deliver("delivered", NOON + timedelta(milliseconds=1))
    await posted(ledger, "lost", budgets=BUDGETS, amount=37)
    await ledger.give_up("lost", NOON + HOUR)
    await posted(ledger, "explicit", key=NAMED.key, explicit=True, budgets=BUDGETS, amount=41)
    await ledger.deliver("explicit", NOON)
    await posted(ledger, "credit", key="account", top_up=RULE, budgets=BUDGETS, amount=43)
    price = PriceRule("POST /v1", Decimal(2))
    await posted(
        ledger, "priced", budgets=(ALL,), amount=47, price=price, pin_place="weather", pay_to="0xB"
    )
    await ledger.freeze(NOON + HOUR)
