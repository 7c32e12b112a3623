"""A process that pays out of a ledger as fast as it can: five moves a payment, no seller.

    python -m bench.paying sqlite PATH NAME ...
    python -m bench.paying postgres URL NAME ...
    python -m bench.paying leased URL=PATH NAME ...       the rest: PAYERS SECONDS BUDGETS

``BUDGETS``: ``shared``, one for all payers of all processes; ``own``, one for each payer. It says
"ready", waits for a line, and tells in one line of JSON what it has done.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from bench.growth import intent
from bench.machine import ROOT
from sidecar.clock import SystemClock
from sidecar.ledger import Ledger
from sidecar.ledger.leased import LeasedLedger
from sidecar.ledger.model import Budget, Payment, Proof, Window
from sidecar.ledger.postgres import PostgresLedger
from sidecar.ledger.slices import LeaseTerms
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.x402.types import Authorization

STORES = ("sqlite", "postgres", "leased")
LIMIT = Usdc(10**15)
# A slice of so many payments at the price of bench.growth.
SLICE_PAYMENTS = 1_000
TERMS = LeaseTerms(Usdc(100 * SLICE_PAYMENTS), lifetime_s=60.0)
MOVES = ("claim", "reserve", "authorize", "post", "deliver")
SERVER_WAIT_S = 60.0
WARM_UP_S = 0.5


def _unheard(sentence: str) -> None:
    """What is not written fails in the caller as well."""


@asynccontextmanager
async def opened(
    store: str, place: str, name: str, terms: LeaseTerms = TERMS
) -> AsyncIterator[Ledger]:
    """A ledger of one of STORES, as a process of this name; at the end it is closed."""
    url, _, path = place.rpartition("=") if store == "leased" else (place, "", place)
    if store == "sqlite":
        alone = await SqliteLedger.open(Path(path), name, lock_wait_s=SERVER_WAIT_S)
        yield alone
        await alone.close()
        return
    centre = await PostgresLedger.open(url, name, wait_s=SERVER_WAIT_S)
    if store == "postgres":
        yield centre
        await centre.close()
        return
    clock = SystemClock()
    leased = await LeasedLedger.open(
        centre, centre.slices, Path(path), name, terms, clock, _unheard
    )
    kept = asyncio.create_task(_keep(leased, terms.lifetime_s / 3))
    yield leased
    kept.cancel()
    await asyncio.gather(kept, return_exceptions=True)
    await leased.close()


async def _keep(leased: LeasedLedger, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await leased.keep_leases()


def budgets_of(kind: str, payer: str) -> tuple[Budget, ...]:
    """What a payer draws from."""
    return (Budget("all" if kind == "shared" else payer, LIMIT, Window.TOTAL),)


async def pay(ledger: Ledger, payment_id: str, budgets: tuple[Budget, ...]) -> None:
    """One payment, from the first question to its last byte."""
    # Whole seconds, as the ends of all that wallets sign.
    now = datetime.now(UTC).replace(microsecond=0)
    wanted = intent(payment_id, budgets)
    assert await ledger.claim(wanted.purchase, now, now - timedelta(minutes=10)) is None
    made = await ledger.reserve(wanted, now)
    assert isinstance(made, Payment), made
    fields = {"from": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", "to": wanted.pay_to}
    signed = Authorization(
        wanted.network, f"nonce of {payment_id}", now + timedelta(minutes=2), fields
    )
    assert await ledger.authorize(payment_id, signed, now) is None
    await ledger.post(payment_id, Proof("receipt", "0x" + "33" * 32), now)
    await ledger.deliver(payment_id, now)


async def run(store: str, place: str, name: str, payers: int, wait_s: float, kind: str) -> None:
    """Pay with so many payers at once for this long, after a warm-up."""
    async with opened(store, place, name) as ledger:
        took_s: list[float] = []

        async def payer(number: int, ends_at: float) -> None:
            own = f"{name}-{number}"
            budgets = budgets_of(kind, own)
            while (began := time.monotonic()) < ends_at:
                await pay(ledger, f"{own}-{began}", budgets)
                took_s.append(time.monotonic() - began)

        warm_at = time.monotonic() + WARM_UP_S
        await asyncio.gather(*(payer(n, warm_at) for n in range(payers)))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        warm = len(took_s)
        took_s.clear()
        began, cpu_s = time.monotonic(), time.process_time()
        await asyncio.gather(*(payer(n, began + wait_s) for n in range(payers)))
        lasted_s = time.monotonic() - began
        figures = {
            "payments": len(took_s),
            "warm": warm,
            "lasted_s": lasted_s,
            "cpu_s": time.process_time() - cpu_s,
            "p50_ms": median(took_s) * 1e3,
            "p99_ms": sorted(took_s)[len(took_s) * 99 // 100] * 1e3,
        }
    print(json.dumps(figures), flush=True)


def start(*words: object) -> subprocess.Popen[str]:
    """Such a process, once it is ready."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "bench.paying", *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        process.kill()
        process.wait()
        raise RuntimeError(f"bench.paying {words[0]} did not start")
    return process


if __name__ == "__main__":
    which, where, who, many, seconds, budgets_kind = sys.argv[1:]
    asyncio.run(run(which, where, who, int(many), float(seconds), budgets_kind))
