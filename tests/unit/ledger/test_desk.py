"""``sidecar.ledger.desk``: what a person asks of a ledger, and changes in it, in every store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import Payment, Purchase
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import DAY, HOUR, authorized, intent, posted, reserved
from tests.world.stores import Store


async def test_history(store: Store) -> None:
    """Every step of a payment, as it was written down, oldest first; none of another one's."""
    ledger = await store.open("one")
    await posted(ledger, "pay_1", amount=7)
    await authorized(ledger, "pay_2", key="again")
    await ledger.release("pay_2")
    await ledger.claim(Purchase("again", explicit=False), NOON, NOON)
    await ledger.deliver("pay_1", NOON)
    await ledger.close()
    desk = store.desk()
    first, second = (desk.history(f"pay_{number}") for number in (1, 2))

    assert ["reserved", "authorized", "posted", "delivered"] == [step.kind for step in first]
    assert (NOON, 7) == (first[0].at, first[0].detail["amount"])
    assert {"proof": "receipt", "transaction": "0xmoved"} == first[2].detail
    assert ["reserved", "authorized", "claimed"] == [step.kind for step in second]
    assert () == desk.history("pay_3")


async def test_standing(store: Store) -> None:
    """What is in doubt and whether it is frozen can be read beside whoever writes."""
    desk = store.desk()
    ledger = await store.open("one")
    await authorized(ledger, "pay_1")
    before = desk.frozen_since()
    await ledger.freeze(NOON)
    desk.check_writable()

    assert (None, NOON) == (before, desk.frozen_since())
    assert ["pay_1"] == [payment.id for payment in desk.in_doubt()]
    await ledger.close()


async def test_own_payments(store: Store) -> None:
    """The payments of one process are those that it reserved, oldest first, and no others."""
    one, two = await store.open("one"), await store.open("two")
    for ledger, payment in ((one, "pay_1"), (two, "pay_2"), (one, "pay_3")):
        await ledger.reserve(intent(payment), NOON)
    await one.close()
    await two.close()
    desk = store.desk()

    assert (["pay_1", "pay_3"], ["pay_2"], []) == tuple(
        [payment.id for payment in desk.made_by(name)] for name in ("one", "two", "three")
    )


async def test_newest(store: Store) -> None:
    """The newest payments come first, from a moment on, and no more than are asked for."""
    ledger = await store.open("one")
    for hours, payment in enumerate(("pay_1", "pay_2", "pay_3")):
        await ledger.reserve(intent(payment), NOON + timedelta(hours=hours))
    rows = await ledger.payments(None, 10)
    await ledger.close()
    desk = store.desk()

    assert rows == desk.payments(None, 10)
    assert ["pay_3", "pay_2"] == [row.id for row in desk.payments(NOON + HOUR, 10)]
    assert ["pay_3"] == [row.id for row in desk.payments(None, 1)]


async def test_beside_a_running_sidecar(store: Store) -> None:
    """What a person switches or forgets holds from the next payment of a running process on."""
    ledger, desk = await store.open("running"), store.desk()
    await reserved(ledger, "p1", pin_place="")

    since = desk.freeze(NOON)
    still = desk.freeze(NOON + HOUR)
    frozen = await ledger.reserve(intent("p2", pin_place=""), NOON)
    thawed, again = desk.unfreeze(), desk.unfreeze()
    forgotten, nothing = desk.forget_pins("venice"), desk.forget_pins("venice")
    moved = await reserved(ledger, "p3", pin_place="", pay_to="0xmoved")
    pinned = desk.pins()
    await ledger.close()

    assert isinstance(frozen, Denied)
    assert (NOON, NOON, "frozen", NOON, None) == (since, still, frozen.rule, thawed, again)
    assert (["0xseller"], (), ["0xmoved"]) == (
        [pin.pay_to for pin in forgotten],
        nothing,
        [pin.pay_to for pin in pinned],
    )
    assert "0xmoved" == moved.pay_to


async def test_approvals(store: Store) -> None:
    """A person's word counts once, for what waits for it, and is heard by who waits."""
    ledger, desk = await store.open("running"), store.desk()
    await reserved(ledger, "p1", ask_until=NOON + HOUR)
    await reserved(ledger, "p2", ask_until=NOON + HOUR)
    waiting = desk.asked()
    approved = desk.decide("p1", "ann", NOON, approve=True)
    again = desk.decide("p1", "bob", NOON, approve=False)
    late = desk.decide("p2", "ann", NOON + HOUR, approve=True)
    heard = (await ledger.approved("p1"), await ledger.approved("p2"))
    await ledger.close()

    assert [("p1", NOON + HOUR), ("p2", NOON + HOUR)] == [
        (each.payment.id, each.until) for each in waiting
    ]
    assert isinstance(approved, Payment)
    assert "p1" == approved.id
    assert ["not_waiting"] * 2 == [each.rule for each in (again, late) if isinstance(each, Denied)]
    assert (True, None) == heard
    assert {"by": "ann"} == desk.history("p1")[-1].detail


async def test_freeze_makes_the_ledger(store: Store) -> None:
    """Before the first run a freeze makes the ledger, and the run is frozen."""
    desk = store.desk()
    before = desk.exists()
    desk.freeze(NOON)
    ledger = await store.open("first")
    answer = await ledger.reserve(intent("p1"), NOON)
    await ledger.close()

    assert isinstance(answer, Denied)
    assert ("frozen", False, True) == (answer.rule, before, desk.exists())


def test_nothing_there(store: Store) -> None:
    """Before the first run nothing can be asked but what a quote asks, and nothing is made."""
    desk = store.desk()
    with pytest.raises(LedgerError):
        desk.pins()

    assert None is desk.refusal(intent("p1"), NOON)
    assert ((DAY.limit,), None) == (
        tuple(use.remaining for use in desk.budgets((DAY,), NOON)),
        desk.newest_top_up(intent("p1").purchase),
    )
    assert not desk.exists()
