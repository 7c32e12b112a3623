"""A seller of any character, its chain, and the chain's RPC endpoints.

Everything that a presentation is answered with is drawn from the seed: whether the money moves
at once, later or never, and what is said about it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sidecar.errors import UpstreamError
from sidecar.http import Headers, HttpRequest, header_values
from sidecar.sandbox.chain import Block, Chain, Settled
from sidecar.sandbox.facilitator import Refused, transfer_of
from sidecar.sandbox.node import Node
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import Authorization, Malformed, Payment, read_payment
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.terms import encoded
from tests.simulation.network import TimedReply
from tests.simulation.virtual_loop import TrueClock
from tests.world.seller import ORIGIN, InMemorySeller

JSON: Headers = (("Content-Type", "application/json"),)
# How the money moves: now, so many seconds later, or never.
MOVES = ("now", "now", "later", "never")
DELAYS_S = (0.5, 3.0, 20.0, 90.0, 200.0)
# What is said about it. The number is a status; a + says that it carries a receipt of success.
ANSWERS = (
    *("200+", "200+", "200", "200-", "500", "503", "504", "402", "402-", "408", "409", "425"),
    *("429", "400", "404", "500+", "hang", "reset", "cut", "drip"),
)
SLOW_S = (0.0, 0.1, 1.0, 4.0, 12.0)


@dataclass(frozen=True, slots=True)
class Conduct:
    """What becomes of one presentation."""

    moves: str = "now"
    answers: str = "200+"
    delay_s: float = 0.0
    slow_s: float = 0.0


@dataclass(slots=True)
class Seen:
    """An authorization as the seller has it: the app's own name for what it pays for."""

    group: str
    authorization: Authorization
    vouched: bool = False  # the seller said that it was paid


class SimSeller(InMemorySeller):
    """The sandbox's seller and facilitator, in virtual time; dishonest now and then."""

    def __init__(
        self, clock: TrueClock, random: Random, dishonesty: float, options: SandboxOptions
    ) -> None:
        super().__init__(clock, options)
        self._random = random
        self._verified: dict[str, bool] = {}
        self.dishonesty = dishonesty
        self.seen: dict[str, Seen] = {}  # by nonce

    async def handle(self, request: HttpRequest) -> TimedReply:
        """Answer one request, paid or not."""
        headers = header_values(request.headers, "payment-signature")
        if not headers:
            if self._random.random() < self.dishonesty / 8:
                raise UpstreamError("closed the connection without an answer")
            return self.challenge(request, None)
        payment = read_payment(headers[0], self.options.x402_version)
        assert not isinstance(payment, Malformed), payment
        conduct = self._conduct()
        await asyncio.sleep(conduct.slow_s)
        return await self._present(request, payment, conduct)

    def _conduct(self) -> Conduct:
        if self._random.random() >= self.dishonesty:
            return Conduct(slow_s=self._random.choice(SLOW_S[:3]))
        return Conduct(
            self._random.choice(MOVES),
            self._random.choice(ANSWERS),
            self._random.choice(DELAYS_S),
            self._random.choice(SLOW_S),
        )

    async def _present(
        self, request: HttpRequest, payment: Payment, conduct: Conduct
    ) -> TimedReply:
        authorization = payment.authorization
        purchase = Purchase.of(request.method, request.url.removeprefix(ORIGIN), request.body)
        group = "".join(header_values(request.headers, "x-group"))
        seen = self.seen.setdefault(authorization.nonce, Seen(group, authorization))
        refused = self._judge(payment)
        replayed = self.books.bought_with(authorization) == purchase and self.options.replays
        if refused and not replayed:
            return self.challenge(request, refused)
        if not replayed and conduct.moves != "never":
            self.books.paid_for(authorization, purchase)
            if conduct.moves == "later":
                self.chain.submit(transfer_of(authorization), delay_s=conduct.delay_s)
            elif not isinstance(self.chain.settle(transfer_of(authorization)), Settled):
                return self.challenge(request, "settlement failed")
        return await self._say(request, conduct.answers, seen)

    def _judge(self, payment: Payment) -> str:
        """Why it is no good, or nothing. Signatures are recovered once each: that is slow."""
        nonce = payment.authorization.nonce
        if not self._verified.get(nonce):
            verdict = self.facilitator.verify(payment, [self.terms.offer])
            if isinstance(verdict, Refused):
                return verdict.reason
            self._verified[nonce] = True
            return ""
        if self.chain.use_of(payment.authorization.payer, nonce) is not None:
            return "invalid_exact_evm_nonce_already_used"
        left_s = payment.authorization.valid_before - self.chain.head().timestamp
        return "" if left_s >= 6 else "invalid_exact_evm_payload_authorization_valid_before"

    async def _say(self, request: HttpRequest, how: str, seen: Seen) -> TimedReply:
        if how == "hang":
            await asyncio.sleep(3600)
        if how in ("reset", "hang"):
            raise UpstreamError("closed the connection without an answer")
        body = json.dumps({"heard": request.body.decode()}).encode()
        if how in ("cut", "drip"):
            seen.vouched = True
            receipt = (("PAYMENT-RESPONSE", self._receipt(seen, True)),)
            return TimedReply(200, JSON + receipt, body, cut=how == "cut", chunk_s=2.0)
        status = int(how[:3])
        if how == "402":
            return self.challenge(request, "the facilitator timed out")
        headers = JSON
        if how.endswith(("+", "-")):
            headers += (("PAYMENT-RESPONSE", self._receipt(seen, how.endswith("+"))),)
        if status in (429, 503):
            headers += (("Retry-After", self._random.choice(("1", "4", "45"))),)
        seen.vouched = seen.vouched or how in ("200", "200+", "500+")
        return TimedReply(status, headers, body)

    def _receipt(self, seen: Seen, success: bool) -> str:
        authorization = seen.authorization
        used = self.chain.use_of(authorization.payer, authorization.nonce)
        transaction = used.hash if used else "0x" + "ab" * 32 if success else ""
        return encoded(
            {"success": success, "transaction": transaction, "network": self.options.network}
        )

    def challenge(self, request: HttpRequest, error: str | None) -> TimedReply:
        """A 402 with the honest terms."""
        made = self.terms.challenge(request.url, [self.terms.offer], error)
        return TimedReply(402, tuple(made.headers.items()), made.body)

    def settled(self, nonce: str) -> bool:  # type: ignore[override]  # by nonce, not by body
        """Whether the money of this authorization moved."""
        seen = self.seen[nonce]
        return self.chain.use_of(seen.authorization.payer, nonce) is not None


