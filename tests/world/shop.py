"""One app, one sidecar's money path, one seller: the walk without the sockets.

``App.call`` does what the proxy's handler does with one request. A process is ``Process``: it can
be killed and started again on the same ledger, with the same clock and seller.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sidecar.clock import WatchedClock
from sidecar.errors import UpstreamError
from sidecar.http import HttpRequest, Reply, Upstream, read_whole
from sidecar.ledger import Ledger
from sidecar.ledger.model import Breaker, Budget, Purchase, Window
from sidecar.money import Usdc
from sidecar.payments.approvals import ApprovalRule
from sidecar.payments.events import Event
from sidecar.payments.order import (
    InDoubt,
    Order,
    Outcome,
    Paid,
    PayingRoute,
    Rejected,
    Undelivered,
)
from sidecar.payments.payer import Payer
from sidecar.payments.prover import Chain, Prover
from sidecar.payments.purchases import Purchases
from sidecar.payments.recovery import Recovery
from sidecar.policy import Policy
from sidecar.providers.base import Occasion, PayInline
from sidecar.providers.pay_per_request import PayPerRequest
from sidecar.refusal import Denied
from sidecar.tasks import Supervisor
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.nonces import NonceSecret
from tests.world.crash import CrashPlan
from tests.world.fakes import FakeClock, FakeEntropy
from tests.world.seller import ORIGIN, RPC_URL, InMemorySeller
from tests.world.stores import SqliteStore, Store

NETWORK = "eip155:84532"
KEY = hashlib.sha256(b"a test's key").digest()
TTL = timedelta(minutes=10)
DAY = Budget("day", Usdc(1_000_000), Window.DAY)
URL = f"{ORIGIN}/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Served:
    """What the app got: a status, and whether its body came whole."""

    status: int
    body: bytes
    outcome: Outcome | None = None


@dataclass
class Process:
    """One run of the sidecar's money path."""

    ledger: Ledger
    books: Ledger  # the same, mortal
    payer: Payer
    purchases: Purchases
    recovery: Recovery
    prover: Prover
    upstream: Upstream
    tasks: Supervisor
    seller: InMemorySeller
    clock: FakeClock
    entropy: FakeEntropy
    watched: WatchedClock  # the clock as the money path has it
    events: list[Event] = field(default_factory=list)
    budgets: tuple[Budget, ...] = (DAY,)
    max_payment: Usdc = field(default_factory=lambda: Usdc(100_000))
    breaker: Breaker = field(default_factory=lambda: Breaker(5, timedelta(hours=1)))
    approval: ApprovalRule | None = None
    shadow: bool = False
    nonces: NonceSecret | None = None

    def route(self) -> PayingRoute:
        return PayingRoute(
            "seller",
            Policy(self.max_payment, frozenset({NETWORK}), frozenset()),
            EvmWallet(KEY),
            self.upstream,
            self.breaker,
            response_wait_s=10.0,
            chain=self.upstream,
            approval=self.approval,
            shadow=self.shadow,
            nonces=self.nonces,
        )

    def order(self, body: bytes, idempotency_key: str | None = None) -> Order:
        key = idempotency_key or hashlib.sha256(body).hexdigest()
        return Order(
            HttpRequest("POST", URL, (("Content-Type", "application/json"),), body),
            Purchase(key, explicit=idempotency_key is not None),
            self.route(),
            "app",
            self.budgets,
        )

    async def call(
        self, body: bytes, *, idempotency_key: str | None = None, hangs_up: bool = False
    ) -> Served:
        """One app request, from its bare sending to its last byte."""
        order = self.order(body, idempotency_key)
        reply = await self.upstream.send(order.request, wait_s=10)
        if reply.status != 402:
            response = await read_whole(reply, 1_000_000)
            return Served(response.status, response.body)
        refusal = await read_whole(reply, 1_000_000)
        occasion = Occasion(self.clock.now(), bytes(32))
        remedy = PayPerRequest(ORIGIN).remedy(order.request, refusal, occasion)
        assert isinstance(remedy, PayInline)
        outcome = await self.purchases.pay(order, remedy.required)
        match outcome:
            case Paid(_, answer):
                return await self._relay(outcome, answer, hangs_up)
            case Rejected(payment, answer):
                response = await read_whole(answer, 1_000_000)
                await self.payer.released(payment)
                return Served(response.status, response.body, outcome)
            case InDoubt():
                return Served(503, b"", outcome)
            case Undelivered():
                return Served(502, b"", outcome)
            case Denied():
                return Served(402, b"", outcome)

    async def _relay(self, outcome: Paid, answer: Reply, hangs_up: bool) -> Served:
        ended = (outcome.payment, outcome.unposted)
        try:
            response = await read_whole(answer, 1_000_000)
        except UpstreamError:
            await self.payer.released(*ended)
            return Served(0, b"", outcome)
        if hangs_up:
            await self.payer.released(*ended)
            return Served(499, b"", outcome)
        await self.payer.delivered(*ended)
        return Served(response.status, response.body, outcome)


class World:
    """A seller, a clock and a ledger that outlive any process."""

    def __init__(self, store: Store | Path, seed: str = "") -> None:
        self.store = SqliteStore(store) if isinstance(store, Path) else store
        self.clock = FakeClock()
        self.entropy = FakeEntropy(seed)
        self.seller = InMemorySeller(self.clock)
        self.processes = 0
        self.rpc_urls: tuple[str, ...] = (RPC_URL,)
        self.network = NETWORK
        self.upstream: Upstream | None = None  # in the seller's place

    @property
    def path(self) -> Path:
        """The ledger's file, where it is one."""
        assert isinstance(self.store, SqliteStore)
        return self.store.path

    @asynccontextmanager
    async def process(
        self, plan: CrashPlan | None = None, **changes: Any
    ) -> AsyncIterator[Process]:
        """A process; at the end of the block it is killed, not closed."""
        self.processes += 1
        instance = f"process-{self.processes}"
        ledger = await self.store.open(instance)
        process = self._wire(ledger, plan or CrashPlan())
        for name, value in changes.items():
            setattr(process, name, value)
        try:
            yield process
            await process.tasks.drain(5)
        finally:
            await self.store.kill(ledger, instance)

    def _wire(self, ledger: Ledger, plan: CrashPlan) -> Process:
        books = plan.around("ledger", ledger)
        upstream = plan.around("upstream", self.upstream or self.seller)
        events: list[Event] = []
        chain = Chain(self.network, self.rpc_urls, "finalized")
        chains = {self.network: chain} if self.rpc_urls else {}
        clock = WatchedClock(self.clock)
        prover = Prover(books, upstream, chains, clock, events.append)
        payer = Payer(
            books,
            clock,
            self.entropy,
            prover.prove,
            prover.can_ask,
            prover.objection,
            events.append,
            TTL,
        )
        tasks = Supervisor(lambda name, fault: None)
        return Process(
            ledger,
            books,
            payer,
            Purchases(payer, tasks),
            Recovery(books, prover, clock, events.append, TTL),
            prover,
            upstream,
            tasks,
            self.seller,
            self.clock,
            self.entropy,
            clock,
            events,
        )
