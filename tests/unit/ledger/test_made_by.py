"""Which process made which payment."""

from __future__ import annotations

from pathlib import Path

from sidecar.ledger import sqlite_desk
from sidecar.ledger.sqlite import SqliteLedger
from tests.unit.cli.rows import NOW, intent


async def test_own_payments(tmp_path: Path) -> None:
    """The payments of one process are those that it reserved, oldest first, and no others."""
    path = tmp_path / "ledger.db"
    one = await SqliteLedger.open(path, "one")
    two = await SqliteLedger.open(path, "two")
    for ledger, payment in ((one, "pay_1"), (two, "pay_2"), (one, "pay_3")):
        await ledger.reserve(intent(payment), NOW)
    await one.close()
    await two.close()

    assert (["pay_1", "pay_3"], ["pay_2"], []) == tuple(
        [payment.id for payment in sqlite_desk.made_by(path, name)]
        for name in ("one", "two", "three")
    )
