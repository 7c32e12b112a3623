"""What a person may say of a payment, when, and what is written down of it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_desk
from sidecar.ledger.model import Payment, PaymentState, Proof, TopUpRule
from sidecar.ledger.resolutions import EXPIRY_MARGIN, Resolution, objection
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import DAY, HOUR, authorization, authorized, posted, reserved, row_of

PERSON = Proof("person")
VOIDABLE_AT = authorization("p1").expires_at + EXPIRY_MARGIN
RULE = TopUpRule(NOON, 10)
TELLS = """
SELECT kind, json_extract(detail, '$.by') FROM events WHERE kind <> 'claimed' ORDER BY seq
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """The ledger of a sidecar that runs."""
    opened = await SqliteLedger.open(path, "running")
    yield opened
    await opened.close()


async def in_doubt(ledger: SqliteLedger) -> Payment:
    """A payment that nobody waits for."""
    payment = await authorized(ledger, "p1")
    await ledger.release("p1")
    return payment


def rule(answer: Payment | Denied) -> str:
    return answer.rule if isinstance(answer, Denied) else answer.state


def said(path: Path) -> list[tuple[str, str | None]]:
    """Every event but claims, and who told it."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(TELLS).fetchall()


async def test_posted(ledger: SqliteLedger, path: Path) -> None:
    """A payment in doubt is posted on a person's word, unconfirmed, and it says whose."""
    await in_doubt(ledger)
    answer = sqlite_desk.resolve(path, "p1", Resolution.POSTED, PERSON, "ann", NOON)
    (use,) = await ledger.budgets((DAY,), NOON)

    assert answer == await row_of(ledger, "p1")
    assert isinstance(answer, Payment)
    assert (PaymentState.POSTED, PERSON, False) == (answer.state, answer.proof, answer.confirmed)
    assert [("reserved", None), ("authorized", None), ("posted", "ann")] == said(path)
    assert {"p1": "ann"} == sqlite_desk.resolvers(path, [answer])
    assert (0, 1) == (use.reserved.atomic, use.spent.atomic)


async def test_posted_with_a_transaction(ledger: SqliteLedger, path: Path) -> None:
    """A person who names the transaction vouches for it."""
    await in_doubt(ledger)
    proof = Proof("person", "0xmoved")
    answer = sqlite_desk.resolve(path, "p1", Resolution.POSTED, proof, "ann", NOON)

    assert isinstance(answer, Payment)
    assert answer.confirmed


async def test_voided(ledger: SqliteLedger, path: Path) -> None:
    """Past the expiry and its margin a person's word frees the amount; a moment before, never."""
    await in_doubt(ledger)
    early = VOIDABLE_AT - timedelta(milliseconds=1)
    refused = sqlite_desk.resolve(path, "p1", Resolution.VOIDED, PERSON, "ann", early)
    answer = sqlite_desk.resolve(path, "p1", Resolution.VOIDED, PERSON, "ann", VOIDABLE_AT)
    (use,) = await ledger.budgets((DAY,), NOON)

    assert ("not_expired", "voided") == (rule(refused), rule(answer))
    assert (0, 0) == (use.reserved.atomic, use.spent.atomic)


async def test_void_has_one_door(ledger: SqliteLedger) -> None:
    """Whoever calls: a word before the expiry, or on what was not signed, voids nothing."""
    await in_doubt(ledger)
    await reserved(ledger, "p2")

    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p1", PERSON, VOIDABLE_AT - timedelta(milliseconds=1))
    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p2", PERSON, VOIDABLE_AT)
    with pytest.raises(LedgerError, match="does not prove"):
        await ledger.void("p1", Proof("served"), VOIDABLE_AT)


async def test_held(ledger: SqliteLedger, path: Path) -> None:
    """What a live request is being served by is nobody else's to settle; once free it is."""
    await authorized(ledger, "p1")
    held = sqlite_desk.find(path, "p1")
    refused = sqlite_desk.resolve(path, "p1", Resolution.POSTED, PERSON, "ann", NOON)
    await ledger.release("p1")
    free = sqlite_desk.find(path, "p1")
    answer = sqlite_desk.resolve(path, "p1", Resolution.POSTED, PERSON, "ann", NOON)

    assert held is not None
    assert free is not None
    assert (True, False) == (held.held, free.held)
    assert ("held", "posted") == (rule(refused), rule(answer))


