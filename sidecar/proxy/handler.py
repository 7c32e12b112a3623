"""One app request, start to finish.

admit -> route -> body -> send -> relay
                           | 402
                           +-> remedy -> pay -> relay, and mark delivered after the last byte
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from sidecar.clock import Clock, Entropy
from sidecar.errors import SidecarError, UpstreamTimeoutError
from sidecar.http import (
    Headers,
    HttpRequest,
    HttpResponse,
    Reply,
    header_values,
    read_whole,
    run_exchange,
)
from sidecar.payments.events import Emit, PaymentDenied, TaskFailed
from sidecar.payments.order import InDoubt, Order, Paid, Rejected, Undelivered
from sidecar.payments.payer import Payer
from sidecar.payments.purchases import Purchases
from sidecar.providers.base import PassThrough, PayInline
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.answers import Answer, busy, no_route
from sidecar.proxy.body import Kept, NoRoom, ReplayMemory, Streamed, read_body
from sidecar.proxy.delivery import Delivery
from sidecar.proxy.headers import request_headers, response_headers
from sidecar.proxy.outcomes import (
    answer_denied,
    answer_fault,
    answer_in_doubt,
    answer_undelivered,
    body_too_large,
    purchase_of,
    without_challenge,
)
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.turn import HUNG_UP, Turn
from sidecar.refusal import Denied
from sidecar.tasks import Supervisor
from sidecar.x402.types import PaymentRequired

REFUSAL_BYTES_MAX = 256 * 1024
REFUSAL_WAIT_S = 30.0
SIGN_IN_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request, and one caller, may take."""

    replay_bytes_max: int
    body_idle_s: float
    caller_requests_max: int


