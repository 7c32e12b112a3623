"""The money path. Read ``Payer.pay`` top to bottom: nothing else adds a step to it.

What was signed is written down before it leaves, what left is never signed a second time, and
what came back decides only what it can prove (money-safety.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sidecar.clock import Entropy, WatchedClock
from sidecar.errors import (
    LedgerError,
    RemoteProtocolError,
    SidecarError,
    UpstreamError,
    WalletBusyError,
    WalletError,
)
from sidecar.http import Reply, read_whole, run_exchange
from sidecar.ledger import Ledger
from sidecar.ledger.drafts import moved
from sidecar.ledger.model import Payment, PaymentState, Proof
from sidecar.payments.approvals import Approvals
from sidecar.payments.events import Emit, PaymentInDoubt, PaymentReserved, PaymentUndelivered, tell
from sidecar.payments.holds import Holds
from sidecar.payments.intents import intent_for, new_payment_id
from sidecar.payments.nonces import nonce_for
from sidecar.payments.order import InDoubt, Order, Outcome, Paid, Rejected, Undelivered
from sidecar.payments.refusals import reason_of
from sidecar.payments.rehearsal import rehearse
from sidecar.payments.verdict import Answered, Kept, Refused, Served, judge
from sidecar.policy import Allowed
from sidecar.refusal import ABANDONED, Denied
from sidecar.x402.encode import payment_header
from sidecar.x402.types import Authorization, PaymentRequired

# How long to wait before each presentation of one authorization, within one app request.
PRESENTATION_DELAYS_S = (0.0, 0.25, 1.0)
RETRY_AFTER_S_MAX = 30.0
REFUSAL_BYTES_MAX = 256 * 1024
WALLET_WAIT_S = 3.0
WALLET_BYTES_MAX = 64 * 1024
# What LibertAI's settling of a Permit takes, with room.
WALLET_BUSY_S = 1.0
WALLET_BUSY_WAITS = 45


class Payer:
    """Pays for app requests, each at most once."""

    def __init__(
        self,
        ledger: Ledger,
        clock: WatchedClock,
        entropy: Entropy,
        prove: Callable[[Payment], Awaitable[Payment]],
        can_ask: Callable[[str], bool],
        objection: Callable[[str], Denied | None],
        emit: Emit,
        undelivered_ttl: timedelta,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._entropy = entropy
        self._prove = prove
        self._can_ask = can_ask  # whether this network's chain may tell later what became of it
        self._objection = objection  # why nothing new may be signed for this network now
        self._emit = emit
        self._undelivered_ttl = undelivered_ttl
        self._approvals = Approvals(ledger, clock, objection, emit)
        holds = Holds(ledger, clock, undelivered_ttl, emit)
        self._release, self._release_leftovers = holds.release, holds.release_leftovers
        self.taken_back = holds.take_back
        self.delivered, self.released = holds.delivered, holds.released

    async def pay(self, order: Order, required: PaymentRequired) -> Outcome:
        """Pay for this request, or present again what was already signed for it.

        Raises LedgerError when the books cannot be written and WalletError when nothing can be
        drawn up for signing; in both cases nothing new has left.
        """
        await self._release_leftovers()
        now, since = self._clock.now_and_since(self._undelivered_ttl)
        allowed = order.route.choose(required)
        if isinstance(allowed, Denied):
            return await self._bound(order, allowed, now, since)
        objection = self._objection(allowed.candidate.asset.network)
        if objection is not None:
            return await self._bound(order, objection, now, since)
        payment_id = new_payment_id(now, self._entropy)
        intent = intent_for(order, required, allowed, payment_id, now, since)
        # Returns what was signed for this purchase before, where there is such a payment.
        payment = await self._ledger.reserve(intent, now)
        if isinstance(payment, Denied):
            return payment
        if order.route.shadow:
            return await rehearse(self._ledger, self._clock, self._emit, payment)
        if payment.state is PaymentState.RESERVED:
            self._emit(PaymentReserved(payment))
            authorized = await self._write_down(order, payment, allowed)
            if isinstance(authorized, Denied):
                return authorized
            payment = authorized
        return await self._present(order, payment)

    async def _bound(
        self, order: Order, refused: Denied, now: datetime, since: datetime
    ) -> Outcome:
        """Nothing new may be signed; what was signed for this purchase is presented again."""
        # What a rehearsal has written is no payment that could be presented.
        if order.route.shadow:
            return refused
        payment = await self._ledger.claim(order.purchase, now, since)
        if isinstance(payment, Payment):
            return await self._present(order, payment)
        return payment or refused

    async def _write_down(
        self, order: Order, payment: Payment, allowed: Allowed
    ) -> Payment | Denied:
        """Make the authorization and its record; Denied where nothing may be signed any more."""
        try:
            denied = await self._approvals.wait(
                order.route.approval, payment, lambda: order.deserted
            )
            if denied is None:
                authorization = await self._authorization(order, payment, allowed)
                denied = await order.route.signer.admit(authorization)
        except SidecarError:
            await self._drop(payment)
            raise
        # Again, by the clock that has dated it: it may have been set during those waits.
        denied = denied or self._objection(payment.network)
        if denied is None and order.deserted:
            denied = Denied(ABANDONED, "the app hung up before anything was signed")
        if denied is not None:
            await self._drop(payment)
            return denied
        now = self._clock.now()
        denied = await self._ledger.authorize(payment.id, authorization, now)
        if denied is not None:
            await self._drop(payment)
            return denied
        return moved(payment, PaymentState.AUTHORIZED, authorization, now)

    async def _authorization(
        self, order: Order, payment: Payment, allowed: Allowed
    ) -> Authorization:
        """What the wallet is to sign; waits a while for one that must follow another."""
        candidate, waits = allowed.candidate, WALLET_BUSY_WAITS
        while True:
            try:
                return await run_exchange(
                    order.route.chain,
                    order.route.signer.authorize(
                        candidate.requirements,
                        candidate.amount,
                        await nonce_for(order, payment, self._ledger, self._entropy),
                        # Stamped after every wait there was, so that its life starts now.
                        self._clock.now(),
                        allowed.validity_s,
                    ),
                    wait_s=WALLET_WAIT_S,
                    body_bytes_max=WALLET_BYTES_MAX,
                )
            except WalletBusyError:
                waits -= 1
                if waits == 0 or order.deserted:
                    raise
            await self._clock.sleep(WALLET_BUSY_S)

    async def _drop(self, payment: Payment) -> None:
        """Give back what was reserved: nothing was signed."""
        tell(
            self._emit,
            await self._ledger.void(payment.id, Proof("unsigned"), self._clock.now()),
        )

    async def _present(self, order: Order, payment: Payment) -> Outcome:
        """Send the authorization until the seller serves, or answers for good, or time is up."""
        held, order.presented = False, payment
        if order.deserted and order.is_shared:
            # Its app may ask again at another process by now.
            await self._release(payment.id)
        try:
            outcome = await self._presentations(order, payment)
            held = isinstance(outcome, Paid | Rejected)
            return outcome
        except WalletError as fault:
            # Written down is what counts: a keeper's "no" does not prove that it never signed.
            return await self._unserved(order, payment, fault.diagnostics(), False, None)
        finally:
            if not held:
                # Before the app hears: its retry must find this payment free to bind to.
                await self._release(payment.id)

    async def _presentations(self, order: Order, payment: Payment) -> Outcome:
        route = order.route
        assert payment.authorization is not None
        header = payment_header(payment.envelope, await route.signer.payload(payment.authorization))
        request = order.request.with_headers(header)
        ends_at = self._clock.monotonic_s() + 2 * route.response_wait_s
        delays_s = list(PRESENTATION_DELAYS_S)
        reason, answered, retry_after_s = "", False, None
        while delays_s:
            pause_s = max(delays_s.pop(0), retry_after_s or 0.0)
            # Even a pause of nothing takes a turn of the loop.
            if pause_s > 0:
                await self._clock.sleep(pause_s)
            remaining_s = ends_at - self._clock.monotonic_s()
            if reason and (order.deserted or remaining_s <= 0 or await self._ledger.frozen_since()):
                break
            try:
                reply = await route.upstream.send(
                    request, wait_s=min(route.response_wait_s, remaining_s)
                )
            except (UpstreamError, RemoteProtocolError) as fault:
                reason, answered, retry_after_s = fault.diagnostics(), False, None
                continue
            verdict = judge(reply.status, reply.headers)
            match verdict:
                case Served(proof):
                    return await self._served(order, payment, proof, reply)
                case Answered():
                    return Rejected(payment, reply)
                case Kept(proof):
                    payment = await self._post(payment, proof, reply)
                    retry_after_s = None
                case Refused():
                    retry_after_s = verdict.retry_after_s
            reason, answered = await self._refusal(reply), True
            if retry_after_s is not None and retry_after_s > RETRY_AFTER_S_MAX:
                break
        return await self._unserved(order, payment, reason, answered, retry_after_s)

    async def _served(
        self, order: Order, payment: Payment, proof: Proof | None, reply: Reply
    ) -> Paid:
        # A crash before it is posted leaves it in doubt, and an app that has its answer does not
        # come back to end that. Where no chain can, the app waits for the disk.
        if _is_over_soon(order, reply) and self._can_ask(payment.network):
            return Paid(payment, reply, unposted=proof)
        return Paid(await self._post(payment, proof, reply), reply)

    async def _post(self, payment: Payment, proof: Proof | None, reply: Reply) -> Payment:
        if proof is None:
            return payment
        try:
            change = await self._ledger.post(payment.id, proof, self._clock.now())
        except LedgerError:
            # Nobody will read it: the app's retry presents the same authorization.
            reply.close()
            raise
        tell(self._emit, change)
        return change.payment

    async def _refusal(self, reply: Reply) -> str:
        try:
            return reason_of(await read_whole(reply, REFUSAL_BYTES_MAX))
        except (UpstreamError, RemoteProtocolError) as fault:
            return f"{reply.status}, and {fault.diagnostics()}"

    async def _unserved(
        self,
        order: Order,
        payment: Payment,
        reason: str,
        answered: bool,
        retry_after_s: float | None,
    ) -> Outcome:
        """What to say when the seller did not serve: paid for nothing, or nobody knows."""
        if answered and payment.state is PaymentState.AUTHORIZED:
            payment = await self._prove(payment)
        if answered and payment.state is PaymentState.POSTED:
            # What was delivered stays so, although its seller will not do it again.
            if payment.delivered_at is not None:
                return Undelivered(payment, reason)
            # A top-up stays open, for that is what keeps a second one from being bought.
            if order.top_up is None:
                await self._ledger.give_up(payment.id, self._clock.now())
                self._emit(PaymentUndelivered(payment, reason))
            return Undelivered(payment, reason)
        self._emit(PaymentInDoubt(payment, reason))
        return InDoubt(payment, reason, retry_after_s)


def _is_over_soon(order: Order, reply: Reply) -> bool:
    """Whether it is over with its answer, and all of that is here.

    A deserted one is another process's to bind to by now; credit is not over with an answer.
    """
    return reply.is_here and not order.deserted and order.top_up is None
