"""A seller at the Upstream port: the sandbox's own facilitator, chain and books, without sockets.

It is told with ``Step``s how to treat the next paid presentations; without one it is honest. It
answers JSON-RPC about its chain at the same port, so that what it says there is what it did.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sidecar.chains import usdc_on
from sidecar.clock import Clock
from sidecar.errors import UpstreamError, UpstreamTimeoutError
from sidecar.http import (
    Headers,
    HttpRequest,
    Reply,
    Upstream,
    WholeReply,
    header_values,
    read_whole,
)
from sidecar.sandbox.books import Books, Outcome
from sidecar.sandbox.chain import Chain, Reverted
from sidecar.sandbox.facilitator import Facilitator, Refused, transfer_of
from sidecar.sandbox.node import Node
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import Malformed, read_payment
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.terms import Terms, encoded

ORIGIN = "http://127.0.0.1:4020"
RPC_URL = f"{ORIGIN}/rpc"


@dataclass(frozen=True, slots=True)
class Step:
    """How one paid presentation is treated.

    ``how``: serve, cut (the body ends too early), hang (no answer in time), reset (no answer at
    all), or a status to answer with. ``settles``: whether the money moves first.
    """

    how: str = "serve"
    settles: bool = True
    status: int = 200
    receipt: bool = True
    headers: Headers = ()


class FakeReply:
    """A reply in memory, as if it were still on its way; ``cut`` ends it with an error."""

    is_here = False

    def __init__(self, status: int, headers: Headers, body: bytes, cut: bool = False) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._cut = cut
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body
        await asyncio.sleep(0)
        if self._cut:
            raise UpstreamError("the upstream's response was cut short")

    def close(self) -> None:
        self.closed = True


class InMemorySeller:
    """``http.Upstream`` with a shop behind it."""

    def __init__(self, clock: Clock, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        asset = usdc_on(self.options.network)
        self.chain = Chain(
            asset,
            clock,
            starting_balance=self.options.starting_balance,
            payee=self.options.pay_to,
            finality_s=self.options.finality_s,
        )
        self.books = Books(self.chain, clock, records_max=100_000)
        self.facilitator = Facilitator(
            self.chain, clock, validity_max_s=self.options.validity_max_s
        )
        self.terms = Terms(self.options)
        self._node = Node(self.chain, logs_range_max=self.options.logs_range_max)
        self.steps: deque[Step] = deque()
        self.sent: list[HttpRequest] = []
        self.rpc_down = False

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> FakeReply:
        await asyncio.sleep(0)
        if request.url == RPC_URL:
            return self._rpc(request)
        self.sent.append(request)
        header = _payment_header(request)
        if header is None:
            return self._refuse(request, None)
        return self._paid(request, header)

    def _rpc(self, request: HttpRequest) -> FakeReply:
        if self.rpc_down:
            raise UpstreamError("cannot connect to the RPC endpoint")
        answer = json.dumps(self._node.answer(json.loads(request.body))).encode()
        return FakeReply(200, (("Content-Type", "application/json"),), answer)

    def _paid(self, request: HttpRequest, header: str) -> FakeReply:
        path = request.url.removeprefix(ORIGIN)
        purchase = Purchase.of(request.method, path, request.body)
        step = self.steps.popleft() if self.steps else Step()
        payment = read_payment(header, self.options.x402_version)
        assert not isinstance(payment, Malformed), payment
        record = self.books.present(purchase, payment.authorization, None)
        transaction = ""
        verdict = self.facilitator.verify(payment, [self.terms.offer])
        settled_before = self.books.bought_with(payment.authorization) == purchase
        replayed = settled_before and self.options.replays
        if isinstance(verdict, Refused) and not replayed:
            self.books.conclude(record, Outcome.REFUSED, reason=verdict.reason)
            return self._refuse(request, verdict.reason)
        if step.settles and not replayed:
            self.books.paid_for(payment.authorization, purchase)
            settled = self.chain.settle(transfer_of(payment.authorization))
            assert not isinstance(settled, Reverted), settled
            transaction = settled.transaction.hash
        return self._answer(request, step, transaction)

    def _answer(self, request: HttpRequest, step: Step, transaction: str) -> FakeReply:
        if step.how == "hang":
            raise UpstreamTimeoutError("no answer in time")
        if step.how == "reset":
            raise UpstreamError("closed the connection without an answer")
        receipt = {
            "success": True,
            "transaction": transaction or "0x" + "ab" * 32,
            "network": self.options.network,
        }
        headers: Headers = (("Content-Type", "application/json"), *step.headers)
        if step.receipt:
            headers = (*headers, ("PAYMENT-RESPONSE", encoded(receipt)))
        if step.status == 402 and not step.headers:
            return self._refuse(request, "the facilitator timed out")
        answer = json.dumps({"heard": request.body.decode()}).encode()
        return FakeReply(step.status, headers, answer, cut=step.how == "cut")

    def _refuse(self, request: HttpRequest, error: str | None) -> FakeReply:
        challenge = self.terms.challenge(request.url, [self.terms.offer], error)
        return FakeReply(402, tuple(challenge.headers.items()), challenge.body)

    def settled(self, body: bytes) -> int:
        """How often this purchase was paid for, on the chain."""
        return len(self.books.settlements_for(body))

    def presented(self) -> list[str]:
        """The payment headers that came, in order."""
        return [header for sent in self.sent if (header := _payment_header(sent)) is not None]


def _payment_header(request: HttpRequest) -> str | None:
    for name in ("payment-signature", "x-payment"):
        for value in header_values(request.headers, name):
            return value
    return None


class InOnePiece:
    """A seller whose answers are here whole once they have begun; ``http.Upstream``."""

    def __init__(self, seller: Upstream) -> None:
        self._seller = seller

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        reply = await self._seller.send(request, wait_s=wait_s, body=body)
        return WholeReply(await read_whole(reply, 1_000_000))
