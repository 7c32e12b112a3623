"""What an app request makes us do upstream: send it, and pay if that is what the answer asks for.

credential -> send -> not 402? relay
                | 402
                +-> remedy   PassThrough  relay, without the challenge
                             Present      once more with a sign-in; then as ``otherwise`` says
                             PayInline    pay; the paid answer is the answer
                             TopUp        credit, shared by all who wait; then once more
"""

from __future__ import annotations

import asyncio

from sidecar.clock import WatchedClock
from sidecar.errors import UpstreamError, UpstreamTimeoutError
from sidecar.http import (
    Headers,
    HttpRequest,
    HttpResponse,
    Reply,
    WholeReply,
    header_values,
    read_whole,
)
from sidecar.payments.events import Emit, PaymentDenied
from sidecar.payments.order import InDoubt, Order, Paid, Rejected, Undelivered
from sidecar.payments.prepaid import Credited
from sidecar.payments.purchases import Purchases
from sidecar.payments.topups import TopUps
from sidecar.providers.base import PassThrough, PayInline, Present, TopUp
from sidecar.proxy import web
from sidecar.proxy.answers import Answer, no_room
from sidecar.proxy.begun import Begun
from sidecar.proxy.body import Kept
from sidecar.proxy.copied import Copied, Lost
from sidecar.proxy.delivery import Delivery
from sidecar.proxy.errand import Errand
from sidecar.proxy.headers import credential_secrets, response_headers
from sidecar.proxy.outcomes import (
    answer_denied,
    answer_in_doubt,
    answer_undelivered,
    body_too_large,
    purchase_of,
    without_challenge,
)
from sidecar.proxy.paced import SilentAppError
from sidecar.proxy.turn import Turn
from sidecar.refusal import Denied
from sidecar.x402.types import PaymentRequired

REFUSAL_BYTES_MAX = 256 * 1024
REFUSAL_WAIT_S = 30.0


