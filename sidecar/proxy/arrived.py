"""What has come of an answer that the fast lane does not relay, for who goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.http import HttpRequest, WholeReply
from sidecar.proxy.asking import read_here
from sidecar.proxy.begun import Answered, Begun, Outcome
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.heads import without_body
from sidecar.proxy.wires import Wire, Wires

if TYPE_CHECKING:
    from sidecar.proxy.express import Express


class Arrived:
    """All of it; its wire is free again. ``begun.Outcome``."""

    __slots__ = ("_reply",)

    def __init__(self, reply: WholeReply) -> None:
        self._reply = reply

    async def reply(self, request: HttpRequest) -> WholeReply:
        return self._reply

    def drop(self) -> None:
        """Nothing is open."""


def outcome_of(
    wires: Wires, wire: Wire, method: str, data: bytes, waits_s: tuple[float, float]
) -> Outcome:
    """What these bytes are: the answer, or what is here of one that is on its way."""
    reply = read_here(wires, wire, method, data)
    if reply is not None:
        return Arrived(reply)
    return Answered(wires.upstream, wire, method, data, waits_s)


def go_on(express: Express, connection: BoardingConnection, came: bytes, begun: Begun) -> None:
    """Have the request's handler go on; ``came`` began with the request's head.

    Where the answer is all here it does so from the lane, and else behind the parser.
    """
    if isinstance(begun.outcome, Arrived):
        express.attend(express.tasks, connection, came, begun)
    else:
        connection.hand_over(without_body(came.partition(HEAD_END)[0]), begun)
