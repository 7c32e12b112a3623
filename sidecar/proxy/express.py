"""The fast lane: an ordinary request and its ordinary answer, without a task or a parser.

It decides nothing of its own. Who may ask, where it goes, what crosses: the rules are those of
``handler`` and ``dealings``, asked through the same functions; and whatever is not ordinary goes
their way, by the bytes as they came. A request takes the lane when its head is one that
``heads`` reads, its body is short and at hand, its caller is let in, and its route has a
connection of its own and a credential that is good. Then:

    state       what happens                      what becomes of it
    ----------  --------------------------------  ------------------------------------------
    COLLECTING  the rest of the body              SENDING
                more than that, or COLLECT_S      declined: the parser gets what came
    SENDING     a wire is free, or connected      WAITING
                it cannot be connected            handed over, with the fault
    WAITING     an ordinary answer's head         RELAYING
                402, 401, 1xx, redirects, ...     handed over, with what has come of the answer
                the wire is lost; nothing comes   handed over, with the fault
    RELAYING    its last byte                     over
                it is cut, or silent, or garbage  over, and the app's connection is cut
    any         the app hangs up                  over, and the wire is closed

COLLECTING is an ``Intake``; from there on it is a ``Passage``. Declined: nothing was sent. Handed
over: it was sent, and ``dealings`` goes on with the answer that is here, or on its way
(``begun``). Payments have one code, and it is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TypeAlias

from sidecar.proxy.admission import Gate
from sidecar.proxy.begun import Begun
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.body import ReplayMemory
from sidecar.proxy.calls import Asked, Call, Calls
from sidecar.proxy.endings import Endings
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.heads import cut_length
from sidecar.proxy.intake import Intake
from sidecar.proxy.passage import Passage
from sidecar.proxy.route import RouteTable
from sidecar.proxy.turn import RequestIds
from sidecar.tasks import Supervisor

# No configured limit is lower, so none is overstepped.
HEAD_BYTES_MAX = 8 * 1024
# Longer ones are for the path that knows what to do when they stall.
BODY_BYTES_MAX = 1024 * 1024

Attend: TypeAlias = Callable[[Supervisor, BoardingConnection, bytes, Begun], None]


class Express:
    """Takes ordinary requests. What is counted against limits is the handler's own."""

    def __init__(
        self,
        gate: Callable[[], Gate],
        routes: RouteTable,
        limits: tuple[int, int],
        attend: Attend,
        shared: tuple[defaultdict[str, int], ReplayMemory],
        tasks: Supervisor,
        told: tuple[Callable[[], float], RequestIds, Endings],
    ) -> None:
        self._gate = gate
        self._under_way, self._memory = shared
        self.tasks = tasks
        self.monotonic_s, self.ids, self.endings = told
        self.change(routes, limits, attend)

    def change(self, routes: RouteTable, limits: tuple[int, int], attend: Attend) -> None:
        """Go by these from now on, and forget what any head asked for.

        What is on its way goes on as it began.
        """
        replay_bytes_max, self._caller_requests_max = limits
        self._body_bytes_max = min(replay_bytes_max, BODY_BYTES_MAX)
        self._calls = Calls(self._gate, routes)
        # Who goes on with what is sent, and whose answer is here and not the lane's to relay.
        self.attend = attend

    def take(self, connection: BoardingConnection, data: bytes) -> bool:
        """Take the request that begins these bytes; False where the parser is to have them."""
        # An app that asks again says the same on the same connection, but for its body.
        asked = connection.last
        read = None
        if asked is not None and asked.source is self._calls:
            read = asked.framed.read(data)
        if asked is None or read is None:
            asked = self._find(data, connection.user)
            read = None if asked is None else asked.framed.read(data)
            if asked is None or read is None:
                return False
            connection.last = asked
        values, digits, length, body = read
        here = len(body)
        if here > length or length > self._body_bytes_max or len(data) - here > HEAD_BYTES_MAX:
            return False
        call = asked.call
        credential = call.route.credentials.at_hand(call.url)
        dress = call.dress
        if dress is None or dress.answers.credential is not credential:
            dress = None if credential is None else self._calls.dress(call, credential)
            if dress is None:
                return False
        name, memory = call.caller.name, self._memory
        under_way = self._under_way[name]
        if under_way >= self._caller_requests_max or length > memory.free:
            return False
        memory.free -= length
        self._under_way[name] = under_way + 1
        began_s = self.monotonic_s()
        if here < length:
            Intake(self, connection, asked, (values, digits), length - here, began_s).begin(data)
        else:
            text = asked.render(dress, values, digits, body)
            Passage(self, connection, asked, dress, began_s).send(data, body, text)
        return True

    def _find(self, data: bytes, user: int | None) -> Asked | None:
        """What the head that begins these bytes asks for, if all of it is here."""
        head, end, _ = data.partition(HEAD_END)
        if not end or len(head) > HEAD_BYTES_MAX - len(HEAD_END):
            return None
        cut = cut_length(head)
        return None if cut is None else self._calls.find(cut[0], cut[1], user)

    def forget_body(self, size: int) -> None:
        """So much is not kept any more."""
        self._memory.give_back(size)

    def forget(self, call: Call, size: int) -> None:
        """The call is over, and so much of it was still kept."""
        self._memory.free += size
        self._under_way[call.caller.name] -= 1
