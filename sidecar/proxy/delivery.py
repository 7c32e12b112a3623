"""The answer on its way to the app, and the mark that its last byte makes.

A payment is held while its answer streams. Only the last byte, flushed, completes the purchase;
anything less releases the payment, so that the app's retry binds to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from sidecar.clock import Clock
from sidecar.errors import UpstreamError
from sidecar.http import HttpResponse, Reply, WholeReply
from sidecar.ledger.model import Payment
from sidecar.payments.balances import Balances
from sidecar.payments.events import CostObserved, Emit
from sidecar.payments.order import Paid
from sidecar.payments.payer import Payer
from sidecar.proxy import web
from sidecar.proxy.attended import Attended
from sidecar.proxy.headers import response_headers
from sidecar.proxy.relay import RelayedResponse, is_whole
from sidecar.proxy.route import Route
from sidecar.proxy.tail import Tail
from sidecar.proxy.turn import APP_GONE, HUNG_UP, STOPPING, Turn
from sidecar.tasks import Supervisor


class Delivery:
    """Streams replies to apps. Raises ConnectionError when the app has gone."""

    def __init__(
        self, payer: Payer, balances: Balances, tasks: Supervisor, clock: Clock, emit: Emit
    ) -> None:
        self._payer = payer
        self._balances = balances
        self._tasks = tasks
        self._clock = clock
        self._emit = emit

    async def unpaid(self, turn: Turn, route: Route, reply: Reply) -> web.StreamResponse:
        """Relay an answer that cost nothing."""
        headers = response_headers(reply.headers, (*route.secrets, *turn.secrets))
        response = turn.respond(reply.status, headers)
        await self._stream(turn, route, response, reply)
        return response

    async def paid(self, turn: Turn, route: Route, paid: Paid) -> web.StreamResponse:
        """Relay what was paid for, and mark it delivered at its last byte."""
        response = _with_payment(turn, route, paid.reply, paid.payment)
        complete = False
        try:
            complete = await self._stream(turn, route, response, paid.reply)
            return response
        finally:
            complete = complete or is_whole(response)
            # Not awaited: the app has its answer, and its hang-up must not stop the record.
            end = self._payer.delivered if complete else self._payer.released
            self._record(turn, end(paid.payment, paid.unposted))

    async def rejected(
        self, turn: Turn, route: Route, reply: Reply, payment: Payment
    ) -> web.StreamResponse:
        """Relay the seller's answer to the app's own mistake; nothing was bought with it."""
        response = _with_payment(turn, route, reply, payment)
        try:
            await self._stream(turn, route, response, reply)
            return response
        finally:
            self._record(turn, self._payer.released(payment))

    def _record(self, turn: Turn, work: Coroutine[Any, Any, None]) -> None:
        """Have it written down, whatever becomes of the app's connection."""
        if isinstance(turn.request, Attended):
            turn.request.at_last("delivery", work)
        else:
            self._tasks.spawn("delivery", work)

    async def _stream(
        self, turn: Turn, route: Route, response: RelayedResponse, reply: Reply
    ) -> bool:
        """Pass the body on as it comes. True when the app has all of it, flushed."""
        turn.status = reply.status
        tail = Tail(reply.status, reply.headers) if route.reads_bodies else None
        try:
            await response.begin()
            if not isinstance(reply, WholeReply):
                await self._pass_on(turn, response, reply, tail)
            elif reply.response.body:
                # To be asked for its one piece, as if it could wait, costs more than to send it.
                await response.write(reply.response.body)
                if tail is not None:
                    tail.feed(reply.response.body)
            await response.write_eof()
            if turn.payment is not None:
                await response.flushed()
        except UpstreamError as fault:
            # Never ended as if it were whole.
            turn.detail = fault.diagnostics()
            response.cut()
            return False
        except asyncio.CancelledError:
            turn.status, turn.detail = HUNG_UP, APP_GONE
            if turn.is_cut:
                turn.detail = STOPPING
                response.cut()
            raise
        finally:
            reply.close()
            if route.observed:
                # A body that broke off was served all the same, up to there.
                head = HttpResponse(reply.status, reply.headers)
                self._note(turn, route, head if tail is None else tail.response())
        return True

    async def _pass_on(
        self, turn: Turn, response: RelayedResponse, reply: Reply, tail: Tail | None
    ) -> None:
        waiting_s = self._clock.monotonic_s()
        async for chunk in reply.chunks():
            turn.upstream_s += self._clock.monotonic_s() - waiting_s
            await response.write(chunk)
            if tail is not None:
                tail.feed(chunk)
            waiting_s = self._clock.monotonic_s()

    def _note(self, turn: Turn, route: Route, response: HttpResponse) -> None:
        """What the response says beside its answer: what is left, and what it cost."""
        observation = route.provider.observe(response)
        self._balances.observe(route.name, "", observation.balances)
        if observation.cost_usd is not None:
            cost_usd, estimated = observation.cost_usd, observation.estimated
            self._emit(CostObserved(route.name, turn.caller, cost_usd, estimated))


def _with_payment(turn: Turn, route: Route, reply: Reply, payment: Payment) -> RelayedResponse:
    added = ("x-sidecar-payment-id", payment.id)
    secrets = (*route.secrets, *turn.secrets)
    return turn.respond(reply.status, response_headers(reply.headers, secrets, added))
