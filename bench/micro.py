"""What signing and a durable reservation cost beside the least that they could.

Run as a process of its own on the proxy's core: python -m bench.micro ROUNDS FOLDER; it prints
a JSON list with the microseconds of each round.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from coincurve import PrivateKey

import sidecar.ledger.memory_counts  # noqa: F401 - before sqlite3 is, as in the sidecar
from bench.growth import intent
from bench.sidecars import NETWORK, PAYEE
from sidecar.chains import usdc_on
from sidecar.ledger.model import Budget, Payment, Window
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.wallets.eip712 import checksum_address
from sidecar.wallets.evm import EvmWallet
from sidecar.x402.encode import Envelope
from sidecar.x402.types import V2, Authorization

SIGNATURES, RESERVATIONS, PAYERS = 500, 200, 32
PAGE = bytes(4096)
KEY = bytes(31) + b"\7"
# As the payer has it: one for all payments of an offer.
_OFFER = {
    "scheme": "exact",
    "network": NETWORK,
    "amount": "100",
    "asset": usdc_on(NETWORK).address,
    "payTo": PAYEE,
    "maxTimeoutSeconds": 60,
    "extra": {"name": "USDC", "version": "2"},
}
ENVELOPE = Envelope(
    header=V2.header, encoding=V2.encoding, document={"x402Version": 2, "accepted": _OFFER}
)


def _each_us(action: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - began) / times * 1e6


def signatures() -> dict[str, float]:
    """One EIP-3009 transfer signed by the wallet, and one digest by the library alone."""
    wallet, key, digest = EvmWallet(KEY), PrivateKey(KEY), bytes(range(32))
    until = (datetime.now(UTC) + timedelta(minutes=2)).replace(microsecond=0)
    nonce = "0x" + "44" * 32
    fields = {
        "from": wallet.address,
        "to": checksum_address(PAYEE),
        "value": "100",
        "validAfter": "0",
        "validBefore": str(int(until.timestamp())),
        "nonce": nonce,
        "asset": usdc_on(NETWORK).address,
    }
    authorization = Authorization(NETWORK, nonce, until, fields)
    return {
        "sign_us": _each_us(lambda: wallet.sign(authorization), SIGNATURES),
        "raw_sign_us": _each_us(lambda: key.sign_recoverable(digest, hasher=None), SIGNATURES),
    }


def raw_write(folder: Path) -> dict[str, float]:
    """A page written and synced, as the least that durability costs here."""
    descriptor = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write() -> None:
        os.write(descriptor, PAGE)
        os.fdatasync(descriptor)

    try:
        return {"fdatasync_us": _each_us(write, RESERVATIONS)}
    finally:
        os.close(descriptor)


async def reservations(ledger: SqliteLedger, round_: int) -> dict[str, float]:
    """Reservations by one payer, one after the other, and by many at once."""
    budgets = (Budget("day", Usdc(10**12), Window.DAY),)

    # What is to be paid is put together before it is timed: a reservation begins with it.
    intents = [
        [
            replace(intent(f"pay_{round_}_{number}_{at}", budgets), envelope=ENVELOPE)
            for at in range(RESERVATIONS)
        ]
        for number in range(PAYERS + 1)
    ]

    async def payer(number: int) -> None:
        for wanted in intents[number]:
            made = await ledger.reserve(wanted, datetime.now(UTC))
            assert isinstance(made, Payment)

    began = time.perf_counter()
    await payer(0)
    alone_s = time.perf_counter() - began
    began = time.perf_counter()
    await asyncio.gather(*(payer(number) for number in range(1, PAYERS + 1)))
    together_s = time.perf_counter() - began
    return {
        "reserve_us": alone_s / RESERVATIONS * 1e6,
        "reserve_32_us": together_s / RESERVATIONS / PAYERS * 1e6,
    }


async def main(rounds: int, folder: Path) -> None:
    """Take turns, and print what each took."""
    taken: list[dict[str, float]] = []
    ledger = await SqliteLedger.open(folder / "micro.db", "bench")
    try:
        for round_ in range(rounds):
            taken.append(signatures() | raw_write(folder) | await reservations(ledger, round_))
    finally:
        await ledger.close()
    print(json.dumps(taken))


if __name__ == "__main__":
    # The loop that `sidecar run` has.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), Path(sys.argv[2])))
