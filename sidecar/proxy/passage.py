"""One request on the fast lane, all of which is here; ``express`` has the table of its states."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING

from sidecar.errors import SidecarError, UpstreamError, UpstreamTimeoutError
from sidecar.proxy.begun import Answered, Begun, Failed, Outcome
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.bodies import BadChunksError, Body, Chunked, Counted
from sidecar.proxy.calls import Asked
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.relayed import HEAD_BYTES_MAX
from sidecar.proxy.turn import HUNG_UP
from sidecar.proxy.wires import Wire

if TYPE_CHECKING:
    from sidecar.proxy.express import Express

CUT_SHORT = "the upstream's response was cut short"


State = Enum("State", ["SENDING", "WAITING", "RELAYING", "OVER"])
# An enumeration's members are slow to find in it.
SENDING, WAITING, RELAYING, OVER = State


class Passage:
    """One request, from its last byte to its answer's last."""

    __slots__ = (
        "_answer",
        "_asked",
        "_began_s",
        "_body",
        "_connecting",
        "_connection",
        "_dress",
        "_express",
        "_head",
        "_keeps",
        "_kept",
        "_request_id",
        "_since_s",
        "_state",
        "_status",
        "_upstream_s",
        "_wait_s",
        "_wire",
        "_wires",
    )

    def __init__(
        self,
        express: Express,
        connection: BoardingConnection,
        asked: Asked,
        body: bytes,
        began_s: float,
    ) -> None:
        call = asked.call
        assert call.dress is not None
        assert call.route.wires is not None
        self._dress = call.dress
        self._wires = call.route.wires
        self._wait_s = call.route.response_wait_s
        self._express = express
        self._connection = connection
        self._asked = asked
        self._body = body
        self._kept = len(body)
        self._began_s = began_s
        self._request_id = express.ids.next()
        self._state = SENDING
        self._status = HUNG_UP
        self._upstream_s = self._since_s = 0.0
        self._keeps = False
        self._head = b""
        self._answer: Body | None = None
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[None] | None = None

    # What the app does.

    def more(self, data: bytes) -> bool:
        return False

    def app_gone(self) -> None:
        if self._state is RELAYING:
            self._end("the app hung up", HUNG_UP, "relayed")
        elif self._state is not OVER:
            self._end("", HUNG_UP, "failed")

    def app_slow(self) -> None:
        if self._wire is not None and self._state is RELAYING:
            self._wire.transport.pause_reading()
            self._wire.expect(float("inf"))

    def app_ready(self) -> None:
        if self._wire is not None and self._state is RELAYING:
            self._wire.expect(self._wait_s)
            self._wire.transport.resume_reading()

    # The way there.

    def send(self) -> None:
        """Go, on a wire that is free or on a new one."""
        self._since_s = self._express.clock.monotonic_s()
        wire = self._wires.take()
        if wire is not None:
            self._write(wire, self._wait_s)
        else:
            self._connecting = self._express.tasks.spawn("connect", self._connect())

    async def _connect(self) -> None:
        try:
            wire = await self._wires.connect(self._wait_s)
        except UpstreamError as fault:
            self._connecting = None
            self._add_wait()
            self._hand_over(Failed(fault))
            return
        waited_s = self._express.clock.monotonic_s() - self._since_s
        self._connecting = None
        self._write(wire, max(0.0, self._wait_s - waited_s))

    def _write(self, wire: Wire, wait_s: float) -> None:
        self._state = WAITING
        self._wire = wire
        wire.asking = self
        wire.transport.write(self._asked.render(self._dress, self._body))
        wire.expect(wait_s)

    # What the upstream does.

    def answered(self, data: bytes) -> None:
        self._add_wait()
        if self._state is WAITING:
            self._open(data)
        else:
            self._relay(data)
        if self._state is RELAYING:
            assert self._wire is not None
            if not self._connection.is_paused:
                self._wire.expect(self._wait_s)
            self._since_s = self._express.clock.monotonic_s()

    def lost(self, fault: Exception | None) -> None:
        self._add_wait()
        if self._state is WAITING:
            self._hand_answer_over(b"")
        else:
            self._cut(UpstreamError(f"{CUT_SHORT}: it hung up"))

    def overdue(self) -> None:
        self._add_wait()
        if self._state is RELAYING:
            self._cut(UpstreamTimeoutError("the upstream went silent in its response"))
        else:
            self._hand_over(Failed(self._wires.silence(self._wait_s)))

    # The way back.

    def _open(self, data: bytes) -> None:
        """The first bytes of the answer."""
        came, end, rest = data.partition(HEAD_END)
        known = end and len(came) <= HEAD_BYTES_MAX - len(HEAD_END)
        found = self._dress.answers.find(came) if known else None
        if found is None:
            self._hand_answer_over(data)
            return
        relayed, digits = found
        if digits and len(rest) == int(digits):
            self._begin(relayed.status, relayed.keeps)
            self._connection.write(b"".join((relayed.before, digits, relayed.after, rest)))
            self._finish()
            return
        head = b"".join((relayed.before, digits, relayed.after))
        body: Body = Counted(int(digits)) if digits else Chunked()
        if rest:
            try:
                rest = body.pass_on(rest)
            except BadChunksError:
                body.excess = True
            if body.excess:
                self._hand_answer_over(data)
                return
        self._begin(relayed.status, relayed.keeps)
        self._answer = body
        if rest or relayed.chunked:
            self._connection.write(head + rest)
        else:
            # One write for both, as soon as there is a body: of what is cut before, nothing came.
            self._head = head
        if body.ended:
            self._finish()
        elif self._connection.is_paused:
            self.app_slow()

    def _begin(self, status: int, keeps: bool) -> None:
        """It is ordinary: it will not be needed to send the request again."""
        self._state = RELAYING
        self._status, self._keeps = status, keeps
        self._body = b""
        self._express.forget_body(self._kept)
        self._kept = 0

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
        self._forget()
        self._express.record(
            self._asked,
            self._request_id,
            (self._began_s, self._upstream_s),
            (status, decision, detail),
        )
        self._connection.leave()

    def _hand_answer_over(self, data: bytes) -> None:
        """It is not ordinary; this much of it has come."""
        wire, method = self._wire, self._asked.call.method
        assert wire is not None
        self._wire = None
        waits_s = (self._wait_s, max(0.0, self._wait_s - self._upstream_s))
        self._hand_over(Answered(self._wires.upstream, wire, method, data, waits_s))

    def _hand_over(self, outcome: Outcome) -> None:
        """``dealings`` goes on with it."""
        asked = self._asked
        call = asked.call
        self._stop()
        begun = Begun(
            self._request_id,
            self._began_s,
            self._upstream_s,
            call.caller,
            call.route,
            call.target,
            self._dress.answers.credential,
            self._body,
            self._kept,
            outcome,
            self._forget,
        )
        self._connection.hand_over(asked.for_parser(), begun)

    def _stop(self) -> None:
        """Let go of everything but what counts against limits."""
        self._state = OVER
        if self._connecting is not None:
            self._connecting.cancel()
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _forget(self) -> None:
        self._express.forget(self._asked.call, self._kept)
        self._kept = 0

    def _add_wait(self) -> None:
        self._upstream_s += self._express.clock.monotonic_s() - self._since_s
