"""Three processes on two machines spend slices of a centre, lose it, die and come back.

After each step all files are read from outside: what they have set aside and spent is no more than
the centre counts, and the centre counts no more than the caps. At the end everything that was not
spent can be spent by somebody else. 20 such stories; SIDECAR_LEASE_EXAMPLES=N tells more.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sidecar.errors import LedgerError
from sidecar.ledger.model import Budget, Payment, PaymentState, Window
from sidecar.ledger.slices import LeaseTerms
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from tests.world.intents import EXPIRED, HOUR, RECEIPT, UNSIGNED, authorization, intent
from tests.world.leased_store import InSqlite
from tests.world.replicas_on_slices import Replica, Replicas

T = TypeVar("T")

HOURLY = Budget("hour", Usdc(40), Window.HOUR)
TOTAL = Budget("all", Usdc(70), Window.TOTAL)
TERMS = LeaseTerms(Usdc(6), 60.0)
PROCESSES = st.sampled_from((0, 1, 2))
_MADE = "SELECT amount, windows FROM payments WHERE state <> 'voided'"
_COUNTED = "SELECT budget, starts_at, reserved + spent FROM windows"
BUDGETS = st.sampled_from(((HOURLY,), (TOTAL,), (HOURLY, TOTAL)))


class LeasesMachine(RuleBasedStateMachine):
    """The steps that replicas, their cables and their clocks can take."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.path = Path(self.folder.name)
        self.centre = InSqlite(self.path)
        self.replicas = Replicas(self.path, self.centre)
        self.made: list[str] = []
        self.processes = [
            self.run(self.replicas.start(name, TERMS, path_of))
            for name, path_of in (("a", "a"), ("b", "b"), ("c", "a"))
        ]

    def run(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        return self.runner.run(wait())

    def attempt(self, work: Awaitable[T]) -> T | None:
        """None where the centre could not be asked, and nothing else went wrong."""
        try:
            return self.run(work)
        except LedgerError as fault:
            if not any(word in str(fault) for word in ("reached", "lost")):
                raise
            return None

    def teardown(self) -> None:
        for process in self.processes:
            process.cable.away = process.cable.loses_answers = False
        for process in self.processes[:2]:
            self.run(self._settle_all(process))
        for process in self.processes:
            self.run(process.stop())
        for path in ("a.db", "b.db"):
            for payment in SqliteLedger.read(self.path / path, None, 10_000):
                assert payment.state in (PaymentState.POSTED, PaymentState.VOIDED)
        heir = self.run(self.replicas.start("heir", TERMS))
        (use,) = self.run(heir.ledger.budgets([TOTAL], self.replicas.clock.now()))
        assert 0 == use.reserved.atomic
        assert TOTAL.limit.atomic == use.spent.atomic + self.run(self._spend(heir))
        self.run(self.replicas.close())
        self.runner.close()
        self.folder.cleanup()

    async def _spend(self, heir: Replica) -> int:
        paid, now = 0, self.replicas.clock.now()
        while paid <= TOTAL.limit.atomic:
            if not isinstance(await heir.ledger.reserve(heir.intent(1, TOTAL), now), Payment):
                break
            paid += 1
        return paid

    async def _settle_all(self, process: Replica) -> None:
        now = self.replicas.clock.now()
        for payment in SqliteLedger.read(process.path, None, 10_000):
            if payment.state is PaymentState.RESERVED:
                await process.ledger.void(payment.id, UNSIGNED, now)
            elif payment.state is PaymentState.AUTHORIZED:
                await process.ledger.post(payment.id, RECEIPT, now)

    # What the processes do.

    @rule(number=PROCESSES, amount=st.integers(1, 9), budgets=BUDGETS)
    def reserve(self, number: int, amount: int, budgets: tuple[Budget, ...]) -> None:
        payment_id = f"p{len(self.made)}"
        self.made.append(payment_id)
        wanted = intent(payment_id, amount=amount, budgets=budgets)
        process = self.processes[number]
        self.attempt(process.ledger.reserve(wanted, self.replicas.clock.now()))

    @rule(number=PROCESSES, which=st.integers(0, 99), step=st.sampled_from(("post", "void")))
    def move(self, number: int, which: int, step: str) -> None:
        process, now = self.processes[number], self.replicas.clock.now()
        rows = SqliteLedger.read(process.path, None, 10_000)
        if not rows:
            return
        row = rows[which % len(rows)]
        if row.state is PaymentState.RESERVED and step == "void":
            self.attempt(process.ledger.void(row.id, UNSIGNED, now))
        elif row.state is PaymentState.RESERVED:
            self.attempt(process.ledger.authorize(row.id, authorization(row.id), now))
        elif row.state is PaymentState.AUTHORIZED:
            proof, move = (RECEIPT, process.ledger.post)
            if step == "void":
                proof, move = (EXPIRED, process.ledger.void)
            self.attempt(move(row.id, proof, now + HOUR))

    @rule(number=PROCESSES)
    def keep(self, number: int) -> None:
        self.attempt(self.processes[number].ledger.keep_leases())

    @rule(number=PROCESSES, away=st.booleans(), loses=st.booleans())
    def cable(self, number: int, away: bool, loses: bool) -> None:
        cable = self.processes[number].cable
        cable.away, cable.loses_answers = away, loses

    @rule(number=PROCESSES, orderly=st.booleans())
    def restart(self, number: int, orderly: bool) -> None:
        process = self.processes[number]
        self.run(process.stop() if orderly else process.kill())
        self.run(process.start())

    @rule(seconds=st.sampled_from((1, 30, 60, 3_600)))
    def wait(self, seconds: int) -> None:
        self.replicas.clock.advance(seconds)

    # What must hold.

    @invariant()
    def nothing_over(self) -> None:
        """What could move <= what the centre counts <= every cap, at every moment."""
        used: Counter[tuple[str, int]] = Counter()
        for name in ("a.db", "b.db"):
            for amount, windows in rows_of(self.path / name, _MADE):
                for budget, starts_at in json.loads(windows):
                    used[budget, starts_at] += amount
        counted = {
            (budget, starts_at): sums
            for budget, starts_at, sums in rows_of(self.path / "centre.db", _COUNTED)
        }
        for key, amount in used.items():
            cap = HOURLY if key[0] == HOURLY.name else TOTAL
            assert amount <= counted[key] <= cap.limit.atomic


def rows_of(path: Path, question: str) -> list[tuple[Any, ...]]:
    """What a file says to somebody who knows nothing of the ledger."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(question).fetchall()


LeasesMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("SIDECAR_LEASE_EXAMPLES", "20")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLeasesMachine = LeasesMachine.TestCase
