"""A replica that spends slices and is killed, again and again, each time a moment later.

    python -m tests.world.dying_replica URL FILE CHAIN NAME MOMENTS STEP CAP

Each life is a process of its own, and ends by SIGKILL at its n-th moment, up to MOMENTS in STEPs: a
moment is one side of an exchange with the centre or of a turn at the file. What a life presents
it writes to CHAIN, one line for each transfer, which no crash takes back. At the end this tells
how many lives there were, and how many of them ended before their moment came.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sidecar.clock import SystemClock
from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_slices
from sidecar.ledger.leased import LeasedLedger
from sidecar.ledger.leases import Leases
from sidecar.ledger.model import Budget, Payment, Window
from sidecar.ledger.postgres import PostgresLedger
from sidecar.ledger.slices import LeaseTerms
from sidecar.ledger.sqlite import LOCK_WAIT_S, open_books
from sidecar.ledger.sqlite_writer import Writer
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import RECEIPT, UNSIGNED, authorization, intent

AMOUNTS = (1, 3, 2, 5, 1)
TERMS = LeaseTerms(Usdc(6), 60.0)


class Moments:
    """Counts them, and dies at one."""

    def __init__(self, last: int | None) -> None:
        self._last = last
        self._passed = 0

    def go_by(self) -> None:
        self._passed += 1
        if self._passed == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, target: Any, method: str) -> Any:
        """The same thing, with a moment on each side of this method."""
        return _Mortal(self, target, method)


class _Mortal:
    def __init__(self, moments: Moments, target: Any, method: str) -> None:
        self._moments, self._target, self._method = moments, target, method

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if name != self._method:
            return method

        async def call(*args: Any, **kw: Any) -> Any:
            self._moments.go_by()
            result = await method(*args, **kw)
            self._moments.go_by()
            return result

        return call


async def open_mortal(url: str, file: Path, instance: str, moments: Moments) -> LeasedLedger:
    """A leased ledger whose every step is one of these moments."""
    centre = await PostgresLedger.open(url, instance)
    writer = Writer(file, lambda: open_books(file, instance, LOCK_WAIT_S), lambda _: None)
    await writer.start()
    holder = await writer.do(lambda books: sqlite_slices.prepare(books.connection, instance))
    mortal = moments.around(writer, "do")
    slices = moments.around(centre.slices, "exchange")
    return LeasedLedger(centre, mortal, Leases(mortal, slices, holder, TERMS, SystemClock()))


async def live(url: str, file: Path, chain: Path, name: str, cap: int, last: int | None) -> None:
    """One life: what was left open is dropped or left in doubt, then some payments are made."""
    budgets = (Budget("cap", Usdc(cap), Window.TOTAL),)
    ledger = await open_mortal(url, file, name, Moments(last))
    try:
        for payment in await ledger.orphaned():
            await ledger.void(payment.id, UNSIGNED, NOON)
        for number, amount in enumerate(AMOUNTS):
            wanted = intent(f"{name}-{number}", amount=amount, budgets=budgets)
            made = await ledger.reserve(wanted, NOON)
            if isinstance(made, Payment):
                await ledger.authorize(made.id, authorization(made.id), NOON)
                present(chain, made.id, amount)
                await ledger.post(made.id, RECEIPT, NOON)
                await ledger.deliver(made.id, NOON)
            await ledger.keep_leases()
        await ledger.keep_leases()
    finally:
        await ledger.close()


def present(chain: Path, payment_id: str, amount: int) -> None:
    """The transfer: nothing takes it back."""
    descriptor = os.open(chain, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{payment_id} {amount}\n".encode())
    os.close(descriptor)


def main() -> None:
    """One life after the other."""
    url, file, chain, name, last, step, cap = sys.argv[1:]
    lives = survived = 0
    for moment in range(1, int(last) + 1, int(step)):
        lives += 1
        child = os.fork()
        if child == 0:
            # An answer that another life's end made impossible is no bug of this one.
            code = 0
            try:
                asyncio.run(
                    live(url, Path(file), Path(chain), f"{name}-{moment}", int(cap), moment)
                )
            except LedgerError as fault:
                print(fault, file=sys.stderr, flush=True)
                code = 1
            os._exit(code)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert 0 == os.waitstatus_to_exitcode(status), "a life ended by a fault"
            survived += 1
    print(lives, survived, flush=True)


if __name__ == "__main__":
    main()