@pytest.mark.parametrize("word", [Resolution.POSTED, Resolution.VOIDED])
async def test_terminal(ledger: SqliteLedger, path: Path, word: Resolution) -> None:
    """What is posted or voided stays so, whatever anybody says."""
    await posted(ledger, "p1")
    await ledger.release("p1")
    await authorized(ledger, "p2")
    await ledger.void("p2", Proof("expired"), NOON)
    answers = [
        sqlite_desk.resolve(path, name, word, PERSON, "ann", VOIDABLE_AT) for name in ("p1", "p2")
    ]

    assert ["settled", "settled"] == [rule(answer) for answer in answers]


async def test_not_signed(ledger: SqliteLedger, path: Path) -> None:
    """Nothing was signed for a reservation, so there is nothing to say of it."""
    await reserved(ledger, "p1")

    assert "not_signed" == rule(
        sqlite_desk.resolve(path, "p1", Resolution.POSTED, PERSON, "ann", NOON)
    )


async def test_unknown(ledger: SqliteLedger, path: Path) -> None:
    """An id that no payment has is a fault, and finds nothing."""
    assert sqlite_desk.find(path, "p9") is None
    with pytest.raises(LedgerError, match="there is no payment p9"):
        sqlite_desk.resolve(path, "p9", Resolution.POSTED, PERSON, "ann", NOON)


async def test_credited(ledger: SqliteLedger, path: Path) -> None:
    """An unproven top-up is complete when a person saw its credit, though its process lives."""
    await posted(ledger, "p1", key="tab", top_up=RULE)
    answer = sqlite_desk.resolve(path, "p1", Resolution.CREDITED, PERSON, "ann", NOON + HOUR)
    again = sqlite_desk.resolve(path, "p1", Resolution.LOST, PERSON, "ann", NOON + HOUR)
    second = await reserved(ledger, "p2", key="tab", top_up=replace(RULE, since=NOON + 2 * HOUR))

    assert isinstance(answer, Payment)
    assert (NOON + HOUR, None) == (answer.delivered_at, answer.closed_at)
    assert "ended" == rule(again)
    assert ("delivered", "ann") in said(path)
    assert "p2" == second.id


async def test_lost(ledger: SqliteLedger, path: Path) -> None:
    """One whose credit never came is closed as undelivered, and another may be bought."""
    await posted(ledger, "p1", key="tab", top_up=RULE)
    answer = sqlite_desk.resolve(path, "p1", Resolution.LOST, PERSON, "ann", NOON + HOUR)
    again = sqlite_desk.resolve(path, "p1", Resolution.CREDITED, PERSON, "ann", NOON + HOUR)
    second = await reserved(ledger, "p2", key="tab", top_up=RULE)

    assert isinstance(answer, Payment)
    assert (None, NOON + HOUR) == (answer.delivered_at, answer.closed_at)
    assert "ended" == rule(again)
    assert ["p1", "p2"] == [each.id for each in sqlite_desk.top_ups(path)]
    assert {"p1": "ann"} == sqlite_desk.resolvers(path, [answer, second])


@pytest.mark.parametrize("word", [Resolution.CREDITED, Resolution.LOST])
async def test_no_top_up(ledger: SqliteLedger, word: Resolution) -> None:
    """Only a top-up that was posted is credited or lost."""
    payment = await posted(ledger, "p1")
    doubtful = await authorized(ledger, "p2", key="tab", top_up=RULE)
    answers = [objection(each, word, False, NOON) for each in (payment, doubtful)]

    assert ["not_a_top_up", "not_posted"] == [each.rule if each else "" for each in answers]


async def test_audited(ledger: SqliteLedger, path: Path) -> None:
    """The books agree with their events after every word, so the next start pays from them."""
    await in_doubt(ledger)
    await posted(ledger, "p2", key="tab", top_up=RULE)
    await posted(ledger, "p3", key="other", top_up=RULE)
    sqlite_desk.resolve(path, "p1", Resolution.VOIDED, PERSON, "ann", VOIDABLE_AT)
    sqlite_desk.resolve(path, "p2", Resolution.CREDITED, PERSON, "ann", NOON)
    sqlite_desk.resolve(path, "p3", Resolution.LOST, PERSON, "ann", NOON)
    # Late, from the process that still hoped for it.
    await ledger.deliver("p3", NOON + HOUR)
    second = await SqliteLedger.open(path, "second")
    await second.close()

    assert 3 == len(await ledger.payments(None, 10))
