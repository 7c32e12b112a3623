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

Declined: nothing was sent. Handed over: it was sent, and ``dealings`` goes on with the answer
that is here, or on its way (``begun``). Payments have one code, and it is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sidecar.clock import Clock, Entropy
from sidecar.errors import LocalProtocolError
from sidecar.http import Headers, HttpRequest
from sidecar.payments.events import Emit
from sidecar.providers.base import Credential
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.answers import Answer
from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.body import ReplayMemory
from sidecar.proxy.headers import credential_secrets, request_headers
from sidecar.proxy.heads import Memo, cut_length, read_request
from sidecar.proxy.outgoing import WITH_BODY, render_opening
from sidecar.proxy.passage import Passage
from sidecar.proxy.relayed import Answers
from sidecar.proxy.route import Route, RouteTable
from sidecar.tasks import Supervisor

# No configured limit is lower, so none is overstepped.
HEAD_BYTES_MAX = 8 * 1024
HEADS_MAX = 1024
# Longer ones are for the path that knows what to do when they stall.
BODY_BYTES_MAX = 1024 * 1024


@dataclass(slots=True)
class Call:
    """What a head asks for, and how it goes out with the credential of the moment."""

    user: int | None
    method: str
    path: str
    caller: Caller
    route: Route
    target: str
    url: str
    headers: Headers
    parsed: bytes  # the head for the parser, should it go there: with no body
    answers: Answers | None = None
    opening: bytes = b""  # up to the length
    has_length: bool = False  # even of nothing


class Express:
    """Takes ordinary requests. ``under_way`` and ``memory`` are the handler's own."""

    def __init__(
        self,
        gate: Callable[[], Gate],
        routes: RouteTable,
        limits: tuple[int, int],
        shared: tuple[Counter[str], ReplayMemory],
        tasks: Supervisor,
        ports: tuple[Clock, Entropy, Emit],
    ) -> None:
        self._gate = gate
        self._routes = routes
        replay_bytes_max, self._caller_requests_max = limits
        self._body_bytes_max = min(replay_bytes_max, BODY_BYTES_MAX)
        self.under_way, self.memory = shared
        self.tasks = tasks
        self.clock, self.entropy, self.emit = ports
        self._calls: Memo[bytes, Call] = Memo(HEADS_MAX)
        self._answers: dict[str, Answers] = {}

    def take(self, connection: BoardingConnection, data: bytes) -> bool:
        """Take the request that begins these bytes; False where the parser is to have them."""
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
        cut = cut_length(data, end) if end > 0 else None
        if cut is None:
            return False
        head, at, digits = cut
        length = int(digits) if at >= 0 else 0
        here = len(data) - end - 4
        if here > length or length > self._body_bytes_max:
            return False
        call = self._calls.get(head)
        if call is None or call.user != connection.user:
            call = self._learn(head, at, connection.user)
            if call is None:
                return False
        credential = call.route.credentials.at_hand(call.url)
        if credential is None or not self._is_dressed(call, credential):
            return False
        name = call.caller.name
        if self.under_way[name] >= self._caller_requests_max or not self.memory.take(length):
            return False
        self.under_way[name] += 1
        passage = Passage(self, connection, call, length)
        connection.enter(passage)
        passage.begin(data, end + 4)
        return True

    def _learn(self, head: bytes, at: int, user: int | None) -> Call | None:
        read = read_request(head, measured=at >= 0)
        if read is None:
            return None
        caller = self._gate().admit(read.method, read.target, read.headers, user)
        found = self._routes.find(read.target)
        if isinstance(caller, Answer) or found is None or found[0].wires is None:
            return None
        route, target = found
        parsed = head if at < 0 else head[:at] + b"0" + head[at:]
        call = Call(
            user,
            read.method,
            read.target.partition("?")[0],
            caller,
            route,
            target,
            route.url(target),
            read.headers,
            parsed + b"\r\n\r\n",
        )
        self._calls.keep(head, call)
        return call

    def _is_dressed(self, call: Call, credential: Credential) -> bool:
        """Whether the call is ready to go out with this credential; makes it so."""
        answers, route = call.answers, call.route
        if answers is not None and answers.credential is credential:
            return True
        try:
            head = render_opening(self._outgoing(call, credential))
        except LocalProtocolError:
            return False
        answers = self._answers.get(route.name)
        if answers is None or answers.credential is not credential:
            secrets = (*route.secrets, *credential_secrets(credential.headers))
            answers = self._answers[route.name] = Answers(credential, secrets)
        call.answers, call.opening = answers, head
        call.has_length = call.method in WITH_BODY
        return True

    @staticmethod
    def _outgoing(call: Call, credential: Credential) -> HttpRequest:
        headers = request_headers(call.headers, credential.headers, call.route.reads_bodies)
        return HttpRequest(call.method, call.url, headers)
