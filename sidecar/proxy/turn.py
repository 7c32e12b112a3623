"""One app request as far as it has come: what its log line will say."""

from __future__ import annotations

from dataclasses import field

from sidecar.clock import Entropy
from sidecar.http import Headers
from sidecar.ledger.model import Payment
from sidecar.payments.events import RequestServed
from sidecar.proxy import web
from sidecar.proxy.answers import Answer
from sidecar.proxy.attended import Attended, DirectResponse
from sidecar.proxy.relay import RelayedResponse
from sidecar.values import dataclass

HUNG_UP = 499  # what the log says where no status reached the app
# And why the answer ended early.
APP_GONE = "the app hung up"
STOPPING = "cut: the sidecar is stopping"

_ID_BYTES = 8
_IDS_DRAWN = 128


class RequestIds:
    """Names for requests. Many are drawn at a time: chance costs a call to the system."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._drawn: list[str] = []

    def next(self) -> str:
        """Another one, in hexadecimal."""
        if not self._drawn:
            drawn = self._entropy.token(_ID_BYTES * _IDS_DRAWN)
            self._drawn = drawn.hex(" ", _ID_BYTES).split()
        return self._drawn.pop()


@dataclass(slots=True)
class Turn:
    """Starts as a failure that nobody saw; each step says what it made of it."""

    request: web.BaseRequest | Attended
    id: str
    path: str
    headers: Headers = ()
    caller: str = ""
    route: str = ""
    status: int = HUNG_UP
    upstream_s: float = 0.0
    decision: str = "failed"
    rule: str = ""
    detail: str = ""
    payment: Payment | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)  # what let it in upstream

    @property
    def is_cut(self) -> bool:
        """Whether we have ended it, and not its app."""
        request = self.request
        if request.transport is not None:
            return True
        return isinstance(request, Attended) and request.protocol.is_cut

    async def say(self, answer: Answer) -> web.StreamResponse:
        """Answer in the sidecar's own name."""
        self.decision, self.rule, self.detail = answer.decision, answer.rule, answer.message
        return await self.write(
            answer.status, answer.headers(), answer.body(self.path), answer.closes
        )

    async def write(
        self, status: int, headers: Headers, body: bytes, closes: bool = False
    ) -> web.StreamResponse:
        """Send a body that is here already. ConnectionError when the app has gone."""
        framed = (*headers, ("Content-Length", str(len(body))))
        response = self.respond(status, framed, closes)
        await response.begin()
        await response.write(b"" if self.request.method == "HEAD" else body)
        await response.write_eof()
        self.status = status
        return response

    def respond(self, status: int, headers: Headers, closes: bool = False) -> RelayedResponse:
        """A response to its app, not begun yet."""
        if isinstance(self.request, Attended):
            return DirectResponse(self.request, status, headers, closes)
        return RelayedResponse(self.request, status, headers, closes)

    def served(self, duration_s: float) -> RequestServed:
        """The request as an event, once it is over."""
        payment = self.payment
        # In the order of its fields: given by name, they take a third more time.
        return RequestServed(
            self.id,
            self.route,
            self.caller,
            self.request.method,
            self.path,
            self.status,
            duration_s,
            self.upstream_s,
            self.decision,
            self.rule,
            payment.amount if payment else None,
            payment.id if payment else "",
            self.detail,
        )
