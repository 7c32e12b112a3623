"""What the heads of ordinary requests ask for, remembered.

A head that came before costs one look, and so does one that differs from those before in lines
that ``varying`` cuts out. Where any others are new, they are read, and what the deciding ones
among all of them ask for is known or read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

from sidecar.errors import LocalProtocolError
from sidecar.http import Header, Headers
from sidecar.payments.served import End, Ending
from sidecar.providers.base import Credential
from sidecar.proxy.admission import DECIDING, Caller, Gate
from sidecar.proxy.answers import Answer
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.headers import credential_secrets, request_headers
from sidecar.proxy.heads import Framed, Lines, RequestHead, read_request
from sidecar.proxy.known import KnownHead
from sidecar.proxy.memo import Memo
from sidecar.proxy.outgoing import WITH_BODY, render_fields, render_start
from sidecar.proxy.relayed import Answers
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.varying import Gaps, Rest, Varying
from sidecar.values import dataclass

HEADS_MAX = 1024
OTHERS_MAX = 128
# They say who asks for what, and how the answer may be coded.
_DECIDING = DECIDING | {"accept-encoding"}


@dataclass(slots=True)
class Call:
    """What a head asks for, and the credential that it last went out with."""

    user: int | None
    method: str
    path: str
    caller: Caller
    route: Route
    target: str
    url: str
    codings: Headers  # what the app takes
    start: bytes
    has_length: bool  # even of nothing
    dress: Dress | None = None
    # How one of its requests ended last: most end alike.
    ended: End | None = None
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Dress:
    """A credential, as it goes out with a call."""

    end: bytes  # the fields that are ours, up to the length
    answers: Answers  # to whatever goes out with it


@dataclass(slots=True)
class Asked:
    """What all heads ask for that are the same but for their gaps, and how they go out."""

    call: Call
    framed: Framed
    passed: tuple[bytes, ...]  # the app's lines that go along, around the values that vary
    source: Calls  # that knew it: what the config said then
    # What goes out around those values, but for the length; and the credential that it holds.
    _around: tuple[bytes, ...] = field(default=(), repr=False)
    _dress: Dress | None = None
    known: KnownHead | None = field(default=None, repr=False)  # as its handler reads it

    @property
    def varies(self) -> bool:
        """Whether they differ in more than their length."""
        return len(self.passed) > 1

    def render(self, dress: Dress, values: Sequence[bytes], digits: bytes, body: bytes) -> bytes:
        """The request as it goes out: with these values, the digits of its length, this body."""
        if self._dress is not dress:
            start, *others = self.passed
            around = [self.call.start + start, *others]
            around[-1] += dress.end
            self._around, self._dress = tuple(around), dress
        front = self._around[0]
        if values:
            for value, piece in zip(values, self._around[1:], strict=True):
                front += value + piece
        if body or self.call.has_length:
            return b"".join((front, b"Content-Length: ", digits or b"0", HEAD_END, body))
        return front + b"\r\n"


class Calls:
    """Who asks for what, by the head's bytes. The rules are the gate's and the table's."""

    def __init__(self, gate: Callable[[], Gate], routes: RouteTable) -> None:
        self._gate = gate
        self._routes = routes
        self._asked: Memo[bytes, Asked] = Memo(HEADS_MAX)
        # Heads that are the parser's: it decides on each of them anew.
        self._others: Memo[tuple[int | None, bytes], bool] = Memo(OTHERS_MAX)
        self._calls: Memo[tuple[int | bytes | None, ...], Call] = Memo(HEADS_MAX)
        self._rests: Memo[Rest, Asked] = Memo(HEADS_MAX)
        self._lines = Lines(_render, _DECIDING)
        self._varying = Varying(self._lines)
        self._answers: dict[str, Answers] = {}

    def find(self, head: bytes, length_at: int, user: int | None) -> Asked | None:
        """What this head asks for; None where it is not ordinary, or not let in."""
        asked = self._asked.get(head)
        if asked is not None and asked.call.user == user:
            return asked
        if self._others.get((user, head)):
            return None
        cut = self._varying.cut(head)
        known = None if cut is None else self._rests.get(cut[0])
        if known is not None and known.call.user == user:
            return known
        first, *lines = head.split(b"\r\n")
        sorted_ = self._lines.sort(lines)
        if sorted_ is None:
            return None
        deciding, crossing = sorted_
        key = (user, length_at >= 0, first, *deciding)
        call = self._calls.get(key)
        if call is None:
            read = read_request(first, deciding, length_at >= 0)
            call = None if read is None else self._learn(read, user)
            if call is None:
                self._others.keep((user, head), True)
                return None
            self._calls.keep(key, call)
        self._varying.learn(lines)
        gaps = Gaps.of(lines, [] if cut is None else cut[1], length_at >= 0)
        asked = Asked(call, gaps.framed(first, lines), gaps.around(lines, crossing), self)
        if cut is None:
            self._asked.keep(head, asked)
        else:
            self._rests.keep(cut[0], asked)
        return asked

    def dress(self, call: Call, credential: Credential) -> Dress | None:
        """Make the call ready to go out with this; None where its words would break the head."""
        route = call.route
        ours = request_headers(call.codings, credential.headers, route.reads_bodies)
        try:
            end = render_fields(ours)
        except LocalProtocolError:
            return None
        answers = self._answers.get(route.name)
        if answers is None or answers.credential is not credential:
            secrets = (*route.secrets, *credential_secrets(credential.headers))
            answers = self._answers[route.name] = Answers(credential, secrets)
        call.dress = Dress(end, answers)
        return call.dress

    def _learn(self, read: RequestHead, user: int | None) -> Call | None:
        caller = self._gate().admit(read.method, read.target, read.headers, user)
        found = self._routes.find(read.target)
        if isinstance(caller, Answer) or found is None or found[0].wires is None:
            return None
        route, target = found
        url = route.url(target)
        codings = tuple(header for header in read.headers if header[0].lower() == "accept-encoding")
        return Call(
            user,
            read.method,
            read.target.partition("?")[0],
            caller,
            route,
            target,
            url,
            codings,
            render_start(read.method, url),
            read.method in WITH_BODY,
        )


def _render(header: Header) -> bytes:
    """The app's header as it goes out. What it can decode is said once, with what we can."""
    if header[0].lower() == "accept-encoding":
        return b""
    return render_fields(request_headers((header,), ()))
