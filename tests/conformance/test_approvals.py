"""What every store promises about payments that wait for a person."""

from __future__ import annotations

from datetime import timedelta

from sidecar.ledger import Ledger
from sidecar.ledger.model import Asked, Payment, Proof
from sidecar.refusal import Denied
from tests.conformance.test_ledger import Store, ledger, store
from tests.world.fakes import NOON
from tests.world.intents import SECOND, authorization, intent, reserved

__all__ = ["ledger", "store"]

UNTIL = NOON + timedelta(minutes=2)
LATER = NOON + 5 * SECOND


def rule_of(answer: object) -> str:
    return answer.rule if isinstance(answer, Denied) else ""


async def test_asked(ledger: Ledger) -> None:
    """Every payment that waits for a person's word, oldest first."""
    first = await reserved(ledger, "p1", ask_until=UNTIL)
    await reserved(ledger, "p2")
    third = await reserved(ledger, "p3", ask_until=LATER)

    assert (Asked(first, UNTIL), Asked(third, LATER)) == await ledger.asked()


async def test_unasked(ledger: Ledger) -> None:
    """A payment that nobody is asked about is authorized as ever."""
    await reserved(ledger, "p1")

    assert await ledger.authorize("p1", authorization("p1"), NOON) is None


async def test_not_before(ledger: Ledger) -> None:
    """What was asked for is not authorized before somebody approved, nor after a refusal."""
    await reserved(ledger, "p1", ask_until=UNTIL)
    await reserved(ledger, "p2", ask_until=UNTIL)
    undecided = await ledger.authorize("p1", authorization("p1"), NOON)
    await ledger.decide("p1", "test", NOON, approve=True)
    await ledger.decide("p2", "test", NOON, approve=False)
    refused = await ledger.authorize("p2", authorization("p2"), NOON)

    assert ("approval", "approval") == (rule_of(undecided), rule_of(refused))
    assert await ledger.authorize("p1", authorization("p1"), NOON) is None


async def test_approved(ledger: Ledger) -> None:
    """What a person said, for each payment its own; None while nobody has."""
    for payment_id in ("p1", "p2", "p3"):
        await reserved(ledger, payment_id, ask_until=UNTIL)
    decided = await ledger.decide("p1", "test", NOON, approve=True)
    await ledger.decide("p2", "test", NOON, approve=False)
    words = [await ledger.approved(payment_id) for payment_id in ("p1", "p2", "p3")]

    assert [True, False, None] == words
    assert isinstance(decided, Payment)
    assert "p1" == decided.id
    assert ["p3"] == [asked.payment.id for asked in await ledger.asked()]


async def test_decided_once(ledger: Ledger) -> None:
    """The first word stands."""
    await reserved(ledger, "p1", ask_until=UNTIL)
    await ledger.decide("p1", "test", NOON, approve=False)
    second = await ledger.decide("p1", "test", NOON, approve=True)

    assert ("not_waiting", False) == (rule_of(second), await ledger.approved("p1"))


async def test_nothing_to_decide(ledger: Ledger) -> None:
    """Denied for a payment that nobody was asked about, that is gone, or that nobody knows."""
    await reserved(ledger, "p1")
    await reserved(ledger, "p2", ask_until=UNTIL)
    await ledger.void("p2", Proof("unsigned"), NOON)
    words = [await ledger.decide(name, "test", NOON, approve=True) for name in ("p1", "p2", "p3")]

    assert ["not_waiting"] * 3 == [rule_of(word) for word in words]
    assert () == await ledger.asked()


async def test_too_late(ledger: Ledger) -> None:
    """From ``ask_until`` on nothing can be decided."""
    await reserved(ledger, "p1", ask_until=UNTIL)
    late = await ledger.decide("p1", "test", UNTIL, approve=True)

    assert ("not_waiting", None) == (rule_of(late), await ledger.approved("p1"))


async def test_another_process(store: Store) -> None:
    """Any process may give the word; it is there after a restart, and the books agree."""
    one, two = await store.open("one"), await store.open("two")
    await reserved(one, "p1", ask_until=UNTIL)
    await two.decide("p1", "test", NOON, approve=True)
    allowed = await one.authorize("p1", authorization("p1"), NOON)
    await store.kill(one)
    await store.kill(two)
    three = await store.open("three")

    assert allowed is None
    assert await three.approved("p1") is True
    assert ["p1"] == [payment.id for payment in await three.in_doubt()]


async def test_a_new_payment_is_asked_anew(ledger: Ledger) -> None:
    """An approval is of one payment, not of its purchase."""
    await reserved(ledger, "p1", key="one call", ask_until=UNTIL)
    await ledger.decide("p1", "test", NOON, approve=True)
    await ledger.void("p1", Proof("unsigned"), NOON)
    await ledger.reserve(intent("p2", key="one call", ask_until=UNTIL), NOON)

    assert "approval" == rule_of(await ledger.authorize("p2", authorization("p2"), NOON))
