"""One app request, start to finish.

admit -> route -> body -> the dealings with its upstream -> one record
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy

from sidecar.clock import Clock, Entropy
from sidecar.errors import SidecarError
from sidecar.http import read_headers
from sidecar.payments.events import Emit, TaskFailed
from sidecar.payments.served import EmitServed
from sidecar.proxy import web
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.answers import Answer, busy, no_room, no_route
from sidecar.proxy.attended import Attended
from sidecar.proxy.begun import Begun
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.body import Kept, NoRoom, ReplayMemory, read_body
from sidecar.proxy.copied import Copied
from sidecar.proxy.dealings import Dealings
from sidecar.proxy.endings import Endings
from sidecar.proxy.errand import Errand
from sidecar.proxy.express import Express
from sidecar.proxy.known import KnownHead, read_head
from sidecar.proxy.outcomes import answer_fault
from sidecar.proxy.paced import SilentAppError
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.server import user_behind
from sidecar.proxy.turn import APP_GONE, HUNG_UP, RequestIds, Turn
from sidecar.tasks import Supervisor
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request, and one caller, may take."""

    replay_bytes_max: int
    body_idle_s: float
    caller_requests_max: int

    @property
    def of_lane(self) -> tuple[int, int]:
        """Those that hold on the fast lane, too."""
        return self.replay_bytes_max, self.caller_requests_max


class RequestHandler:
    """Serves app requests on the data port."""

    def __init__(
        self,
        gate: Callable[[], Gate],
        routes: RouteTable,
        dealings: Dealings,
        memory: ReplayMemory,
        limits: RequestLimits,
        ports: tuple[Clock, Entropy, Emit],
    ) -> None:
        self._gate = gate
        self._routes = routes
        self._dealings = dealings
        self._memory = memory
        self._limits = limits
        self._clock, entropy, self._emit = ports
        self._ids = RequestIds(entropy)
        # Not a Counter: it is three times as slow to add to, and every request does.
        self._under_way: defaultdict[str, int] = defaultdict(int)

    def heir(self, routes: RouteTable, dealings: Dealings, limits: RequestLimits) -> RequestHandler:
        """Another one, for these, which counts callers and memory together with this one."""
        heir = copy(self)
        heir._routes, heir._dealings, heir._limits = routes, dealings, limits
        return heir

    def express(self, tasks: Supervisor, emit: EmitServed, told_within_s: float = 0.0) -> Express:
        """A fast lane under the same rules and limits, which tells of what it served."""
        monotonic_s = self._clock.monotonic_s
        return Express(
            self._gate,
            self._routes,
            self._limits.of_lane,
            self.attend,
            (self._under_way, self._memory),
            tasks,
            (monotonic_s, self._ids, Endings(monotonic_s, emit, told_within_s)),
        )

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, and record it once whatever happens."""
        begun = _begun_of(request)
        began_s = self._clock.monotonic_s() if begun is None else begun.began_s
        turn = Turn(
            request,
            self._ids.next() if begun is None else begun.request_id,
            request.raw_path.partition("?")[0],
            read_headers(request.raw_headers),
        )
        serving = self._serve(turn, request) if begun is None else self._go_on(turn, begun)
        return await self._answer(turn, began_s, serving)

    def attend(
        self, tasks: Supervisor, connection: BoardingConnection, came: bytes, begun: Begun
    ) -> None:
        """Go on with what the fast lane has sent; ``came`` began with its head. It stays there."""
        call = begun.asked.call
        known = read_head(came, begun.asked, begun.credential)
        attended = Attended(connection, call.method, begun)
        turn = Turn(attended, begun.request_id, call.path, known.headers)
        attended.go(
            tasks, lambda: self._answer(turn, begun.began_s, self._go_on(turn, begun, known))
        )

    async def _answer(
        self, turn: Turn, began_s: float, serving: Awaitable[web.StreamResponse]
    ) -> web.StreamResponse:
        try:
            return await serving
        except SidecarError as fault:
            return await turn.say(answer_fault(fault))
        except ConnectionError:
            turn.status, turn.detail = HUNG_UP, APP_GONE
            raise
        except Exception as fault:  # the one net under a request: reported, and 500
            self._emit(TaskFailed("request", fault))
            return await turn.say(
                Answer(500, "sidecar_bug", "the sidecar failed; its log says how", retry=True)
            )
        finally:
            self._emit(turn.served(self._clock.monotonic_s() - began_s))

    async def _serve(self, turn: Turn, request: web.BaseRequest) -> web.StreamResponse:
        user = user_behind(request)
        caller = self._gate().admit(request.method, request.raw_path, turn.headers, user)
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
            return await self._with_body(turn, request, (caller, route, target))
        finally:
            self._under_way[caller.name] -= 1

    async def _go_on(
        self, turn: Turn, begun: Begun, known: KnownHead | None = None
    ) -> web.StreamResponse:
        """What the fast lane has sent was admitted there, and counts until it is over."""
        turn.caller, turn.route = begun.caller.name, begun.route.name
        turn.upstream_s = begun.upstream_s
        body = Kept(begun.body, begun.taken)
        errand = Errand(turn, begun.caller, begun.route, begun.target, body, begun, known)
        try:
            return await self._dealings.serve(errand)
        finally:
            begun.give_back()

    async def _with_body(
        self, turn: Turn, request: web.BaseRequest, whither: tuple[Caller, Route, str]
    ) -> web.StreamResponse:
        _continue(request)
        try:
            body = await read_body(
                request.content,
                _declared_length(request),
                self._memory,
                self._limits.replay_bytes_max,
                self._limits.body_idle_s,
            )
        except TimeoutError:
            return await self._say_overdue(turn)
        if isinstance(body, NoRoom):
            return await turn.say(no_room())
        try:
            try:
                response = await self._dealings.serve(Errand(turn, *whither, body))
            except SidecarError as fault:
                response = await turn.say(answer_fault(fault))
            if isinstance(body, Copied):
                # An app that sends all of it before it reads would not see the answer otherwise.
                with suppress(TimeoutError, ConnectionError):
                    await body.drain()
            return response
        except SilentAppError:
            return await self._say_overdue(turn)
        finally:
            if isinstance(body, Kept):
                self._memory.give_back(body.taken)
            elif isinstance(body, Copied):
                body.close()

    async def _say_overdue(self, turn: Turn) -> web.StreamResponse:
        message = f"no more of the body came in {self._limits.body_idle_s:g} s"
        return await turn.say(Answer(408, "sidecar_body", message, closes=True))


def _begun_of(request: web.BaseRequest) -> Begun | None:
    """What the fast lane has begun of this request."""
    protocol = request.protocol
    return protocol.take_begun() if isinstance(protocol, BoardingConnection) else None


def _declared_length(request: web.BaseRequest) -> int | None:
    """The length that the app declared; 0 where it sends no body; None for a chunked one."""
    length = request.headers.get("content-length")
    if length is not None:
        return int(length)
    return 0 if request.content.at_eof() else None


def _continue(request: web.BaseRequest) -> None:
    """curl waits a second for this before it sends a body."""
    expected = request.headers.getall("expect", ())
    transport = request.transport
    if expected and transport is not None and "100-continue" in map(str.lower, expected):
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
