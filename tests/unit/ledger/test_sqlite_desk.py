"""``sidecar.ledger.sqlite_desk``: what a person reads in a ledger file."""

from __future__ import annotations

from pathlib import Path

from sidecar.ledger import sqlite_desk
from sidecar.ledger.model import Purchase
from sidecar.ledger.sqlite import SqliteLedger
from tests.world.fakes import NOON
from tests.world.intents import authorized, posted


async def test_history(tmp_path: Path) -> None:
    """Every step of a payment, as it was written down, oldest first; none of another one's."""
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, "one")
    await posted(ledger, "pay_1", amount=7)
    await authorized(ledger, "pay_2", key="again")
    await ledger.release("pay_2")
    await ledger.claim(Purchase("again", explicit=False), NOON, NOON)
    await ledger.deliver("pay_1", NOON)
    await ledger.close()
    first, second = (sqlite_desk.history(path, f"pay_{number}") for number in (1, 2))

    assert ["reserved", "authorized", "posted", "delivered"] == [step.kind for step in first]
    assert (NOON, 7) == (first[0].at, first[0].detail["amount"])
    assert {"proof": "receipt", "transaction": "0xmoved"} == first[2].detail
    assert ["reserved", "authorized", "claimed"] == [step.kind for step in second]
    assert () == sqlite_desk.history(path, "pay_3")


async def test_standing(tmp_path: Path) -> None:
    """What is in doubt and whether it is frozen can be read beside whoever writes."""
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, "one")
    await authorized(ledger, "pay_1")
    before = sqlite_desk.frozen_since(path)
    await ledger.freeze(NOON)
    sqlite_desk.check_writable(path)

    assert (None, NOON) == (before, sqlite_desk.frozen_since(path))
    assert ["pay_1"] == [payment.id for payment in sqlite_desk.in_doubt(path)]
    await ledger.close()
