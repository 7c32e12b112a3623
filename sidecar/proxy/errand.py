"""One app request on its way: whose, where to, and with which body."""

from __future__ import annotations

from dataclasses import replace

from sidecar.http import HttpRequest
from sidecar.ledger.model import Budget
from sidecar.providers.base import Credential
from sidecar.proxy.admission import Caller
from sidecar.proxy.begun import Begun
from sidecar.proxy.body import Kept, Streamed
from sidecar.proxy.copied import Copied
from sidecar.proxy.headers import credential_secrets, request_headers
from sidecar.proxy.known import KnownHead
from sidecar.proxy.paced import SilentAppError
from sidecar.proxy.route import Route
from sidecar.proxy.turn import Turn
from sidecar.values import dataclass


# Not frozen, at a quarter of the price: every call that is paid for makes one.
@dataclass(slots=True)
class Errand:
    """What ``dealings`` serves."""

    turn: Turn
    caller: Caller
    route: Route
    target: str
    body: Kept | Copied | Streamed
    begun: Begun | None = None  # where it was sent already
    known: KnownHead | None = None  # where its head came before

    def outgoing(self, credential: Credential) -> HttpRequest:
        """The request as the upstream shall see it."""
        turn, known = self.turn, self.known
        if known is not None and known.credential is credential:
            assert isinstance(self.body, Kept)
            turn.secrets = known.secrets
            method, data = turn.request.method, self.body.data
            return HttpRequest(method, known.url, known.outgoing, data, None, known.begun)
        turn.secrets = credential_secrets(credential.headers)
        return HttpRequest(
            turn.request.method,
            self.url,
            request_headers(turn.headers, credential.headers, self.route.reads_bodies),
            self.body.data if isinstance(self.body, Kept) else b"",
            self.body.stored if isinstance(self.body, Copied) else None,
        )

    async def repeatable(self) -> bool:
        """Read the rest of the body, if that is what it takes; whether it can be sent again.

        Raises SilentAppError.
        """
        if isinstance(self.body, Copied):
            try:
                return await self.body.complete() is None
            except TimeoutError as fault:
                raise SilentAppError from fault
        return isinstance(self.body, Kept)

    def again(self, outgoing: HttpRequest) -> HttpRequest:
        """What was sent, as it is to be sent again."""
        stored = self.body.stored if isinstance(self.body, Copied) else None
        if stored is outgoing.stored:
            return outgoing
        return replace(outgoing, stored=stored)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """What is paid for it draws from these."""
        if self.known is not None:
            return self.known.budgets
        return self.route.budgets_with(self.caller.budgets)

    @property
    def url(self) -> str:
        """Where it goes."""
        return self.route.url(self.target)
