"""One request on the fast lane; ``express`` has the table of its states."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from sidecar.errors import SidecarError, UpstreamError, UpstreamTimeoutError
from sidecar.http import HttpRequest, Reply
from sidecar.payments.events import RequestServed
from sidecar.proxy.begun import Begun
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.bodies import BadChunksError, Body
from sidecar.proxy.relayed import HEAD_BYTES_MAX
from sidecar.proxy.turn import HUNG_UP
from sidecar.proxy.wires import Wire

if TYPE_CHECKING:
    from sidecar.proxy.express import Call, Express

# How long the rest of a body may take to come before it is somebody else's affair.
COLLECT_S = 1.0
CUT_SHORT = "the upstream's response was cut short"


class State(Enum):
    """Where it is."""

    COLLECTING = auto()
    SENDING = auto()
    WAITING = auto()
    RELAYING = auto()
    OVER = auto()


class Passage:
    """One request, from its first byte to its answer's last."""

    __slots__ = (
        "_answer",
        "_answers",
        "_began_s",
        "_body",
        "_call",
        "_connecting",
        "_connection",
        "_express",
        "_head",
        "_keeps",
        "_late",
        "_left",
        "_length",
        "_parts",
        "_request_id",
        "_since_s",
        "_state",
        "_status",
        "_taken",
        "_upstream_s",
        "_wire",
    )

    def __init__(
        self, express: Express, connection: BoardingConnection, call: Call, length: int
    ) -> None:
        assert call.answers is not None
        self._express = express
        self._connection = connection
        self._call = call
        self._answers = call.answers
        self._length = self._taken = length
        self._began_s = express.clock.monotonic_s()
        self._request_id = express.entropy.token(8).hex()
        self._state = State.COLLECTING
        self._status = HUNG_UP
        self._upstream_s = self._since_s = 0.0
        self._body = b""
        self._parts: list[bytes] = []
        self._left = 0
        self._keeps = False
        self._head = b""
        self._answer: Body | None = None
        self._wire: Wire | None = None
        self._late: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None

    # What the app does.

    def begin(self, data: bytes, at: int) -> None:
        """The head is in these bytes up to ``at``; the rest is the body, or its beginning."""
        if len(data) - at == self._length:
            self._send(data[at:])
            return
        self._parts = [data]
        self._left = self._length - (len(data) - at)
        self._late = self._connection.call_later(COLLECT_S, self._decline)

    def more(self, data: bytes) -> bool:
        """More bytes from the app; False where they belong to a later request."""
        if self._state is not State.COLLECTING:
            return False
        self._parts.append(data)
        self._left -= len(data)
        if self._left < 0:
            self._decline()
        elif self._left == 0:
            assert self._late is not None
            self._late.cancel()
            whole = b"".join(self._parts)
            self._parts = []
            self._send(whole[-self._length :])
        return True

    def app_gone(self) -> None:
        """The app has hung up."""
        if self._state is State.OVER:
            return
        if self._state is State.RELAYING:
            self._end("the app hung up", HUNG_UP, "relayed")
        else:
            self._end("", HUNG_UP, "failed")

    def app_slow(self) -> None:
        """Nothing more is to be written to the app for now."""
        if self._wire is not None and self._state is State.RELAYING:
            self._wire.transport.pause_reading()
            self._wire.expect(float("inf"))

    def app_ready(self) -> None:
        """The app reads again."""
        if self._wire is not None and self._state is State.RELAYING:
            self._wire.expect(self._call.route.response_wait_s)
            self._wire.transport.resume_reading()

    # What the upstream does.

    def answered(self, data: bytes) -> None:
        """The next bytes of the answer."""
        now_s = self._express.clock.monotonic_s()
        self._upstream_s += now_s - self._since_s
        if self._state is State.WAITING:
            self._open(data)
        else:
            self._relay(data)
        if self._state is State.RELAYING:
            assert self._wire is not None
            if not self._connection.is_paused:
                self._wire.expect(self._call.route.response_wait_s)
            self._since_s = self._express.clock.monotonic_s()

    def lost(self, fault: Exception | None) -> None:
        """The upstream's connection is gone."""
        self._add_wait()
        if self._state is State.WAITING:
            self._hand_over(b"")
        else:
            self._cut(UpstreamError(f"{CUT_SHORT}: it hung up"))

    def overdue(self) -> None:
        """Nothing came in time."""
        self._add_wait()
        if self._state is State.RELAYING:
            self._cut(UpstreamTimeoutError("the upstream went silent in its response"))
            return
        self._hand_over_fault(self._no_answer())

    # The way there.

    def _send(self, body: bytes) -> None:
        self._body = body
        self._since_s = self._express.clock.monotonic_s()
        assert self._call.route.wires is not None
        wire = self._call.route.wires.take()
        if wire is not None:
            self._write(wire, self._call.route.response_wait_s)
            return
        self._state = State.SENDING
        self._connecting = self._express.tasks.spawn("connect", self._connect())

    async def _connect(self) -> None:
        route = self._call.route
        assert route.wires is not None
        wait_s = route.response_wait_s
        try:
            async with asyncio.timeout(wait_s):
                wire = await route.wires.connect()
        except UpstreamError as fault:
            self._refused(fault)
            return
        except TimeoutError:
            self._refused(self._no_answer())
            return
        waited_s = self._express.clock.monotonic_s() - self._since_s
        self._connecting = None
        self._write(wire, max(0.0, wait_s - waited_s))

    def _refused(self, fault: SidecarError) -> None:
        self._connecting = None
        self._add_wait()
        self._hand_over_fault(fault)

    def _write(self, wire: Wire, wait_s: float) -> None:
        call, body = self._call, self._body
        self._state = State.WAITING
        self._wire = wire
        wire.asking = self
        if body or call.has_length:
            wire.transport.write(
                b"%bContent-Length: %d\r\n\r\n%b" % (call.opening, len(body), body)
            )
        else:
            wire.transport.write(call.opening + b"\r\n")
        wire.expect(wait_s)

    # The way back.

    def _open(self, data: bytes) -> None:
        """The first bytes of the answer."""
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
        found = self._answers.find(data, end) if end > 0 else None
        if found is None:
            self._hand_over(data)
            return
        relayed, head, body = found
        rest = b""
        if len(data) > end + 4:
            try:
                rest = body.pass_on(data, end + 4)
            except BadChunksError:
                body.excess = True
            if body.excess:
                self._hand_over(data)
                return
        self._state = State.RELAYING
        self._status, self._keeps = relayed.status, relayed.keeps
        self._answer = body
        self._body = b""
        self._express.memory.give_back(self._taken)
        self._taken = 0
        if rest or body.ended or relayed.chunked:
            self._connection.write(head + rest)
        else:
            # One write for both, as soon as there is a body: of what is cut before, nothing came.
            self._head = head
        if body.ended:
            self._finish()
        elif self._connection.is_paused:
            self.app_slow()

    def _relay(self, data: bytes) -> None:
        """More of its body."""
        body = self._answer
        assert body is not None
        try:
            piece = body.pass_on(data)
        except BadChunksError:
            self._cut(UpstreamError(f"{CUT_SHORT}: its chunks are malformed"))
            return
        if piece:
            self._connection.write(self._head + piece if self._head else piece)
            self._head = b""
        if body.ended:
            self._keeps = self._keeps and not body.excess
            self._finish()

    # The end.

    def _finish(self) -> None:
        wire = self._wire
        assert wire is not None
        self._wire = None
        if self._keeps:
            if self._connection.is_paused:
                wire.transport.resume_reading()
            wire.put_back()
        else:
            wire.close()
        self._end("", self._status, "relayed")

    def _cut(self, fault: SidecarError) -> None:
        """The answer is never ended as if it were whole."""
        self._connection.cut()
        self._end(fault.diagnostics(), self._status, "relayed")

    def _end(self, detail: str, status: int, decision: str) -> None:
        """Over: record it, and let the app's next request come."""
        self._stop()
        self._give_back()
        call = self._call
        self._express.emit(
            RequestServed(
                request_id=self._request_id,
                route=call.route.name,
                caller=call.caller.name,
                method=call.method,
                path=call.path,
                status=status,
                duration_s=self._express.clock.monotonic_s() - self._began_s,
                upstream_s=self._upstream_s,
                decision=decision,
                detail=detail,
            )
        )
        self._connection.leave()

    def _decline(self) -> None:
        """Nothing was sent: the parser has what came, as it came."""
        self._stop()
        self._give_back()
        self._connection.decline(self._parts)

    def _hand_over(self, data: bytes) -> None:
        """``dealings`` takes the answer, of which this has come."""
        wire, route = self._wire, self._call.route
        wires = route.wires
        assert wire is not None
        assert wires is not None
        self._wire = None
        wires.upstream.expect(wire.handler, self._call.method)
        connection = wire.hand_over(data)
        wait_s = route.response_wait_s
        left_s = max(0.0, wait_s - self._upstream_s)

        async def answer(request: HttpRequest) -> Reply:
            return await wires.upstream.finish(request, connection, wait_s=wait_s, left_s=left_s)

        self._pass_to_dealings(answer, connection.close)

    def _hand_over_fault(self, fault: SidecarError) -> None:
        """``dealings`` says what went wrong."""

        async def answer(request: HttpRequest) -> Reply:
            raise fault

        self._pass_to_dealings(answer, _nothing)

    def _pass_to_dealings(
        self, answer: Callable[[HttpRequest], Awaitable[Reply]], drop: Callable[[], None]
    ) -> None:
        call = self._call
        self._stop()
        begun = Begun(
            self._request_id,
            self._began_s,
            self._upstream_s,
            call.caller,
            call.route,
            call.target,
            self._answers.credential,
            self._body,
            self._taken,
            answer,
            drop,
            self._give_back,
        )
        self._connection.hand_over(call.parsed, begun)

    def _stop(self) -> None:
        """Let go of everything but what counts against limits."""
        self._state = State.OVER
        if self._late is not None:
            self._late.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _give_back(self) -> None:
        self._express.memory.give_back(self._taken)
        self._express.under_way[self._call.caller.name] -= 1
        self._taken = 0

    def _add_wait(self) -> None:
        self._upstream_s += self._express.clock.monotonic_s() - self._since_s

    def _no_answer(self) -> UpstreamTimeoutError:
        route = self._call.route
        assert route.wires is not None
        return UpstreamTimeoutError(
            f"no answer from {route.wires.origin} in {route.response_wait_s:g} s"
        )


def _nothing() -> None:
    """There is nothing to let go of."""
