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
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sidecar.clock import WatchedClock
from sidecar.errors import SidecarError
from sidecar.http import HttpRequest, Reply
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment
from sidecar.payments.balances import Balances
from sidecar.payments.charges import answer_in, ask_terms, reason_in
from sidecar.payments.events import Emit, PaymentDenied, PaymentUndelivered, ToppedUp, TopUpsStopped
from sidecar.payments.order import InDoubt, Paid, Rejected, Undelivered
from sidecar.payments.payer import Payer
from sidecar.payments.prepaid import (
    Credited,
    Need,
    PrepaidRoute,
    Proving,
    Refill,
    Standing,
    is_unproven,
    later,
    unproven,
)
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from sidecar.tasks import Supervisor

POLL_S = 0.25  # how often to look whether another process is done
# How long the credit may take to show before those who wait are sent on regardless.
RISE_DELAYS_S = (0.0, 1.0, 3.0, 6.0)
NOBODY = ""  # the caller where a low balance asks
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
        clock: WatchedClock,
        emit: Emit,
        standing: Standing | None = None,
    ) -> None:
        known = standing or Standing()
        self._routes, self._waiters_max = routes, known.waiters_max
        self._payer, self._ledger, self._balances = payer, ledger, balances
        self._tasks, self._clock, self._emit = tasks, clock, emit
        self._runs, self._waiting, self._proving = known.runs, known.waiting, known.proving

    async def resume(self) -> None:
        """Take up the top-ups that an earlier process paid and did not see through."""
        now, sent_s = self._clock.now(), self._clock.mark_s()
        needs = {
            route.purchase(account).key: Need(route, account, NOBODY, sent_s)
            for route in self._routes.values()
            for account in route.provider.accounts
        }
        for payment in await self._ledger.undelivered(now):
            need = needs.get(payment.purchase.key)
            if need is not None:
                await self._take_up(need)

    async def ensure(self, name: str, account: str, caller: str, sent_s: float) -> Refill:
        """Credit for a request that was sent then and refused: bought now, or by another.

        ``sent_s``: the clock's ``mark_s`` before it was sent. Raises LedgerError, WalletError,
        UpstreamError and RemoteProtocolError, as paying does.
        """
        need = Need(self._routes[name], account, caller, sent_s)
        proving = await self.unsettled(need)
        if proving is not None:
            return self._refused(proving) if sent_s > proving.known_s else Credited()
        return await self.bought(need)

    async def unsettled(self, need: Need) -> Proving | None:
        """What was bought for this account and is not over; None while some is being bought."""
        key = need.purchase.key
        proving = self._proving.get(key)
        if key in self._runs or proving is None or await self._is_settled(proving):
            return None
        return proving

    async def bought(self, need: Need) -> Refill:
        """Credit, bought now or by whoever is at it. Raises what ``ensure`` does."""
        key = need.purchase.key
        if self._waiting[key] >= self._waiters_max:
            return later(f"{self._waiters_max} requests wait for it already")
        run = self._runs.get(key) or self._start(need)
        self._waiting[key] += 1
        try:
            async with asyncio.timeout(need.route.terms.wait_s):
                return await asyncio.shield(run)
        except TimeoutError:
            return later(f"not done after {need.route.terms.wait_s:g} s")
        finally:
            self._waiting[key] -= 1

    def _start(self, need: Need) -> asyncio.Task[Refill]:
        key = need.purchase.key
        run = self._tasks.spawn("top-up", self._run(need))
        self._runs[key] = run
        run.add_done_callback(lambda _: self._runs.pop(key))
        return run

    async def _run(self, need: Need) -> Refill:
        name = need.route.paying.name
        try:
            refill = await self._refill(need)
        except SidecarError as fault:
            self._emit(ToppedUp(name, need.account, "failed", fault.diagnostics()))
            raise
        # Credit is told of once it was seen and used.
        if isinstance(refill, Denied):
            self._emit(ToppedUp(name, need.account, "denied", refill.detail))
            if need.background:
                # Where an app asked, it is told, and this is counted, when it is answered.
                self._emit(PaymentDenied(name, need.caller, refill))
        elif isinstance(refill, InDoubt):
            self._emit(ToppedUp(name, need.account, "in_doubt", refill.reason))
        return refill

    async def _refill(self, need: Need) -> Refill:
        """Buy, unless another process does or did; then wait for it."""
        ends_at = self._clock.monotonic_s() + need.route.terms.wait_s
        # Before the vendor is asked for its terms.
        if await self._ledger.frozen_since():
            return Denied("frozen", "the sidecar is frozen; `sidecar unfreeze` ends it")
        while self._clock.monotonic_s() < ends_at:
            newest = await self._ledger.newest_top_up(need.purchase)
            # By the wall clock as it ran since the request was sent: it may have been set.
            since = self._clock.after(need.sent_s)
            if newest is not None and newest.delivered_at and newest.delivered_at >= since:
                return Credited()
            if newest is not None and is_unproven(newest):
                proving = await self._take_up(need)
                if proving is not None:
                    # What was paid before a restart shows by now, or stops the rest.
                    return Credited() if proving.rose else self._refused(proving)
            else:
                refill = await self._buy(need)
                if not (isinstance(refill, Denied) and refill.rule == "in_progress"):
                    return refill
            moved = self._ledger.topped_up(need.purchase)
            await self._tasks.first("top-up moved", moved, self._clock.sleep(POLL_S))
        return later("another process is at it")

    async def _take_up(self, need: Need) -> Proving | None:
        """Hold a paid top-up that nobody holds. None when somebody else does."""
        claimed = await self._ledger.claim(need.purchase, self._clock.now(), _EVER)
        if not isinstance(claimed, Payment):
            return None
        proving = Proving(claimed, need, None, self._clock.mark_s())
        self._proving[need.purchase.key] = proving
        self._see(proving, await self._balances.read(need.route.source, need.account) or ())
        return proving

    async def _buy(self, need: Need) -> Refill:
        route = need.route
        look = self._balances.read if need.background else self._balances.recent
        before = await look(route.source, need.account)
        if need.background and not need.by_hand and before and not route.is_low(before):
            # What looked low was older than the credit that has come since.
            return Credited()
        asked = await ask_terms(need)
        if isinstance(asked, Denied):
            return asked
        charge, terms = asked
        outcome = await self._payer.pay(need.order(charge, self._clock.after), terms)
        match outcome:
            case Denied("topped_up"):
                return Credited()
            case Denied() | InDoubt():
                return outcome
            case Rejected(payment, reply):
                reason = await reason_in(reply)
                await self._payer.released(payment)
                return InDoubt(payment, reason, None)
            case Undelivered():
                # Paid and refused in one breath: open in the ledger, and free to be taken up.
                return later("it was paid, and the vendor has not answered for it yet")
            case Paid(payment, reply):
                proving = Proving(payment, need, before, self._clock.mark_s())
                self._proving[need.purchase.key] = proving
                await self._look_for_credit(proving, reply)
                proving.known_s = self._clock.mark_s()
                return Credited()

    async def _look_for_credit(self, proving: Proving, reply: Reply) -> None:
        """The vendor's own answer to the charge may say it; else its balance, a few times."""
        route, account = proving.need.route, proving.need.account
        said = route.provider.credited(await answer_in(reply))
        self._balances.observe(route.paying.name, account, said)
        self._see(proving, said)
        for delay_s in RISE_DELAYS_S:
            if proving.rose:
                return
            await self._clock.sleep(delay_s)
            self._see(proving, await self._balances.read(route.source, account) or ())

    def served(self, name: str, request: HttpRequest, sent_s: float) -> None:
        """A request that was sent then was not refused: the credit for its account is in use.

        One that was sent before the credit came may live on what there was before.
        """
        if not self._proving:
            return
        route = self._routes[name]
        account = route.provider.account_of(request)
        proving = self._proving.get(route.purchase(account).key)
        if proving is not None and sent_s >= proving.known_s:
            proving.served = True
            self._conclude(proving)

    def refused_again(self, name: str, account: str) -> Denied:
        """The request was sent again with new credit, and is refused as before."""
        proving = self._proving.get(self._routes[name].purchase(account).key)
        if proving is not None:
            return self._refused(proving)
        return later("others used the credit up first")

    def see(self, name: str, account: str, balances: Sequence[Balance]) -> None:
        """A balance was observed: it may prove a top-up, or be low enough to buy another."""
        route = self._routes.get(name)
        if route is None or not balances:
            return
        need = Need(route, account, NOBODY, self._clock.mark_s(), background=True)
        key = need.purchase.key
        proving = self._proving.get(key)
        if proving is not None:
            self._see(proving, balances)
            if proving.stopped:
                self._tasks.spawn("settled", self._is_settled(proving))
        elif key not in self._runs and route.is_low(balances):
            self._start(need)

    def _see(self, proving: Proving, balances: Sequence[Balance]) -> None:
        proving.see(balances)
        self._conclude(proving)

    def _conclude(self, proving: Proving) -> None:
        need = proving.need
        key, name = need.purchase.key, need.route.paying.name
        if not proving.complete or self._proving.get(key) is not proving:
            return
        del self._proving[key]
        self._tasks.spawn("delivery", self._payer.delivered(proving.payment))
        self._emit(ToppedUp(name, need.account, "raised"))
        if proving.stopped:
            self._emit(TopUpsStopped(name, need.account, stopped=False))

    async def _is_settled(self, proving: Proving) -> bool:
        """Whether a person said what became of it (`sidecar resolve`): then it stops nothing."""
        need, payment = proving.need, proving.payment
        key, name = need.purchase.key, need.route.paying.name
        newest = await self._ledger.newest_top_up(need.purchase)
        if self._proving.get(key) is not proving:
            return True
        # A newer one would not be there if this one were not over.
        if newest is not None and newest.id == payment.id and is_unproven(newest):
            return False
        del self._proving[key]
        if newest is not None and newest.closed_at is not None:
            self._emit(PaymentUndelivered(newest, "a person says that no credit came"))
        else:
            self._emit(ToppedUp(name, need.account, "raised", "a person says so"))
        if proving.stopped:
            self._emit(TopUpsStopped(name, need.account, stopped=False))
        return True

    def _refused(self, proving: Proving) -> Denied:
        """A top-up was paid and the vendor still refuses: another would not help either."""
        payment, need = proving.payment, proving.need
        if not proving.stopped:
            proving.stopped = True
            name = need.route.paying.name
            self._emit(TopUpsStopped(name, need.account, stopped=True))
            self._emit(ToppedUp(name, need.account, "unproven", payment.id))
        return unproven(payment, "the vendor still refuses")
