"""Two processes do anything to one ledger, in any order, and die; a list in memory agrees.

The model knows the rules of the contract and nothing of SQL. After each step the rows, the
budgets and the four questions must be what it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sidecar.errors import LedgerError
from sidecar.ledger.model import (
    Breaker,
    Budget,
    Change,
    Payment,
    PaymentState,
    PriceRule,
    Proof,
    Purchase,
    Window,
)
from sidecar.money import Usdc
from sidecar.refusal import Denied
from tests.world.fakes import NOON
from tests.world.intents import authorization, intent
from tests.world.postgres import PostgresServer
from tests.world.stores import PostgresStore, SqliteStore, Store

T = TypeVar("T")

HOUR = Budget("hour", Usdc(6), Window.HOUR)
TOTAL = Budget("all", Usdc(15), Window.TOTAL)
BREAKER = Breaker(undelivered_max=2, window=timedelta(minutes=90))
TTL = timedelta(minutes=20)
RESERVED, AUTHORIZED = PaymentState.RESERVED, PaymentState.AUTHORIZED
POSTED, VOIDED = PaymentState.POSTED, PaymentState.VOIDED

PROCESSES = st.sampled_from((0, 1))
PURCHASES = st.builds(Purchase, st.sampled_from(("a", "b")), st.booleans())
BUDGETS = st.sampled_from(((HOUR,), (TOTAL,), (HOUR, TOTAL), (TOTAL, HOUR, HOUR)))
PAYEES = st.sampled_from((None, "0xseller", "0xthief"))  # None: the config names the payees
TWICE = PriceRule("POST /call", Decimal(2))
PROOFS = st.sampled_from(
    ("receipt", "served", "upfront", "chain", "expired", "canceled", "unsigned")
)
POSTING = {"receipt", "served", "upfront", "chain"}


@dataclass
class Row:
    """What the model remembers of one payment."""

    id: str
    purchase: Purchase
    amount: int
    budgets: frozenset[tuple[Budget, int]]
    owner: str
    holder: str | None
    reserved_at: datetime
    priced: bool = False
    state: PaymentState = RESERVED
    confirmed: bool = False
    settled_at: datetime | None = None
    delivered_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state is not VOIDED and self.delivered_at is None and self.closed_at is None


def is_recent(row: Row, since: datetime | None) -> bool:
    """Whether it was settled no earlier."""
    return since is not None and row.settled_at is not None and row.settled_at >= since


class LedgerMachine(RuleBasedStateMachine):
    """The steps that two processes can take."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.store = self.made(Path(self.folder.name))
        self.runner = asyncio.Runner()
        self.now = NOON
        self.rows: list[Row] = []
        self.names = ["i1", "i2"]
        self.pinned: str | None = None
        self.frozen = False
        self.started = 2
        self.ledgers = [self.run(self.store.open(name)) for name in self.names]

    def made(self, folder: Path) -> Store:
        """Books that nobody has used."""
        return SqliteStore(folder / "ledger.db")

    def run(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        return self.runner.run(wait())

    def teardown(self) -> None:
        for ledger in self.ledgers:
            self.run(ledger.close())
        # What was written can be opened: the audit agrees with all of it.
        self.run(self.run(self.store.open("last")).close())
        self.runner.close()
        self.folder.cleanup()

    # What the model knows.

    def is_free(self, row: Row) -> bool:
        return row.holder not in self.names

    def used(self, budget: Budget, at: datetime) -> tuple[int, int]:
        key = (budget, budget.starts_at(at))
        inside = [row for row in self.rows if key in row.budgets]
        reserved = sum(row.amount for row in inside if row.state in (RESERVED, AUTHORIZED))
        return reserved, sum(row.amount for row in inside if row.state is POSTED)

    def pick(self, number: int) -> Row | None:
        return self.rows[number % len(self.rows)] if self.rows else None

    def usual(self) -> int | None:
        """What is usual at the one place where there are prices."""
        today = self.now.date()
        highest: dict[int, int] = {}
        for row in self.rows:
            if row.priced and row.state is not VOIDED:
                age = (today - row.reserved_at.date()).days
                highest[age] = max(row.amount, highest.get(age, 0))
        before = [amount for age, amount in highest.items() if 0 < age <= 30]
        return min(before, default=highest.get(0))

    def bind(
        self, purchase: Purchase, since: datetime | None
    ) -> tuple[Row | None, bool, list[Row]]:
        """The payment that a reservation binds to, whether one is busy, and orphans met."""
        busy, orphans = False, []
        for row in self.rows:
            if row.purchase != purchase or row.state is VOIDED or row.closed_at is not None:
                continue
            if not row.is_open and not purchase.explicit:
                continue
            at_work = row.state is RESERVED and row.owner in self.names
            if at_work or not self.is_free(row):
                busy = True
            elif row.state is RESERVED:
                orphans.append(row)
            elif row.state is AUTHORIZED or row.is_open or is_recent(row, since):
                return row, busy, orphans
        return None, busy, orphans

    # What the processes do.

    @rule(
        process=PROCESSES,
        purchase=PURCHASES,
        amount=st.integers(1, 4),
        budgets=BUDGETS,
        breaker=st.booleans(),
        recent=st.booleans(),
        payee=PAYEES,
        priced=st.booleans(),
    )
    def reserve(
        self,
        process: int,
        purchase: Purchase,
        amount: int,
        budgets: tuple[Budget, ...],
        breaker: bool,
        recent: bool,
        payee: str | None,
        priced: bool,
    ) -> None:
        payment_id = f"p{len(self.rows)}"
        since = self.now - TTL if recent else None
        wanted = intent(
            payment_id,
            key=purchase.key,
            explicit=purchase.explicit,
            amount=amount,
            budgets=budgets,
            breaker=BREAKER if breaker else Breaker(0, TTL),
            undelivered_since=since,
            pay_to=payee or "0xany",
            pin_place=None if payee is None else "",
            price=TWICE if priced else None,
        )
        result = self.run(self.ledgers[process].reserve(wanted, self.now))
        if self.frozen:
            assert isinstance(result, Denied)
            assert "frozen" == result.rule
            return

        bound, busy, orphans = self.bind(purchase, since)
        states = [orphan.state for orphan in orphans]
        for orphan in orphans:
            orphan.state, orphan.settled_at = VOIDED, self.now
        denied = bound is None and (
            ("in_progress" if purchase.explicit and busy else "")
            or self.changed(payee, amount if priced else 0)
            or self.refusal(amount, budgets, breaker)
        )
        if denied:
            assert isinstance(result, Denied), result
            assert denied == result.rule
            for orphan, state in zip(orphans, states, strict=True):
                orphan.state, orphan.settled_at = state, None
            return
        assert isinstance(result, Payment), result
        if bound is not None:
            assert bound.id == result.id
            bound.holder = self.names[process]
            return
        assert payment_id == result.id
        keys = frozenset((budget, budget.starts_at(self.now)) for budget in budgets)
        name = self.names[process]
        self.rows.append(Row(payment_id, purchase, amount, keys, name, name, self.now, priced))
        self.pinned = self.pinned or payee

    def changed(self, payee: str | None, price: int) -> str:
        if payee is not None and self.pinned is not None and payee != self.pinned:
            return "payee_changed"
        usual = self.usual()
        return "price_jump" if usual is not None and price > 2 * usual else ""

    def refusal(self, amount: int, budgets: tuple[Budget, ...], breaker: bool) -> str:
        closed = [row.closed_at for row in self.rows if row.closed_at is not None]
        recent = [at for at in closed if at >= self.now - BREAKER.window]
        if breaker and len(recent) >= BREAKER.undelivered_max:
            return "breaker"
        fits = [sum(self.used(each, self.now)) + amount <= each.limit.atomic for each in budgets]
        return "" if all(fits) else "budget"

    @rule(process=PROCESSES, number=st.integers(0, 99))
    def authorize(self, process: int, number: int) -> None:
        row = self.pick(number)
        if row is None:
            return
        work = self.ledgers[process].authorize(row.id, authorization(row.id), self.now)
        if self.frozen:
            assert isinstance(self.run(work), Denied)
        elif row.state is RESERVED:
            assert self.run(work) is None
            row.state = AUTHORIZED
        else:
            self.refused(work)

    def refused(self, work: Awaitable[object]) -> None:
        with pytest.raises(LedgerError):
            self.run(work)

    @rule(process=PROCESSES, number=st.integers(0, 99), kind=PROOFS)
    def post(self, process: int, number: int, kind: str) -> None:
        row = self.pick(number)
        if row is None:
            return
        self.posts(row, kind, self.ledgers[process].post(row.id, Proof(kind), self.now))

    @rule(process=PROCESSES, number=st.integers(0, 99), kind=PROOFS, delivered=st.booleans())
    def conclude(self, process: int, number: int, kind: str, delivered: bool) -> None:
        row = self.pick(number)
        if row is None:
            return
        ledger, proof = self.ledgers[process], Proof(kind)
        work = ledger.conclude(row.id, proof, self.now, delivered=delivered)
        if self.posts(row, kind, work):
            if delivered:
                row.delivered_at = row.delivered_at or self.now
            self.let_go(row, process)

    def posts(self, row: Row, kind: str, work: Awaitable[Change]) -> bool:
        """Whether this move was allowed."""
        if row.state is RESERVED or (row.state is AUTHORIZED and kind not in POSTING):
            self.refused(work)
            return False
        change = self.run(work)
        made = ""
        if row.state is AUTHORIZED:
            row.state, row.settled_at, row.confirmed = POSTED, self.now, kind != "served"
            made = "posted"
        elif row.state is POSTED and kind != "served" and not row.confirmed:
            row.confirmed, made = True, "confirmed"
        assert (row.id, row.state, made) == (change.payment.id, change.payment.state, change.made)
        return True

    @rule(process=PROCESSES, number=st.integers(0, 99), kind=PROOFS)
    def void(self, process: int, number: int, kind: str) -> None:
        row = self.pick(number)
        if row is None:
            return
        work = self.ledgers[process].void(row.id, Proof(kind), self.now)
        doors = {RESERVED: {"unsigned", "expired", "canceled"}, AUTHORIZED: {"expired", "canceled"}}
        if kind not in doors.get(row.state, {kind}):
            self.refused(work)
            return
        change = self.run(work)
        made = ""
        if row.state in doors:
            row.state, row.settled_at, made = VOIDED, self.now, "voided"
        assert (row.id, row.state, made) == (change.payment.id, change.payment.state, change.made)

    @rule(process=PROCESSES, purchase=PURCHASES)
    def claim(self, process: int, purchase: Purchase) -> None:
        since = self.now - TTL
        claimed = self.run(self.ledgers[process].claim(purchase, self.now, since))
        if isinstance(claimed, Denied):
            assert self.frozen
            return

        assert not self.frozen
        able = [
            row
            for row in self.rows
            if row.purchase == purchase
            and row.closed_at is None
            and (row.delivered_at is None or purchase.explicit)
            and self.is_free(row)
            and (
                row.state is AUTHORIZED
                or (row.state is POSTED and row.settled_at is not None and row.settled_at >= since)
            )
        ]
        assert [row.id for row in able[:1]] == [claimed.id for claimed in [claimed] if claimed]
        for row in able[:1]:
            row.holder = self.names[process]

    @rule(process=PROCESSES, number=st.integers(0, 99))
    def release(self, process: int, number: int) -> None:
        row = self.pick(number)
        if row is not None:
            self.run(self.ledgers[process].release(row.id))
            self.let_go(row, process)

    def let_go(self, row: Row, process: int) -> None:
        if row.holder == self.names[process]:
            row.holder = None

    @rule(process=PROCESSES, number=st.integers(0, 99))
    def deliver(self, process: int, number: int) -> None:
        row = self.pick(number)
        if row is None:
            return
        work = self.ledgers[process].deliver(row.id, self.now)
        if row.state is RESERVED:
            self.refused(work)
            return
        self.run(work)
        row.delivered_at = row.delivered_at or self.now
        self.let_go(row, process)

    @rule(process=PROCESSES, number=st.integers(0, 99))
    def give_up(self, process: int, number: int) -> None:
        row = self.pick(number)
        if row is None:
            return
        work = self.ledgers[process].give_up(row.id, self.now)
        if row.state is not POSTED or row.delivered_at is not None:
            self.refused(work)
            return
        self.run(work)
        row.closed_at = row.closed_at or self.now
        self.let_go(row, process)

    @rule(process=PROCESSES, cleanly=st.booleans())
    def restart(self, process: int, cleanly: bool) -> None:
        ledger = self.ledgers[process]
        self.run(ledger.close() if cleanly else self.store.kill(ledger, self.names[process]))
        self.started += 1
        self.names[process] = f"i{self.started}"
        self.ledgers[process] = self.run(self.store.open(self.names[process]))

    @rule(process=PROCESSES, frozen=st.sampled_from((True, False, False)))
    def switch(self, process: int, frozen: bool) -> None:
        ledger = self.ledgers[process]
        if frozen:
            self.run(ledger.freeze(self.now))
        else:
            was = self.run(ledger.unfreeze())
            assert self.frozen == (was is not None)
        self.frozen = frozen

    @rule(process=PROCESSES)
    def forget(self, process: int) -> None:
        forgotten = self.run(self.ledgers[process].forget_pins("venice"))
        assert ([self.pinned] if self.pinned else []) == [pin.pay_to for pin in forgotten]
        self.pinned = None

    @rule()
    def wait_a_day(self) -> None:
        self.now += timedelta(days=1)

    @rule(minutes=st.integers(1, 45))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    # What must be so after each step.

    @invariant()
    def rows_agree(self) -> None:
        assert [
            (
                row.id,
                row.state,
                row.confirmed,
                row.reserved_at,
                row.settled_at,
                row.delivered_at,
                row.closed_at,
            )
            for row in reversed(self.rows)
        ] == [
            (
                row.id,
                row.state,
                row.confirmed,
                row.reserved_at,
                row.settled_at,
                row.delivered_at,
                row.closed_at,
            )
            for row in self.run(self.ledgers[0].payments(None, 1000))
        ]

    @invariant()
    def budgets_agree(self) -> None:
        """S2: reserved + spent is what could move, and within every cap, at every moment."""
        for ledger in self.ledgers:
            for use in self.run(ledger.budgets((HOUR, TOTAL), self.now)):
                budget = HOUR if use.name == HOUR.name else TOTAL
                gone = (use.reserved.atomic, use.spent.atomic)
                assert self.used(budget, self.now) == gone
                assert sum(gone) <= budget.limit.atomic

    @invariant()
    def questions_agree(self) -> None:
        ledger = self.ledgers[1]
        rows, old = self.rows, self.now - TTL

        assert [row.id for row in rows if row.state is AUTHORIZED] == [
            row.id for row in self.run(ledger.in_doubt())
        ]
        expired = self.now >= authorization("").expires_at
        assert [
            row.id
            for row in rows
            if row.state is AUTHORIZED and (expired or row.holder != self.names[0])
        ] == [row.id for row in self.run(ledger.to_prove(self.now))]
        assert [row.id for row in rows if row.state is POSTED and not row.confirmed] == [
            row.id for row in self.run(ledger.unconfirmed())
        ]
        assert [
            row.id for row in rows if row.state is RESERVED and row.owner not in self.names
        ] == [row.id for row in self.run(ledger.orphaned())]
        assert [
            row.id
            for row in rows
            if row.state is POSTED
            and row.is_open
            and self.is_free(row)
            and row.settled_at is not None
            and row.settled_at < old
        ] == [row.id for row in self.run(ledger.undelivered(old))]

    @invariant()
    def switches_agree(self) -> None:
        for ledger in self.ledgers:
            pins = [pin.pay_to for pin in self.run(ledger.pins())]
            assert ([self.pinned] if self.pinned else []) == pins
            assert self.frozen == (self.run(ledger.frozen_since()) is not None)

    @invariant()
    def one_open_explicit(self) -> None:
        """S1: an explicit purchase has at most one open payment."""
        for key in ("a", "b"):
            mine = [row for row in self.rows if row.purchase == Purchase(key, explicit=True)]
            assert sum(row.is_open for row in mine) <= 1


class PostgresMachine(LedgerMachine):
    """The same steps on Postgres, each time in a schema of its own."""

    database = ""
    schemas = count(1)

    def made(self, folder: Path) -> Store:
        return PostgresStore(self.database, f"machine_{next(self.schemas)}")


def steps(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.fixture(scope="module")
def database_of_machines(postgres: PostgresServer) -> None:
    """The database that the machines share."""
    PostgresMachine.database = postgres.fresh_database()


LedgerMachine.TestCase.settings = steps(60)
PostgresMachine.TestCase.settings = steps(15)
TestLedgerMachine = LedgerMachine.TestCase
TestPostgresMachine = pytest.mark.usefixtures("database_of_machines")(PostgresMachine.TestCase)
