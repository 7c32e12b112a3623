"""What a person may say of a payment, when, and what is written down of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.desk import Desk
from sidecar.ledger.model import Payment, PaymentState, Proof, TopUpRule
from sidecar.ledger.resolutions import EXPIRY_MARGIN, Resolution, objection
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import DAY, HOUR, authorization, authorized, posted, reserved, row_of
from tests.world.stores import Store

PERSON = Proof("person")
VOIDABLE_AT = authorization("p1").expires_at + EXPIRY_MARGIN
RULE = TopUpRule(NOON, 10)


@pytest.fixture
async def ledger(store: Store) -> AsyncIterator[Ledger]:
    """The ledger of a sidecar that runs."""
    opened = await store.open("running")
    yield opened
    await opened.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    """The same ledger, as a person comes to it."""
    return store.desk()


async def in_doubt(ledger: Ledger) -> Payment:
    """A payment that nobody waits for."""
    payment = await authorized(ledger, "p1")
    await ledger.release("p1")
    return payment


def rule(answer: Payment | Denied) -> str:
    return answer.rule if isinstance(answer, Denied) else answer.state


def said(desk: Desk) -> list[tuple[str, str | None]]:
    """Every event of the first payment but claims, and who told it."""
    steps = desk.history("p1")
    return [(step.kind, step.detail.get("by")) for step in steps if step.kind != "claimed"]


async def test_posted(ledger: Ledger, desk: Desk) -> None:
    """A payment in doubt is posted on a person's word, unconfirmed, and it says whose."""
    await in_doubt(ledger)
    answer = desk.resolve("p1", Resolution.POSTED, PERSON, "ann", NOON)
    (use,) = await ledger.budgets((DAY,), NOON)

    assert answer == await row_of(ledger, "p1")
    assert isinstance(answer, Payment)
    assert (PaymentState.POSTED, PERSON, False) == (answer.state, answer.proof, answer.confirmed)
    assert [("reserved", None), ("authorized", None), ("posted", "ann")] == said(desk)
    assert {"p1": "ann"} == desk.resolvers([answer])
    assert (0, 1) == (use.reserved.atomic, use.spent.atomic)


async def test_posted_with_a_transaction(ledger: Ledger, desk: Desk) -> None:
    """A person who names the transaction vouches for it."""
    await in_doubt(ledger)
    proof = Proof("person", "0xmoved")
    answer = desk.resolve("p1", Resolution.POSTED, proof, "ann", NOON)

    assert isinstance(answer, Payment)
    assert answer.confirmed


async def test_voided(ledger: Ledger, desk: Desk) -> None:
    """Past the expiry and its margin a person's word frees the amount; a moment before, never."""
    await in_doubt(ledger)
    early = VOIDABLE_AT - timedelta(milliseconds=1)
    refused = desk.resolve("p1", Resolution.VOIDED, PERSON, "ann", early)
    answer = desk.resolve("p1", Resolution.VOIDED, PERSON, "ann", VOIDABLE_AT)
    (use,) = await ledger.budgets((DAY,), NOON)

    assert ("not_expired", "voided") == (rule(refused), rule(answer))
    assert (0, 0) == (use.reserved.atomic, use.spent.atomic)


async def test_void_has_one_door(ledger: Ledger) -> None:
    """Whoever calls: a word before the expiry, or on what was not signed, voids nothing."""
    await in_doubt(ledger)
    await reserved(ledger, "p2")

    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p1", PERSON, VOIDABLE_AT - timedelta(milliseconds=1))
    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p2", PERSON, VOIDABLE_AT)
    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p1", Proof("served"), VOIDABLE_AT)


async def test_held(ledger: Ledger, desk: Desk) -> None:
    """What a live request is being served by is nobody else's to settle; once free it is."""
    await authorized(ledger, "p1")
    held = desk.find("p1")
    refused = desk.resolve("p1", Resolution.POSTED, PERSON, "ann", NOON)
    await ledger.release("p1")
    free = desk.find("p1")
    answer = desk.resolve("p1", Resolution.POSTED, PERSON, "ann", NOON)

    assert held is not None
    assert free is not None
    assert (True, False) == (held.held, free.held)
    assert ("held", "posted") == (rule(refused), rule(answer))


