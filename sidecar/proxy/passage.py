"""One request on the fast lane, all of which is here; ``express`` has the table of its states."""

from __future__ import annotations

import asyncio
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from sidecar.errors import SidecarError, UpstreamError, UpstreamTimeoutError
from sidecar.payments.served import End
from sidecar.proxy.arrived import go_on, outcome_of
from sidecar.proxy.begun import Begun, Failed, Outcome
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.bodies import BadChunksError, Body, Chunked, Counted
from sidecar.proxy.calls import Asked, Dress
from sidecar.proxy.relayed import Relayed
from sidecar.proxy.turn import APP_GONE, HUNG_UP, STOPPING
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
        "_came",
        "_connecting",
        "_connection",
        "_dress",
        "_express",
        "_head",
        "_length",
        "_relayed",
        "_since_s",
        "_state",
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
        dress: Dress,
        began_s: float,
    ) -> None:
        self._express, self._connection = express, connection
        self._asked, self._dress = asked, dress
        self._began_s = began_s
        route = asked.call.route
        assert route.wires is not None
        self._wires, self._wait_s = route.wires, route.response_wait_s
        self._state = SENDING
        self._upstream_s = 0.0
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[None] | None = None
        # Of an answer that takes more than one piece.
        self._relayed: Relayed | None = None
        self._answer: Body | None = None
        self._head = b""

    # What the app does.

    def more(self, data: bytes) -> bool:
        return False

    def app_gone(self) -> None:
        if self._state is RELAYING:
            self._end((HUNG_UP, "relayed", STOPPING if self._connection.is_cut else APP_GONE))
        elif self._state is not OVER:
            self._end((HUNG_UP, "failed", ""))

    def app_slow(self) -> None:
        if self._wire is not None and self._state is RELAYING:
            self._wire.transport.pause_reading()
            self._wire.expect(float("inf"))

    def app_ready(self) -> None:
        if self._wire is not None and self._state is RELAYING:
            self._wire.expect(self._wait_s)
            self._wire.transport.resume_reading()

    # The way there.

    def send(self, came: bytes, body: bytes, text: bytes) -> None:
        """Go, as this text, on a wire that is free or a new one. All that ``came`` ends with it."""
        self._came = came
        self._length = len(body)
        idle = self._wires.idle
        if idle:
            # As ``_write`` does: a step that most requests need not take. It is sent at once, so
            # whatever can be done after it is.
            wire = idle.pop()
            self._state, self._wire, wire.asking = WAITING, wire, self
            wire.transport.write(text)
            self._since_s = self._express.monotonic_s()
            self._connection.enter(self)
            wire.expect(self._wait_s)
        else:
            self._since_s = self._express.monotonic_s()
            self._connection.enter(self)
            # The text is made again afterwards: many may be connecting at once.
            self._connecting = self._express.tasks.spawn("connect", self._connect())

    async def _connect(self) -> None:
        try:
            wire = await self._wires.connect(self._wait_s)
        except UpstreamError as fault:
            self._connecting = None
            self._add_wait()
            self._hand_over(Failed(fault))
            return
        waited_s = self._express.monotonic_s() - self._since_s
        self._connecting = None
        read = self._asked.framed.read(self._came)
        assert read is not None
        values, digits, _, body = read
        text = self._asked.render(self._dress, values, digits, body)
        self._write(wire, text, max(0.0, self._wait_s - waited_s))

    def _write(self, wire: Wire, text: bytes, wait_s: float) -> None:
        self._state, self._wire, wire.asking = WAITING, wire, self
        wire.transport.write(text)
        wire.expect(wait_s)

    # What the upstream does.

    def answered(self, data: bytes) -> None:
        self._upstream_s += self._express.monotonic_s() - self._since_s
        if self._state is not WAITING:
            self._relay(data)
            return
        # The next answer is like the last one more often than not.
        answers = self._dress.answers
        relayed = answers.last
        read = None if relayed is None else relayed.framed.read(data)
        if relayed is None or read is None:
            relayed = answers.find(data)
            read = None if relayed is None else relayed.framed.read(data)
            if relayed is None or read is None:
                self._hand_answer_over(data)
                return
        _, digits, length, rest = read
        if digits and len(rest) == length:
            transport = self._connection.transport
            if transport is not None:
                transport.write(b"".join((relayed.before, digits, relayed.after, rest)))
            self._end(relayed.end, relayed.keeps)
        else:
            self._begin(relayed, digits, rest, data)

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

    def _begin(self, relayed: Relayed, digits: bytes, rest: bytes, data: bytes) -> None:
        """Its body is not all here, or in chunks."""
        body: Body = Counted(int(digits)) if digits else Chunked()
        if rest:
            try:
                rest = body.pass_on(rest)
            except BadChunksError:
                body.excess = True
            if body.excess:
                self._hand_answer_over(data)
                return
        self._state = RELAYING
        self._relayed, self._answer = relayed, body
        head = b"".join((relayed.before, digits, relayed.after, rest))
        if rest or relayed.chunked:
            self._connection.write(head)
        else:
            # One write for both, as soon as there is a body: of what is cut before, nothing came.
            self._head = head
        # It is ordinary: it will not be needed to send the request again.
        self._express.forget_body(self._length)
        self._came, self._length = b"", 0
        self._go_on(body, relayed)

    def _relay(self, data: bytes) -> None:
        """More of its body."""
        body, relayed = self._answer, self._relayed
        assert body is not None
        assert relayed is not None
        try:
            piece = body.pass_on(data)
        except BadChunksError:
            self._cut(UpstreamError(f"{CUT_SHORT}: its chunks are malformed"))
            return
        if piece:
            self._connection.write(self._head + piece if self._head else piece)
            self._head = b""
        self._go_on(body, relayed)

    def _go_on(self, body: Body, relayed: Relayed) -> None:
        """Until the body has ended, wait for more of it, and not while the app does not read."""
        wire, is_paused = self._wire, self._connection._paused
        assert wire is not None
        if body.ended:
            if is_paused:
                wire.transport.resume_reading()
            self._end(relayed.end, relayed.keeps and not body.excess)
            return
        if is_paused:
            self.app_slow()
        else:
            wire.expect(self._wait_s)
        self._since_s = self._express.monotonic_s()

    # The end.

    def _cut(self, fault: SidecarError) -> None:
        """The answer is never ended as if it were whole."""
        assert self._relayed is not None
        self._connection.cut()
        self._end((self._relayed.end[0], "relayed", fault.diagnostics()))

    def _end(self, end: End, keeps: bool = False) -> None:
        """Over: record it, and let the app's next request come; ``keeps``: and the wire another."""
        wire, express, call = self._wire, self._express, self._asked.call
        if keeps and wire is not None:
            self._wire = None
            self._wires.put(wire)
        elif wire is not None or self._connecting is not None:
            self._stop()
        self._state = OVER
        express.forget(call, self._length)
        express.endings.note(call, express.ids.next(), self._began_s, self._upstream_s, end)
        self._connection.leave()

    def _hand_answer_over(self, data: bytes) -> None:
        """It is not ordinary; this much of it has come."""
        call, wire, self._wire = self._asked.call, self._wire, None
        assert wire is not None
        waits_s = (self._wait_s, max(0.0, self._wait_s - self._upstream_s))
        self._hand_over(outcome_of(self._wires, wire, call.method, data, waits_s))

    def _hand_over(self, outcome: Outcome) -> None:
        """``dealings`` goes on with it."""
        call, length = self._asked.call, self._length
        self._stop()
        self._state = OVER
        begun = Begun(
            self._express.ids.next(),
            self._began_s,
            self._upstream_s,
            call.caller,
            call.route,
            call.target,
            self._dress.answers.credential,
            self._asked,
            self._came[len(self._came) - length :],
            length,
            outcome,
            partial(self._express.forget, call, length),
        )
        go_on(self._express, self._connection, self._came, begun)

    def _stop(self) -> None:
        """Let go of everything but what counts against limits."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _add_wait(self) -> None:
        self._upstream_s += self._express.monotonic_s() - self._since_s