class _Behind:
    """The chain as a node that lags sees it."""

    def __init__(self, chain: Chain, lag_blocks: int) -> None:
        self._chain = chain
        self._lag = lag_blocks

    def head(self) -> Block:
        return self._back(self._chain.head())

    def safe(self) -> Block:
        return self._back(self._chain.safe())

    def finalized(self) -> Block:
        return self._back(self._chain.finalized())

    def block(self, number: int) -> Block | None:
        return None if number > self.head().number else self._chain.block(number)

    def find(self, transaction: str) -> Any:
        found = self._chain.find(transaction)
        return None if found is None or found.block.number > self.head().number else found

    def transactions(self, first: int, last: int) -> Any:
        return self._chain.transactions(first, min(last, self.head().number))

    def _back(self, block: Block) -> Block:
        return Block(block.number - self._lag, block.timestamp - self._lag)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)


@dataclass
class Endpoint:
    """One RPC endpoint. ``lags`` are drawn for each request: a pool of nodes, some late."""

    chain: Chain
    random: Random
    down: bool = False
    lags: tuple[int, ...] = (0,)
    lies: bool = False  # says of everything that it was not used
    nodes: dict[int, Node] = field(default_factory=dict)

    async def handle(self, request: HttpRequest) -> TimedReply:
        """Answer one JSON-RPC request."""
        if self.down:
            raise UpstreamError("cannot connect to the RPC endpoint")
        lag = self.random.choice(self.lags)
        if lag not in self.nodes:
            behind: Any = _Behind(self.chain, lag)
            self.nodes[lag] = Node(behind, logs_range_max=10_000)
        question = json.loads(request.body)
        answer = self.nodes[lag].answer(question)
        if self.lies and question["method"] == "eth_call":
            answer["result"] = "0x" + "0" * 64
        return TimedReply(200, JSON, json.dumps(answer).encode())
