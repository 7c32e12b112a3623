"""A seller of any character.

Everything that a presentation is answered with is drawn from the seed: whether the money moves
at once, later or never, and what is said about it.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from dataclasses import dataclass
from random import Random

from sidecar.errors import UpstreamError
from sidecar.http import Headers, HttpRequest, HttpResponse, Reply, WholeReply, header_values
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.terms import Terms, encoded
from tests.simulation.network import TimedReply
from tests.simulation.rails import Rail, Slip, read_slip
from tests.simulation.scenario import Scenario
from tests.world.seller import ORIGIN

JSON: Headers = (("Content-Type", "application/json"),)
DELAYS_S = (0.5, 3.0, 20.0, 90.0, 200.0)
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
    slip: Slip
    vouched: bool = False  # the seller said that it was paid


class SimSeller:
    """A seller on a rail; dishonest now and then, where it is stubborn alike about one payment."""

    def __init__(
        self,
        rail: Rail,
        random: Random,
        options: SandboxOptions,
        made: Scenario,
    ) -> None:
        self.rail = rail
        self._random = random
        self._options = options
        self._terms = Terms(options)
        self._made = made
        self._conducts: dict[str, Conduct] = {}
        self._bought: dict[str, Purchase] = {}
        self.seen: dict[str, Seen] = {}  # by identity

    async def handle(self, request: HttpRequest) -> Reply:
        """Answer one request, paid or not."""
        headers = header_values(request.headers, "payment-signature")
        if not headers:
            if self._random.random() < self._made.dishonesty / 8:
                raise UpstreamError("closed the connection without an answer")
            return self._challenge(request, None)
        slip = read_slip(headers[0])
        conduct = self._conduct(slip)
        await asyncio.sleep(conduct.slow_s)
        return await self._present(request, slip, conduct)

    def _conduct(self, slip: Slip) -> Conduct:
        drawn = self._draw()
        return self._conducts.setdefault(slip.identity, drawn) if self._made.stubborn else drawn

    def _draw(self) -> Conduct:
        if self._random.random() >= self._made.dishonesty:
            return Conduct(slow_s=self._random.choice(SLOW_S[:3]))
        return Conduct(
            self._random.choice(self._made.moves),
            self._random.choice(self._made.answers),
            self._random.choice(DELAYS_S),
            self._random.choice(SLOW_S),
        )

    async def _present(self, request: HttpRequest, slip: Slip, conduct: Conduct) -> Reply:
        purchase = Purchase.of(request.method, request.url.removeprefix(ORIGIN), request.body)
        group = "".join(header_values(request.headers, "x-group"))
        seen = self.seen.setdefault(slip.identity, Seen(group, slip))
        refused = self.rail.objection(slip)
        bought = self._bought.get(slip.identity) == purchase and self.rail.settled(slip.identity)
        replayed = bought and self._options.replays
        if refused and not replayed:
            return self._challenge(request, refused)
        if not replayed and conduct.moves != "never":
            self._bought[slip.identity] = purchase
            if conduct.moves == "later":
                self.rail.submit(slip, conduct.delay_s)
            elif not self.rail.settle(slip):
                return self._challenge(request, "settlement failed")
        return await self._say(request, conduct.answers, seen)

    async def _say(self, request: HttpRequest, how: str, seen: Seen) -> Reply:
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
            return self._challenge(request, "the facilitator timed out")
        headers = JSON
        if how.endswith(("+", "-")):
            headers += (("PAYMENT-RESPONSE", self._receipt(seen, how.endswith("+"))),)
        if status in (429, 503):
            headers += (("Retry-After", self._random.choice(("1", "4", "45"))),)
        seen.vouched = seen.vouched or how in ("200", "200+", "500+")
        # Some of its answers come in one piece.
        if zlib.crc32(seen.slip.identity.encode()) % 2:
            return WholeReply(HttpResponse(status, headers, body))
        return TimedReply(status, headers, body)

    def _receipt(self, seen: Seen, success: bool) -> str:
        transaction = self.rail.receipt(seen.slip.identity) or ("0x" + "ab" * 32 if success else "")
        network = self._options.network
        return encoded({"success": success, "transaction": transaction, "network": network})

    def _challenge(self, request: HttpRequest, error: str | None) -> TimedReply:
        """A 402 with the honest terms."""
        made = self._terms.challenge(request.url, [self.rail.offer], error)
        return TimedReply(402, tuple(made.headers.items()), made.body)

    def settled(self, identity: str) -> bool:
        """Whether the money of this authorization moved."""
        return self.rail.settled(identity)
