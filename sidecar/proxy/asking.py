"""A request of our own on one of the lane's wires.

Its answer is had at once where it is ordinary and comes in one piece, as most do that ask for
payment or confirm one. Any other is given to aiohttp's protocol, with the connection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from aiohttp.connector import Connection

from sidecar.http import WholeReply

if TYPE_CHECKING:
    from sidecar.proxy.wires import Wire, Wires

# Or the connection, where aiohttp's protocol reads the answer, and has what came of it.
Came: TypeAlias = WholeReply | Connection


async def ask(
    wires: Wires, method: str, text: bytes, wait_s: float
) -> WholeReply | tuple[Connection, float]:
    """Send this, and wait as long for its answer; or its connection, and how long is left.

    Raises UpstreamError, and UpstreamTimeoutError where no answer has begun in that time.
    """
    loop = asyncio.get_running_loop()  # noqa: TID251  # the clock of its wire
    wire, left_s = wires.take(), wait_s
    if wire is None:
        began_s = loop.time()
        wire = await wires.connect(wait_s)
        left_s = max(0.0, wait_s - (loop.time() - began_s))
    came = await Question(wires, wire, method, wait_s).ask(text, left_s)
    if isinstance(came, WholeReply):
        return came
    return came, max(0.0, wire.deadline_s - loop.time())


class Question:
    """One request, until the first bytes of its answer are here; ``wires.Asking``."""

    __slots__ = ("_answer", "_connection", "_method", "_wait_s", "_wire", "_wires")

    def __init__(self, wires: Wires, wire: Wire, method: str, wait_s: float) -> None:
        self._wires = wires
        self._wire = wire
        self._method = method
        self._wait_s = wait_s
        self._connection: Connection | None = None
        loop = asyncio.get_running_loop()  # noqa: TID251  # the loop of its wire
        self._answer: asyncio.Future[Came] = loop.create_future()

    async def ask(self, text: bytes, left_s: float) -> Came:
        """Send this, and wait as long for an answer; UpstreamTimeoutError as above."""
        wire = self._wire
        wire.asking = self
        wire.transport.write(text)
        wire.expect(left_s)
        try:
            return await self._answer
        except asyncio.CancelledError:
            if self._connection is not None:
                self._connection.close()
            elif self._answer.cancelled():
                wire.close()
            raise

    def answered(self, data: bytes) -> None:
        # Whoever has given up closes the wire in this turn of the loop.
        if self._answer.done():
            return
        reply = read_here(self._wires, self._wire, self._method, data)
        if reply is None:
            self._hand_over(data)
        else:
            self._answer.set_result(reply)

    def lost(self, fault: Exception | None) -> None:
        if not self._answer.done():
            self._hand_over(b"")

    def overdue(self) -> None:
        if not self._answer.done():
            self._wire.close()
            self._answer.set_exception(self._wires.silence(self._wait_s))

    def _hand_over(self, data: bytes) -> None:
        wire = self._wire
        self._wires.upstream.expect(wire.handler, self._method)
        self._connection = wire.hand_over(data)
        self._answer.set_result(self._connection)


def read_here(wires: Wires, wire: Wire, method: str, data: bytes) -> WholeReply | None:
    """The answer that these bytes are, all that came on a wire, which is free again then.

    None where they are not all of one, or not an ordinary one: nothing was done with the wire.
    """
    read = None if method == "HEAD" else wires.upstream.replies.read(data)
    if read is None:
        return None
    response, keeps = read
    if keeps:
        wires.put(wire)
    else:
        wire.close()
    return WholeReply(response)