class Dealings:
    """Serves errands. Raises SidecarError, and ConnectionError when the app has gone."""

    def __init__(
        self,
        purchases: Purchases,
        topups: TopUps,
        delivery: Delivery,
        replay_bytes_max: int,
        clock: WatchedClock,
        emit: Emit,
    ) -> None:
        self._purchases = purchases
        self._topups = topups
        self._delivery = delivery
        self._replay_bytes_max = replay_bytes_max
        self._clock = clock
        self._emit = emit

    async def serve(self, errand: Errand) -> web.StreamResponse:
        """Send it as it is; pay only if that is what the answer asks for."""
        route = errand.route
        # Only who buys credit asks when it was: no other call has to look at the clock for it.
        sent_s = 0.0 if route.prepaid is None else self._clock.mark_s()
        outgoing, reply = await self._signed_in(errand, errand.begun)
        unsigned = reply.status == 401 and route.rehearses_credit
        if reply.status != 402 and not unsigned:
            return await self._relay(errand, outgoing, reply, sent_s)
        refusal = await _read_refusal(reply)
        remedy = route.provider.remedy(outgoing, refusal, route.credentials.occasion())
        if isinstance(remedy, PassThrough) and route.rehearses_credit:
            # Shadow mode makes no sign-in, and signed in to, it would have wanted credit.
            assert route.prepaid is not None
            remedy = TopUp(route.prepaid.provider.account_of(outgoing))
        if isinstance(remedy, Present):
            if await errand.repeatable():
                errand.turn.secrets = credential_secrets(remedy.credential.headers)
                outgoing = errand.again(outgoing).with_headers(*remedy.credential.headers)
                reply = await self._send(errand, outgoing)
                if reply.status != 402:
                    route.credentials.remember(outgoing.url, remedy.credential)
                    return await self._relay(errand, outgoing, reply, sent_s)
                refusal = await _read_refusal(reply)
                remedy = route.provider.remedy(outgoing, refusal, route.credentials.occasion())
            if isinstance(remedy, Present):
                remedy = remedy.otherwise
        match remedy:
            case PassThrough(reason):
                return await _refer(errand, refusal, reason)
            case PayInline(required):
                return await self._pay(errand, outgoing, refusal, required)
            case TopUp(account):
                return await self._top_up(errand, refusal, account, sent_s)

    async def _signed_in(
        self, errand: Errand, begun: Begun | None = None
    ) -> tuple[HttpRequest, Reply]:
        """Sent with the route's credential; once more with a new one where that had gone stale."""
        credentials = errand.route.credentials
        credential = await credentials.get(errand.url) if begun is None else begun.credential
        outgoing = errand.outgoing(credential)
        reply = await self._send(errand, outgoing, begun)
        signs_in = credential.single_use or credential.expires_at is not None
        if reply.status != 401 or not signs_in:
            return outgoing, reply
        refusal = await _read_refusal(reply)
        if not errand.route.provider.is_stale(refusal) or not await errand.repeatable():
            return outgoing, WholeReply(refusal)
        outgoing = errand.outgoing(await credentials.renew(credential, refusal))
        return outgoing, await self._send(errand, outgoing)

    async def _send(
        self, errand: Errand, outgoing: HttpRequest, begun: Begun | None = None
    ) -> Reply:
        turn, route, body = errand.turn, errand.route, errand.body
        sent_s = self._clock.monotonic_s()
        try:
            if begun is not None:
                return await begun.outcome.reply(outgoing)
            if isinstance(body, Kept) or outgoing.stored is not None:
                return await route.upstream.send(outgoing, wait_s=route.response_wait_s)
            lengths = header_values(turn.headers, "content-length")
            declared: Headers = tuple(("Content-Length", length) for length in lengths)
            return await route.upstream.send(
                outgoing.with_headers(*declared),
                wait_s=route.response_wait_s,
                body=body.chunks(),
            )
        except UpstreamError:
            if not isinstance(body, Kept) and body.is_silent:
                raise SilentAppError from None
            raise
        finally:
            turn.upstream_s += self._clock.monotonic_s() - sent_s

    async def _relay(
        self, errand: Errand, outgoing: HttpRequest, reply: Reply, sent_s: float
    ) -> web.StreamResponse:
        if errand.route.prepaid is not None:
            self._topups.served(errand.route.name, outgoing, sent_s)
        if isinstance(errand.body, Copied):
            errand.body.forget()
        errand.turn.decision = "relayed"
        return await self._delivery.unpaid(errand.turn, errand.route, reply)

    async def _pay(
        self,
        errand: Errand,
        outgoing: HttpRequest,
        refusal: HttpResponse,
        required: PaymentRequired,
    ) -> web.StreamResponse:
        turn, route = errand.turn, errand.route
        if route.paying is None:
            return await _refer(errand, refusal, "this route never pays")
        if not await errand.repeatable():
            return await self._unrepeatable(errand)
        outgoing = errand.again(outgoing)
        order = Order(
            outgoing,
            await purchase_of(route.name, errand.caller.name, outgoing, turn.headers),
            route.paying,
            errand.caller.name,
            errand.budgets,
        )
        paying_s = self._clock.monotonic_s()
        outcome = await self._purchases.pay(order, required)
        turn.upstream_s += self._clock.monotonic_s() - paying_s
        match outcome:
            case Paid():
                turn.decision, turn.payment = "paid", outcome.payment
                return await self._delivery.paid(turn, route, outcome)
            case Rejected(payment, reply):
                turn.decision, turn.payment = "in_doubt", payment
                return await self._delivery.rejected(turn, route, reply, payment)
            case InDoubt(payment, reason, retry_after_s):
                turn.payment = payment
                return await turn.say(answer_in_doubt(payment, reason, retry_after_s))
            case Undelivered(payment, reason):
                turn.payment = payment
                return await turn.say(answer_undelivered(payment, reason))
            case Denied():
                return await self._deny(turn, outcome)

    async def _top_up(
        self, errand: Errand, refusal: HttpResponse, account: str, sent_s: float
    ) -> web.StreamResponse:
        turn, route = errand.turn, errand.route
        if route.prepaid is None:
            return await _refer(errand, refusal, "this route never buys credit")
        if not await errand.repeatable():
            return await self._unrepeatable(errand)
        waiting_s = self._clock.monotonic_s()
        refill = await self._topups.ensure(route.name, account, errand.caller.name, sent_s)
        turn.upstream_s += self._clock.monotonic_s() - waiting_s
        match refill:
            case Denied():
                return await self._deny(turn, refill)
            case InDoubt(payment, reason, retry_after_s):
                turn.payment = payment
                return await turn.say(answer_in_doubt(payment, reason, retry_after_s))
            case Credited() if route.rehearses_credit:
                # Rehearsed for another request: there is nothing to be used.
                return await self._deny(turn, Denied("shadow", "credit would have been bought"))
            case Credited():
                sent_s = self._clock.mark_s()
                outgoing, reply = await self._signed_in(errand)
        if reply.status != 402:
            return await self._relay(errand, outgoing, reply, sent_s)
        reply.close()
        return await self._deny(turn, self._topups.refused_again(route.name, account))

    async def _unrepeatable(self, errand: Errand) -> web.StreamResponse:
        """Its seller wants money for what could not be sent again with it."""
        if isinstance(errand.body, Copied) and errand.body.lost is Lost.NO_ROOM:
            return await errand.turn.say(no_room())
        return await self._deny(errand.turn, body_too_large(self._replay_bytes_max))

    async def _deny(self, turn: Turn, denied: Denied) -> web.StreamResponse:
        self._emit(PaymentDenied(turn.route, turn.caller, denied))
        return await turn.say(answer_denied(denied))


async def _read_refusal(reply: Reply) -> HttpResponse:
    if reply.is_here:
        return await read_whole(reply, REFUSAL_BYTES_MAX)
    try:
        async with asyncio.timeout(REFUSAL_WAIT_S):
            return await read_whole(reply, REFUSAL_BYTES_MAX)
    except TimeoutError as fault:
        raise UpstreamTimeoutError("the upstream's refusal did not end in time") from fault


async def _refer(errand: Errand, refusal: HttpResponse, reason: str) -> web.StreamResponse:
    """Hand on a 402 that no payment mends, without any challenge that an app might pay."""
    turn, body = errand.turn, without_challenge(refusal)
    if body is None:
        return await turn.say(
            Answer(402, "payment_required", reason, retry=False, rule="unpayable")
        )
    turn.decision, turn.detail = "relayed", reason
    secrets = (*errand.route.secrets, *turn.secrets)
    headers = response_headers(refusal.headers, secrets, ("x-should-retry", "false"))
    kept = tuple(header for header in headers if header[0].lower() != "content-length")
    return await turn.write(402, kept, body)
