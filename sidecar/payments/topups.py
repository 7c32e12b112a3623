"""Credit, bought once for all who wait (money-safety.md, Top-ups).

A top-up is a payment like any other, with two rules of its own. There is one open at a time for
an account, across processes: the ledger holds it. And it is over only when the vendor was seen to
give the credit and to serve by it; until then the next 402 buys nothing.

    a request is refused -> ensure -> somebody is at it? wait for that one
                                   -> the last one is unproven?  refuse, and say so
                                   -> else buy, and look for the credit
    it is sent again     -> served: the top-up is complete      -> refused: top-ups are stopped
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sidecar.clock import Clock
from sidecar.errors import RemoteProtocolError, SidecarError, UpstreamError
from sidecar.http import HttpRequest, HttpResponse, Reply, read_whole
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment, PaymentState
from sidecar.payments.balances import Balances
from sidecar.payments.events import Emit, ToppedUp, TopUpsStopped
from sidecar.payments.order import InDoubt, Paid, Rejected, Undelivered
from sidecar.payments.payer import Payer
from sidecar.payments.prepaid import Credited, PrepaidRoute, Proving, Refill
from sidecar.payments.refusals import reason_of
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from sidecar.tasks import Supervisor

WAITERS_MAX = 4_096
POLL_S = 0.25  # how often to look whether another process is done
CHARGE_WAIT_S = 30.0
CHARGE_BYTES_MAX = 256 * 1024
# How long the credit may take to show before those who wait are sent on regardless.
RISE_DELAYS_S = (0.0, 1.0, 3.0, 6.0)
BACKGROUND = ""  # the caller where nobody asked: the low-water mark did
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class TopUps:
    """Buys credit for the prepaid routes, never twice for one need."""

    def __init__(
        self,
        routes: Mapping[str, PrepaidRoute],
        payer: Payer,
        ledger: Ledger,
        balances: Balances,
        tasks: Supervisor,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self._routes = routes
        self._payer = payer
        self._ledger = ledger
        self._balances = balances
        self._tasks = tasks
        self._clock = clock
        self._emit = emit
        self._runs: dict[str, asyncio.Task[Refill]] = {}
        self._waiting: Counter[str] = Counter()
        self._proving: dict[str, Proving] = {}

    async def resume(self) -> None:
        """Take up the top-ups that an earlier process paid and did not see through."""
        routes = {route.purchase(account).key: (route, account) for route, account in self._all()}
        for payment in await self._ledger.undelivered(self._clock.now()):
            found = routes.get(payment.purchase.key)
            if found is not None and payment.purpose == "top_up":
                await self._take_up(*found, payment)

    def _all(self) -> list[tuple[PrepaidRoute, str]]:
        return [
            (route, account)
            for route in self._routes.values()
            for account in route.provider.accounts
        ]

    async def _take_up(self, route: PrepaidRoute, account: str, payment: Payment) -> bool:
        """Hold a paid top-up that nobody holds. False when somebody else does."""
        claimed = await self._ledger.claim(payment.purchase, self._clock.now(), _EVER)
        if claimed is None:
            return False
        proving = Proving(claimed, route, account, None, self._clock.now(), background=False)
        self._proving[payment.purchase.key] = proving
        self._see(proving, await self._balances.read(route.source, account) or ())
        return True

    async def ensure(self, name: str, account: str, caller: str, sent_at: datetime) -> Refill:
        """Credit for a request that was sent then and refused: bought now, or by another.

        Raises LedgerError, WalletError, UpstreamError and RemoteProtocolError, as paying does.
        """
        route = self._routes[name]
        key = route.purchase(account).key
        run, proving = self._runs.get(key), self._proving.get(key)
        if run is None and proving is not None:
            return self._refused(proving) if sent_at > proving.known_at else Credited()
        if self._waiting[key] >= WAITERS_MAX:
            return _later(f"{WAITERS_MAX} requests wait for it already")
        run = run or self._start(route, account, caller, sent_at, background=False)
        self._waiting[key] += 1
        try:
            async with asyncio.timeout(route.terms.wait_s):
                return await asyncio.shield(run)
        except TimeoutError:
            return _later(f"not done after {route.terms.wait_s:g} s")
        finally:
            self._waiting[key] -= 1

    def _start(
        self, route: PrepaidRoute, account: str, caller: str, sent_at: datetime, background: bool
    ) -> asyncio.Task[Refill]:
        key = route.purchase(account).key
        run = self._tasks.spawn("top-up", self._run(route, account, caller, sent_at, background))
        self._runs[key] = run
        run.add_done_callback(lambda _: self._runs.pop(key))
        return run

    async def _run(
        self, route: PrepaidRoute, account: str, caller: str, sent_at: datetime, background: bool
    ) -> Refill:
        try:
            refill = await self._refill(route, account, caller, sent_at, background)
        except SidecarError as fault:
            self._emit(ToppedUp(route.paying.name, account, "failed", fault.diagnostics()))
            raise
        match refill:
            case Denied(_, detail):
                self._emit(ToppedUp(route.paying.name, account, "denied", detail))
            case InDoubt(_, reason, _):
                self._emit(ToppedUp(route.paying.name, account, "in_doubt", reason))
            case Credited():
                pass  # told of when it is complete
        return refill

    async def _refill(
        self, route: PrepaidRoute, account: str, caller: str, sent_at: datetime, background: bool
    ) -> Refill:
        """Buy, unless another process does or did; then wait for it."""
        ends_at = self._clock.monotonic_s() + route.terms.wait_s
        while self._clock.monotonic_s() < ends_at:
            newest = await self._ledger.newest_top_up(route.purchase(account))
            if newest is not None and newest.delivered_at and newest.delivered_at >= sent_at:
                return Credited()
            if newest is not None and _is_unproven(newest):
                if await self._take_up(route, account, newest):
                    return self._judged(route.purchase(account).key)
            else:
                refill = await self._buy(route, account, caller, sent_at, background)
                if not (isinstance(refill, Denied) and refill.rule == "in_progress"):
                    return refill
            await self._clock.sleep(POLL_S)
        return _later("another process is at it")

    def _judged(self, key: str) -> Refill:
        """After a restart: what was paid before it either shows by now, or stops the rest."""
        proving = self._proving[key]
        return Credited() if proving.rose else self._refused(proving)

    async def _buy(
        self, route: PrepaidRoute, account: str, caller: str, sent_at: datetime, background: bool
    ) -> Refill:
        before = await self._balances.read(route.source, account)
        charge, refusal = await self._ask_terms(route, account)
        if refusal.status != 402:
            return Denied("top_up_terms", f"the vendor named no terms: {reason_of(refusal)}")
        terms = route.provider.terms(account, refusal, route.terms.amount)
        if isinstance(terms, str):
            return Denied("top_up_terms", terms)
        outcome = await self._payer.pay(route.order(account, charge, caller, sent_at), terms)
        match outcome:
            case Denied("topped_up"):
                return Credited()
            case Denied() | InDoubt():
                return outcome
            case Rejected(payment, reply):
                reason = await self._reason(reply)
                await self._payer.released(payment)
                return InDoubt(payment, reason, None)
            case Undelivered(payment, _):
                # Paid, and refused in one breath: open in the ledger, and free to be taken up.
                return _later("it was paid, and the vendor has not answered for it yet")
            case Paid(payment, reply):
                proving = Proving(payment, route, account, before, self._clock.now(), background)
                self._proving[payment.purchase.key] = proving
                await self._look_for_credit(proving, reply)
                proving.known_at = self._clock.now()
                return Credited()

    async def _ask_terms(
        self, route: PrepaidRoute, account: str
    ) -> tuple[HttpRequest, HttpResponse]:
        """The charge, and what the vendor says to it without a payment."""
        credential = await route.credentials.get()
        charge = route.provider.charge(account, credential, route.terms.amount)
        response = await self._send(route, charge)
        if response.status == 401 and route.provider.is_stale(response):
            credential = await route.credentials.renew(credential)
            charge = route.provider.charge(account, credential, route.terms.amount)
            response = await self._send(route, charge)
        return charge, response

    async def _send(self, route: PrepaidRoute, charge: HttpRequest) -> HttpResponse:
        reply = await route.paying.upstream.send(charge, wait_s=CHARGE_WAIT_S)
        return await read_whole(reply, CHARGE_BYTES_MAX)

    async def _reason(self, reply: Reply) -> str:
        try:
            return reason_of(await read_whole(reply, CHARGE_BYTES_MAX))
        except (UpstreamError, RemoteProtocolError) as fault:
            return fault.diagnostics()

    async def _look_for_credit(self, proving: Proving, reply: Reply) -> None:
        """The vendor's own answer to the charge may say it; else its balance, a few times."""
        route, account = proving.route, proving.account
        try:
            answer = await read_whole(reply, CHARGE_BYTES_MAX)
        except (UpstreamError, RemoteProtocolError):
            answer = HttpResponse(reply.status, reply.headers)
        said = route.provider.credited(answer)
        self._balances.observe(route.paying.name, account, said)
        self._see(proving, said)
        for delay_s in RISE_DELAYS_S:
            if proving.rose:
                return
            await self._clock.sleep(delay_s)
            self._see(proving, await self._balances.read(route.source, account) or ())

    def served(self, name: str, request: HttpRequest) -> None:
        """A request of this route was not refused: what was bought for its account is in use."""
        if not self._proving:
            return
        route = self._routes[name]
        account = route.provider.account_of(request)
        proving = self._proving.get(route.purchase(account).key)
        if proving is not None:
            proving.served = True
            self._conclude(proving)

    def refused_again(self, name: str, account: str) -> Denied:
        """The request was sent again with new credit, and is refused as before."""
        proving = self._proving.get(self._routes[name].purchase(account).key)
        if proving is not None:
            return self._refused(proving)
        return _later("others used the credit up first")

    def see(self, name: str, account: str, balances: Sequence[Balance]) -> None:
        """A balance was observed: it may prove a top-up, or be low enough to buy another."""
        route = self._routes.get(name)
        if route is None or not balances:
            return
        key = route.purchase(account).key
        proving = self._proving.get(key)
        if proving is not None:
            self._see(proving, balances)
        elif key not in self._runs and _is_low(route, balances):
            self._start(route, account, BACKGROUND, self._clock.now(), True)

    def _see(self, proving: Proving, balances: Sequence[Balance]) -> None:
        proving.see(balances)
        self._conclude(proving)

    def _conclude(self, proving: Proving) -> None:
        key, name = proving.payment.purchase.key, proving.route.paying.name
        if not proving.complete or self._proving.get(key) is not proving:
            return
        del self._proving[key]
        self._tasks.spawn("delivery", self._payer.delivered(proving.payment))
        self._emit(ToppedUp(name, proving.account, "raised"))
        if proving.stopped:
            self._emit(TopUpsStopped(name, proving.account, stopped=False))

    def _refused(self, proving: Proving) -> Denied:
        """A top-up was paid and the vendor still refuses: another would not help either."""
        payment = proving.payment
        if not proving.stopped:
            proving.stopped = True
            name = proving.route.paying.name
            self._emit(TopUpsStopped(name, proving.account, stopped=True))
            self._emit(ToppedUp(name, proving.account, "unproven", payment.id))
        return Denied(
            "top_up_unproven",
            f"top-up {payment.id} of {payment.amount} was paid and the vendor still refuses; "
            "no other is made until a request is served again: look at the account there",
        )


def _is_unproven(payment: Payment) -> bool:
    ended = payment.delivered_at is not None or payment.closed_at is not None
    return payment.state is PaymentState.POSTED and not ended


def _is_low(route: PrepaidRoute, balances: Sequence[Balance]) -> bool:
    low_water = route.terms.low_water
    return low_water is not None and balances[0].value < low_water


def _later(why: str) -> Denied:
    return Denied("top_up_wait", f"credit is being bought: {why}; repeat the request in a while")
