"""Payments in a real ledger file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sidecar.ledger.model import Breaker, Budget, Intent, Payment, Proof, Purchase, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.x402.types import Authorization

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAYER, PAYEE, USDC = ("0x" + pair * 20 for pair in ("aa", "bb", "cc"))
NONCE = "0x" + "1a" * 32


def intent(payment_id: str, caller: str = "aider") -> Intent:
    """One call for a cent."""
    return Intent(
        id=payment_id,
        purchase=Purchase(payment_id, explicit=False),
        route="seller",
        caller=caller,
        purpose="request",
        scheme="exact",
        network="eip155:8453",
        asset=USDC,
        pay_to=PAYEE,
        amount=Usdc(10_000),
        envelope={},
        budgets=(Budget("day", Usdc(5_000_000), Window.DAY),),
        breaker=Breaker(5, timedelta(hours=1)),
    )


async def _write(path: Path, transaction: str, caller: str) -> None:
    ledger = await SqliteLedger.open(path, "instance")
    first = await ledger.reserve(intent("pay_1", caller), NOW)
    assert isinstance(first, Payment)
    until = NOW + timedelta(seconds=120)
    fields = {"from": PAYER, "nonce": NONCE}
    await ledger.authorize("pay_1", Authorization("eip155:8453", NONCE, until, fields), NOW)
    await ledger.post("pay_1", Proof("receipt", transaction), NOW + timedelta(seconds=1))
    await ledger.deliver("pay_1", NOW + timedelta(milliseconds=1500))
    await ledger.reserve(intent("pay_2", caller), NOW + timedelta(hours=1))
    await ledger.close()


def write_ledger(path: Path, transaction: str, caller: str = "aider") -> None:
    """A ledger with one payment that is over, and a newer one that has just been reserved."""
    asyncio.run(_write(path, transaction, caller))
