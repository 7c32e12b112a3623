"""The answer on its way to the app, and the mark that its last byte makes.

A payment is held while its answer streams. Only the last byte, flushed, completes the purchase;
anything less releases the payment, so that the app's retry binds to it.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from sidecar.clock import Clock
from sidecar.errors import UpstreamError
from sidecar.http import Reply
from sidecar.ledger.model import Payment
from sidecar.payments.payer import Payer
from sidecar.proxy.headers import response_headers
from sidecar.proxy.relay import RelayedResponse, is_whole
from sidecar.proxy.route import Route
from sidecar.proxy.turn import HUNG_UP, Turn
from sidecar.tasks import Supervisor


class Delivery:
    """Streams replies to apps. Raises ConnectionError when the app has gone."""

    def __init__(self, payer: Payer, tasks: Supervisor, clock: Clock) -> None:
        self._payer = payer
        self._tasks = tasks
        self._clock = clock

    async def unpaid(self, turn: Turn, route: Route, reply: Reply) -> web.StreamResponse:
        """Relay an answer that cost nothing."""
        response = RelayedResponse(reply.status, response_headers(reply.headers, route.secrets))
        await self._stream(turn, response, reply)
        return response

    async def paid(
        self, turn: Turn, route: Route, reply: Reply, payment: Payment
    ) -> web.StreamResponse:
        """Relay what was paid for, and mark it delivered at its last byte."""
        response = _with_payment(route, reply, payment)
        complete = False
        try:
            complete = await self._stream(turn, response, reply)
            return response
        finally:
            complete = complete or is_whole(response)
            # Not awaited: the app has its answer, and its hang-up must not stop the record.
            if complete:
                self._tasks.spawn("delivery", self._payer.delivered(payment))
            else:
                self._tasks.spawn("delivery", self._payer.released(payment))

    async def rejected(
        self, turn: Turn, route: Route, reply: Reply, payment: Payment
    ) -> web.StreamResponse:
        """Relay the seller's answer to the app's own mistake; nothing was bought with it."""
        response = _with_payment(route, reply, payment)
        try:
            await self._stream(turn, response, reply)
            return response
        finally:
            self._tasks.spawn("delivery", self._payer.released(payment))

    async def _stream(self, turn: Turn, response: RelayedResponse, reply: Reply) -> bool:
        """Pass the body on as it comes. True when the app has all of it, flushed."""
        turn.status = reply.status
        try:
            await response.prepare(turn.request)
            waiting_s = self._clock.monotonic_s()
            async for chunk in reply.chunks():
                turn.upstream_s += self._clock.monotonic_s() - waiting_s
                await response.write(chunk)
                waiting_s = self._clock.monotonic_s()
            await response.write_eof()
            if turn.payment is not None:
                await response.flushed(turn.request)
        except UpstreamError as fault:
            # Never ended as if it were whole.
            turn.detail = fault.diagnostics()
            response.cut(turn.request)
            return False
        except asyncio.CancelledError:
            turn.status, turn.detail = HUNG_UP, "the app hung up"
            raise
        finally:
            reply.close()
        return True


def _with_payment(route: Route, reply: Reply, payment: Payment) -> RelayedResponse:
    added = ("x-sidecar-payment-id", payment.id)
    return RelayedResponse(reply.status, response_headers(reply.headers, route.secrets, added))
