"""`sidecar approvals`, `approve` and `refuse`, beside a running sidecar or not."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sidecar.ledger import sqlite_desk
from sidecar.ledger.sqlite import SqliteLedger
from tests.unit.cli.commands import Command, write_config
from tests.world.intents import reserved

UNTIL = datetime(2100, 1, 1, tzinfo=UTC)


def made(folder: Path) -> Path:
    """A config, and in its ledger two payments that wait and one whose time is over."""

    async def ask() -> None:
        ledger = await SqliteLedger.open(folder / "state" / "ledger.db", "instance")
        await reserved(ledger, "p1", ask_until=UNTIL)
        await reserved(ledger, "p2", ask_until=UNTIL, pay_to="0x\x1b[31m")
        await reserved(ledger, "p3", ask_until=UNTIL - timedelta(days=36_500))
        await ledger.close()

    asyncio.run(ask())
    return write_config(folder, "hosts", to=[])


def test_approvals(sidecar: Command, tmp_path: Path) -> None:
    """What waits is listed, with all that a person needs to decide, harmless to a terminal."""
    path = made(tmp_path)
    table, as_json = (
        sidecar("approvals", "--config", path),
        sidecar("approvals", "--config", path, "--json"),
    )
    shown = json.loads(as_json.out)

    assert (
        "PAYMENT\tAMOUNT\tPAY_TO\tNETWORK\tROUTE\tCALLER\tPURPOSE\tUNTIL"
        == (table.out.splitlines()[0])
    )
    assert "\x1b" not in table.out
    assert ["p1", "p2", "p3"] == [row["payment"] for row in shown]
    assert ("0.000001 USDC", "2100-01-01T00:00:00Z") == (shown[0]["amount"], shown[0]["until"])


def test_no_ledger(sidecar: Command, tmp_path: Path) -> None:
    """Without a ledger nothing waits, and nothing can be decided."""
    path = write_config(tmp_path, "hosts", to=[])
    listed = sidecar("approvals", "--config", path, "--json")
    approve = sidecar("approve", "--config", path, "p1")

    assert (0, []) == (listed.status, json.loads(listed.out))
    assert (7, True) == (approve.status, "so nothing waits" in approve.err)


def test_decide(sidecar: Command, tmp_path: Path) -> None:
    """A word decides each payment that is named, and is told; the first word stands."""
    path = made(tmp_path)
    approved = sidecar("approve", "--config", path, "p1")
    refused = sidecar("refuse", "--config", path, "p2")
    again = sidecar("refuse", "--config", path, "p1")

    assert (0, "approved: 0.000001 USDC to 0xseller (p1)\n") == (approved.status, approved.out)
    assert (0, "refused: 0.000001 USDC to 0x?[31m (p2)\n") == (refused.status, refused.out)
    assert 3 == again.status
    assert ["p3"] == [
        asked.payment.id for asked in sqlite_desk.asked(tmp_path / "state" / "ledger.db")
    ]


def test_one_of_several(sidecar: Command, tmp_path: Path) -> None:
    """One that does not wait ends in status 3, and the others are decided all the same."""
    ran = sidecar("approve", "--config", made(tmp_path), "nobody\x07", "p3", "p1")

    assert 3 == ran.status
    assert "no payment nobody? waits for approval" in ran.out
    assert "no payment p3 waits for approval" in ran.out
    assert "approved: 0.000001 USDC to 0xseller (p1)\n" in ran.out