class RequestHandler:
    """Serves app requests on the data port."""

    def __init__(
        self,
        gate: Callable[[], Gate],
        routes: RouteTable,
        payer: Payer,
        tasks: Supervisor,
        memory: ReplayMemory,
        limits: RequestLimits,
        ports: tuple[Clock, Entropy, Emit],
    ) -> None:
        self._gate = gate
        self._routes = routes
        self._purchases = Purchases(payer, tasks)
        self._memory = memory
        self._limits = limits
        self._clock, self._entropy, self._emit = ports
        self._delivery = Delivery(payer, tasks, self._clock)
        self._under_way: Counter[str] = Counter()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, and record it once whatever happens."""
        began_s = self._clock.monotonic_s()
        turn = Turn(
            request,
            self._entropy.token(8).hex(),
            request.raw_path.partition("?")[0],
            tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in request.raw_headers
            ),
        )
        try:
            return await self._serve(turn)
        except SidecarError as fault:
            return await turn.say(answer_fault(fault))
        except ConnectionError:
            turn.status, turn.detail = HUNG_UP, "the app hung up"
            raise
        except Exception as fault:  # the one net under a request: reported, and 500
            self._emit(TaskFailed("request", fault))
            return await turn.say(
                Answer(500, "sidecar_bug", "the sidecar failed; its log says how", retry=True)
            )
        finally:
            self._emit(turn.served(self._clock.monotonic_s() - began_s))

    async def _serve(self, turn: Turn) -> web.StreamResponse:
        request = turn.request
        caller = self._gate().admit(request.method, request.raw_path, turn.headers)
        if isinstance(caller, Answer):
            return await turn.say(caller)
        turn.caller = caller.name
        found = self._routes.find(request.raw_path)
        if found is None:
            return await turn.say(no_route(self._routes.prefixes()))
        route, target = found
        turn.route = route.name
        if self._under_way[caller.name] >= self._limits.caller_requests_max:
            return await turn.say(busy("too many requests of this caller are under way"))
        self._under_way[caller.name] += 1
        try:
            return await self._with_body(turn, caller, route, target)
        finally:
            self._under_way[caller.name] -= 1

    async def _with_body(
        self, turn: Turn, caller: Caller, route: Route, target: str
    ) -> web.StreamResponse:
        _continue(turn)
        try:
            body = await read_body(
                turn.request.content,
                _declared_length(turn),
                self._memory,
                self._limits.replay_bytes_max,
                self._limits.body_idle_s,
            )
        except TimeoutError:
            message = f"no more of the body came in {self._limits.body_idle_s:g} s"
            return await turn.say(Answer(408, "sidecar_body", message, closes=True))
        if isinstance(body, NoRoom):
            return await turn.say(busy("the memory for request bodies is used up"))
        try:
            credential = await run_exchange(
                route.upstream,
                route.provider.sign_in(),
                wait_s=SIGN_IN_WAIT_S,
                body_bytes_max=REFUSAL_BYTES_MAX,
            )
            outgoing = HttpRequest(
                turn.request.method,
                route.base_url + target,
                request_headers(turn.headers, credential.headers),
                body.data if isinstance(body, Kept) else b"",
            )
            return await self._exchange(turn, caller, route, outgoing, body)
        finally:
            if isinstance(body, Kept):
                self._memory.give_back(body.taken)

    async def _exchange(
        self, turn: Turn, caller: Caller, route: Route, outgoing: HttpRequest, body: Kept | Streamed
    ) -> web.StreamResponse:
        """Send it as it is; pay only if that is what the answer asks for."""
        reply = await self._send(turn, route, outgoing, body)
        if reply.status != 402:
            turn.decision = "relayed"
            return await self._delivery.unpaid(turn, route, reply)
        refusal = await _read_refusal(reply)
        match route.provider.remedy(refusal):
            case PassThrough(reason):
                return await _refer(turn, route, refusal, reason)
            case PayInline(required):
                if route.paying is None:
                    return await _refer(turn, route, refusal, "this route never pays")
                if isinstance(body, Streamed):
                    return await self._deny(turn, body_too_large(self._limits.replay_bytes_max))
                order = Order(
                    outgoing,
                    purchase_of(route.name, caller.name, outgoing, turn.headers),
                    route.paying,
                    caller.name,
                    route.budgets_with(caller.budgets),
                )
                return await self._pay(turn, route, order, required)

    async def _send(
        self, turn: Turn, route: Route, outgoing: HttpRequest, body: Kept | Streamed
    ) -> Reply:
        sent_s = self._clock.monotonic_s()
        try:
            if isinstance(body, Kept):
                return await route.upstream.send(outgoing, wait_s=route.response_wait_s)
            lengths = header_values(turn.headers, "content-length")
            declared: Headers = tuple(("Content-Length", length) for length in lengths)
            return await route.upstream.send(
                outgoing.with_headers(*declared),
                wait_s=route.response_wait_s,
                body=body.chunks(),
            )
        finally:
            turn.upstream_s += self._clock.monotonic_s() - sent_s

    async def _pay(
        self, turn: Turn, route: Route, order: Order, required: PaymentRequired
    ) -> web.StreamResponse:
        paying_s = self._clock.monotonic_s()
        outcome = await self._purchases.pay(order, required)
        turn.upstream_s += self._clock.monotonic_s() - paying_s
        match outcome:
            case Paid(payment, reply):
                turn.decision, turn.payment = "paid", payment
                return await self._delivery.paid(turn, route, reply, payment)
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

    async def _deny(self, turn: Turn, denied: Denied) -> web.StreamResponse:
        self._emit(PaymentDenied(turn.route, turn.caller, denied))
        return await turn.say(answer_denied(denied))


async def _read_refusal(reply: Reply) -> HttpResponse:
    try:
        async with asyncio.timeout(REFUSAL_WAIT_S):
            return await read_whole(reply, REFUSAL_BYTES_MAX)
    except TimeoutError as fault:
        raise UpstreamTimeoutError("the upstream's 402 did not end in time") from fault


async def _refer(
    turn: Turn, route: Route, refusal: HttpResponse, reason: str
) -> web.StreamResponse:
    """Hand on a 402 that no payment mends, without any challenge that an app might pay."""
    body = without_challenge(refusal)
    if body is None:
        return await turn.say(
            Answer(402, "payment_required", reason, retry=False, rule="unpayable")
        )
    turn.decision, turn.detail = "relayed", reason
    headers = response_headers(refusal.headers, route.secrets, ("x-should-retry", "false"))
    kept = tuple(header for header in headers if header[0].lower() != "content-length")
    return await turn.write(402, kept, body)


def _declared_length(turn: Turn) -> int | None:
    """The length that the app declared; 0 where it sends no body; None for a chunked one."""
    lengths = header_values(turn.headers, "content-length")
    if lengths:
        return int(lengths[0])
    return 0 if turn.request.content.at_eof() else None


def _continue(turn: Turn) -> None:
    """curl waits a second for this before it sends a body."""
    expects = any(v.lower() == "100-continue" for v in header_values(turn.headers, "expect"))
    transport = turn.request.transport
    if expects and transport is not None:
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
