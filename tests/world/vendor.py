"""A vendor that sells credit, at the Upstream port, and the provider that describes it.

What is paid to it goes through the in-memory seller, so it is verified and settled for real; its
accounts are its own. ``App`` does what the proxy does with one request of a prepaid route.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sidecar.clock import Clock
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse, Origin, Upstream, read_whole
from sidecar.ledger import Ledger
from sidecar.ledger.model import Budget, Window
from sidecar.money import Usdc
from sidecar.payments.balances import Balances, Source
from sidecar.payments.credentials import Credentials
from sidecar.payments.order import InDoubt
from sidecar.payments.prepaid import Credited, PrepaidRoute, Standing, TopUpTerms
from sidecar.payments.topups import TopUps
from sidecar.providers.base import (
    Balance,
    Credential,
    Observation,
    Occasion,
    PassThrough,
    Remedy,
    TopUp,
    Traits,
)
from sidecar.refusal import Denied
from sidecar.sandbox.options import SandboxOptions
from sidecar.x402.codec import read_payment_required
from sidecar.x402.types import PaymentRequired
from tests.world.seller import ORIGIN, RPC_URL, FakeReply, InMemorySeller
from tests.world.shop import Process

AMOUNT = Usdc(10_000_000)
PRICE = Decimal("0.01")
PURSE = Budget("purse", Usdc(50_000_000), Window.DAY)
CALL = f"{ORIGIN}/v1/call"


class Vendor:
    """``http.Upstream``. ``grants``: what it credits for what it was paid; ``sulks``: refuses."""

    def __init__(self, clock: Clock) -> None:
        self.seller = InMemorySeller(clock, SandboxOptions(price=AMOUNT))
        self.credit = Decimal(0)
        self.grants = True
        self.sulks = False
        self.mute = False  # whether it tells no balance
        self.bare: deque[FakeReply | Exception] = deque()  # its next answers to a bare charge
        self.rewrite: Callable[[FakeReply], FakeReply] = lambda reply: reply  # a paid answer
        self.interrupt: Callable[[], Awaitable[None]] | None = None  # once, before the terms
        self.calls = 0
        self.served = 0
        self._credited = 0

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> FakeReply:
        await asyncio.sleep(0)
        if request.url == RPC_URL:
            return await self.seller.send(request, wait_s=wait_s)
        path = request.url.removeprefix(ORIGIN)
        if path == "/charge":
            return await self._charge(request, wait_s)
        if path == "/balance":
            return _json(503 if self.mute else 200, {"usd": str(self.credit)})
        self.calls += 1
        if self.sulks or self.credit < PRICE:
            return _json(402, {"error": "out of credit"})
        self.credit -= PRICE
        self.served += 1
        return _json(200, {"served": self.served})

    async def _charge(self, request: HttpRequest, wait_s: float) -> FakeReply:
        if not any(name == "PAYMENT-SIGNATURE" for name, _ in request.headers):
            return await self._bare(request, wait_s)
        try:
            reply = await self.seller.send(request, wait_s=wait_s)
        finally:
            # Once for each transfer, however often it is presented.
            moved = len(self.seller.books.settlements)
            if self.grants:
                self.credit += (moved - self._credited) * AMOUNT.in_usd()
            self._credited = moved
        if reply.status != 200:
            return self.rewrite(reply)
        told = {} if self.mute else {"usd": str(self.credit)}
        return self.rewrite(FakeReply(200, reply.headers, json.dumps(told).encode()))

    async def _bare(self, request: HttpRequest, wait_s: float) -> FakeReply:
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            await interrupt()
        answer = self.bare.popleft() if self.bare else None
        if isinstance(answer, Exception):
            raise answer
        return answer or await self.seller.send(request, wait_s=wait_s)

    @property
    def paid(self) -> int:
        """How many top-ups moved money."""
        return len(self.seller.books.settlements)


def _json(status: int, document: dict[str, Any]) -> FakeReply:
    headers = (("Content-Type", "application/json"),)
    return FakeReply(status, headers, json.dumps(document).encode())


@dataclass(frozen=True, slots=True)
class Tab:
    """``providers.base.Prepaid`` for the vendor."""

    spacing_s: float = 0.1

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset({Origin.of(ORIGIN)})

    @property
    def traits(self) -> Traits:
        return Traits(balance_spacing_s=self.spacing_s)

    @property
    def accounts(self) -> tuple[str, ...]:
        return ("",)

    def account_of(self, request: HttpRequest) -> str:
        return request.url.partition("?")[2]

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        yield from ()
        return Credential((("x-who", "us"),))

    def is_stale(self, refusal: HttpResponse) -> bool:
        return refusal.status == 401

    def remedy(self, request: HttpRequest, refusal: HttpResponse, occasion: Occasion) -> Remedy:
        return TopUp() if b"out of credit" in refusal.body else PassThrough("not ours to mend")

    def balance(
        self, credential: Credential, account: str
    ) -> Generator[HttpRequest, HttpResponse, tuple[Balance, ...]]:
        response = yield HttpRequest("GET", f"{ORIGIN}/balance", credential.headers)
        if response.status != 200:
            raise RemoteProtocolError("no balance is told")
        return _balance(response)

    def observe(self, response: HttpResponse) -> Observation:
        return Observation()

    def charge(self, account: str, credential: Credential, amount: Usdc) -> HttpRequest:
        return HttpRequest("POST", f"{ORIGIN}/charge", credential.headers)

    def terms(self, account: str, refusal: HttpResponse, amount: Usdc) -> PaymentRequired | str:
        required = read_payment_required(refusal)
        return "no terms" if required is None else required

    def credited(self, response: HttpResponse) -> tuple[Balance, ...]:
        return _balance(response)


def _balance(response: HttpResponse) -> tuple[Balance, ...]:
    said = json.loads(response.body or b"{}").get("usd")
    return () if said is None else (Balance(Decimal(said), "usd", Decimal(said) >= PRICE),)


@dataclass
class App:
    """Requests of a prepaid route, and the top-ups behind them."""

    process: Process
    route: PrepaidRoute
    topups: TopUps
    balances: Balances

    async def call(self) -> str:
        """``served``, or the rule by which it was not."""
        sent_s = self.process.watched.mark_s()
        reply = await self._send()
        if reply.status == 402:
            refill = await self.topups.ensure("tab", "", "app", sent_s)
            match refill:
                case Denied(rule):
                    return rule
                case InDoubt():
                    return "in_doubt"
                case Credited():
                    reply = await self._send()
            if reply.status == 402:
                return self.topups.refused_again("tab", "").rule
        return "served"

    async def _send(self) -> HttpResponse:
        request, sent_s = HttpRequest("POST", CALL), self.process.watched.mark_s()
        reply = await self.route.paying.upstream.send(request, wait_s=10)
        response = await read_whole(reply, 1_000_000)
        if response.status != 402:
            self.topups.served("tab", request, sent_s)
        return response


def prepaid_app(
    process: Process,
    ledger: Ledger,
    upstream: Upstream,
    terms: TopUpTerms | None = None,
    budgets: tuple[Budget, ...] = (PURSE,),
    waiters_max: int = 10_000,
) -> App:
    """An app in front of this process's money path, with ``upstream`` as its vendor."""
    ports = (process.clock, process.entropy, process.events.append)
    paying = process.route()
    paying = replace(
        paying,
        name="tab",
        policy=replace(paying.policy, max_payment=AMOUNT),
        upstream=upstream,
        chain=upstream,
    )
    provider = Tab()
    credentials = Credentials("tab", provider, upstream, ports)
    source = Source("tab", provider, upstream, credentials.get)
    route = PrepaidRoute(
        paying, provider, credentials, source, budgets, terms or TopUpTerms(AMOUNT, wait_s=5)
    )

    def on_balance(name: str, account: str, seen: tuple[Balance, ...]) -> None:
        topups.see(name, account, seen)

    balances = Balances(process.clock, process.events.append, on_balance)
    topups = TopUps(
        {"tab": route},
        process.payer,
        ledger,
        balances,
        process.tasks,
        process.watched,
        process.events.append,
        Standing(waiters_max=waiters_max),
    )
    return App(process, route, topups, balances)
