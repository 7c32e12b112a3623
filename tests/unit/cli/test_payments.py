"""`sidecar payments`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.commands import Command, write_config
from tests.unit.cli.rows import PAYEE, write_ledger

TRANSACTION = "0x" + "22" * 32


def made(folder: Path, transaction: str = TRANSACTION) -> Path:
    path = write_config(folder, "hosts", to=[])
    (folder / "state").mkdir(mode=0o700)
    write_ledger(folder / "state" / "ledger.db", transaction)
    return path


def test_json(sidecar: Command, tmp_path: Path) -> None:
    """Rows come newest first, amounts as text and as whole atomic units."""
    ran = sidecar("payments", "--config", made(tmp_path), "--json")

    common = {
        "route": "seller",
        "caller": "aider",
        "purpose": "request",
        "network": "eip155:8453",
        "amount_usdc": "0.01",
        "amount_atomic": 10_000,
        "pay_to": PAYEE,
    }
    assert [
        {
            "id": "pay_2",
            "state": "reserved",
            **common,
            "transaction": None,
            "reserved_at": "2026-01-02T04:04:05.000Z",
            "settled_at": None,
            "delivered_at": None,
            "confirmed": False,
            "proof": None,
            "closed_at": None,
            "resolved_by": None,
        },
        {
            "id": "pay_1",
            "state": "posted",
            **common,
            "transaction": TRANSACTION,
            "reserved_at": "2026-01-02T03:04:05.000Z",
            "settled_at": "2026-01-02T03:04:06.000Z",
            "delivered_at": "2026-01-02T03:04:06.500Z",
            "confirmed": True,
            "proof": "receipt",
            "closed_at": None,
            "resolved_by": None,
        },
    ] == json.loads(ran.out)


def test_table(sidecar: Command, tmp_path: Path) -> None:
    """Off a terminal a table is tab-separated lines under a header."""
    ran = sidecar("payments", "--config", made(tmp_path), "--limit", "1")

    assert (
        "RESERVED_AT\tID\tSTATE\tROUTE\tCALLER\tPURPOSE\tAMOUNT_USDC\tDELIVERED_AT\tPROOF\n"
        "2026-01-02T04:04:05.000Z\tpay_2\treserved\tseller\taider\trequest\t0.01\t-\t-\n"
    ) == ran.out


def test_csv(sidecar: Command, tmp_path: Path) -> None:
    """CSV has every column, and no cell that a spreadsheet would run."""
    ran = sidecar("payments", "--config", made(tmp_path, '=cmd("x")\x1b'), "--csv")

    assert (
        "id,state,route,caller,purpose,network,amount_usdc,amount_atomic,pay_to,transaction,"
        "reserved_at,settled_at,delivered_at,confirmed,proof,closed_at,resolved_by\n"
        f"pay_2,reserved,seller,aider,request,eip155:8453,0.01,10000,{PAYEE},,"
        "2026-01-02T04:04:05.000Z,,,false,,,\n"
        f"pay_1,posted,seller,aider,request,eip155:8453,0.01,10000,{PAYEE},"
        '"\'=cmd(""x"")?",2026-01-02T03:04:05.000Z,2026-01-02T03:04:06.000Z,'
        "2026-01-02T03:04:06.500Z,true,receipt,,\n"
    ) == ran.out


def test_since(sidecar: Command, tmp_path: Path) -> None:
    """--since leaves out what is older: the rows of this ledger are."""
    path = made(tmp_path)

    assert [] == json.loads(sidecar("payments", "--config", path, "--json", "--since", "1m").out)


def test_wrong_flags(sidecar: Command, tmp_path: Path) -> None:
    """A duration or a limit that is none is refused with the fix."""
    path = write_config(tmp_path, "hosts", to=[])

    assert [
        (2, "--since: not a duration: yesterday; write it like 30m, 24h or 7d\n"),
        (2, "--limit: out of range: 0; use 1 to 100000\n"),
    ] == [
        (ran.status, ran.err)
        for ran in (
            sidecar("payments", "--config", path, "--since", "yesterday"),
            sidecar("payments", "--config", path, "--limit", "0"),
        )
    ]


def test_no_ledger(sidecar: Command, tmp_path: Path) -> None:
    """A ledger that is not there is no empty ledger."""
    path = write_config(tmp_path, "hosts", to=[])
    ledger = tmp_path / "elsewhere" / "ledger.db"

    ran = sidecar("payments", "--config", path, "--state-dir", ledger.parent)

    assert (7, f"sidecar: ledger {ledger}: there is none yet; the first run makes it\n") == (
        ran.status,
        ran.err,
    )