@pytest.mark.parametrize("word", [Resolution.POSTED, Resolution.VOIDED])
async def test_terminal(ledger: Ledger, desk: Desk, word: Resolution) -> None:
    """What is posted or voided stays so, whatever anybody says."""
    await posted(ledger, "p1")
    await ledger.release("p1")
    await authorized(ledger, "p2")
    await ledger.void("p2", Proof("expired"), NOON)
    answers = [desk.resolve(name, word, PERSON, "ann", VOIDABLE_AT) for name in ("p1", "p2")]

    assert ["settled", "settled"] == [rule(answer) for answer in answers]


async def test_not_signed(ledger: Ledger, desk: Desk) -> None:
    """Nothing was signed for a reservation, so there is nothing to say of it."""
    await reserved(ledger, "p1")

    assert "not_signed" == rule(desk.resolve("p1", Resolution.POSTED, PERSON, "ann", NOON))


async def test_unknown(ledger: Ledger, desk: Desk) -> None:
    """An id that no payment has is a fault, and finds nothing."""
    assert desk.find("p9") is None
    with pytest.raises(LedgerError, match="there is no payment p9"):
        desk.resolve("p9", Resolution.POSTED, PERSON, "ann", NOON)


async def test_credited(ledger: Ledger, desk: Desk) -> None:
    """An unproven top-up is complete when a person saw its credit, though its process lives."""
    await posted(ledger, "p1", key="tab", top_up=RULE)
    answer = desk.resolve("p1", Resolution.CREDITED, PERSON, "ann", NOON + HOUR)
    again = desk.resolve("p1", Resolution.LOST, PERSON, "ann", NOON + HOUR)
    second = await reserved(ledger, "p2", key="tab", top_up=replace(RULE, since=NOON + 2 * HOUR))

    assert isinstance(answer, Payment)
    assert (NOON + HOUR, None) == (answer.delivered_at, answer.closed_at)
    assert "ended" == rule(again)
    assert ("delivered", "ann") in said(desk)
    assert "p2" == second.id


async def test_lost(ledger: Ledger, desk: Desk) -> None:
    """One whose credit never came is closed as undelivered, and another may be bought."""
    await posted(ledger, "p1", key="tab", top_up=RULE)
    answer = desk.resolve("p1", Resolution.LOST, PERSON, "ann", NOON + HOUR)
    again = desk.resolve("p1", Resolution.CREDITED, PERSON, "ann", NOON + HOUR)
    second = await reserved(ledger, "p2", key="tab", top_up=RULE)

    assert isinstance(answer, Payment)
    assert (None, NOON + HOUR) == (answer.delivered_at, answer.closed_at)
    assert "ended" == rule(again)
    assert ["p1", "p2"] == [each.id for each in desk.top_ups()]
    assert {"p1": "ann"} == desk.resolvers([answer, second])


@pytest.mark.parametrize("word", [Resolution.CREDITED, Resolution.LOST])
async def test_no_top_up(ledger: Ledger, word: Resolution) -> None:
    """Only a top-up that was posted is credited or lost."""
    payment = await posted(ledger, "p1")
    doubtful = await authorized(ledger, "p2", key="tab", top_up=RULE)
    answers = [objection(each, word, False, NOON) for each in (payment, doubtful)]

    assert ["not_a_top_up", "not_posted"] == [each.rule if each else "" for each in answers]


async def test_audited(ledger: Ledger, desk: Desk, store: Store) -> None:
    """The books agree with their events after every word, so the next start pays from them."""
    await in_doubt(ledger)
    await posted(ledger, "p2", key="tab", top_up=RULE)
    await posted(ledger, "p3", key="other", top_up=RULE)
    desk.resolve("p1", Resolution.VOIDED, PERSON, "ann", VOIDABLE_AT)
    desk.resolve("p2", Resolution.CREDITED, PERSON, "ann", NOON)
    desk.resolve("p3", Resolution.LOST, PERSON, "ann", NOON)
    # Late, from the process that still hoped for it.
    await ledger.deliver("p3", NOON + HOUR)
    second = await store.open("second")
    await second.close()

    assert 3 == len(await ledger.payments(None, 10))
