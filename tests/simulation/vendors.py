"""A vendor that sells credit: late, never, or told to nobody, as the seed says.

It counts what one shortage buys. A shortage begins when it refuses and ends when it serves.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from random import Random
from typing import Any

from sidecar.http import HttpRequest, Reply, header_values
from tests.simulation.network import TimedReply
from tests.simulation.sellers import JSON, SimSeller
from tests.world.seller import ORIGIN, FakeReply
from tests.world.vendor import AMOUNT, CALL, PRICE, Vendor

# How late its word comes, once it has made up its mind.
LATE_WORD_S = (0.0, 0.0, 0.0, 0.3, 2.0, 6.0)


class SimVendor(Vendor):
    """Credits each settlement after ``late_s``; ``late_s`` None: never."""

    def __init__(
        self, seller: SimSeller, clock: Any, random: Random, late_s: float | None, dawdles: bool
    ) -> None:
        super().__init__(clock)
        self._random = random
        self._dawdles = dawdles
        self.seller: Any = seller
        self._clock = clock
        self.late_s = late_s
        self.grants = False  # the credit is given below
        self.given: set[str] = set()
        self.has_sulked = False
        self._served_before = 0  # before the newest credit was given
        self.shown: set[str] = set()  # whose credit a told balance had in it

    async def handle(self, request: HttpRequest) -> Reply:
        """Answer one request."""
        self._give()
        reply: Reply = await self.send(request, wait_s=3600)
        is_bare = not header_values(request.headers, "payment-signature")
        if self._dawdles and is_bare and (request.url == CALL or reply.status == 402):
            await asyncio.sleep(self._random.choice(LATE_WORD_S))
        return _timed(reply) if isinstance(reply, FakeReply) else reply

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Any:
        path = request.url.removeprefix(ORIGIN)
        if path == "/charge":
            return await self._bought(request)
        if path == "/balance" and not self.mute:
            self._show()
        return await super().send(request, wait_s=wait_s)

    async def _bought(self, request: HttpRequest) -> Reply:
        reply = await self.seller.handle(request)
        self._give()
        if not header_values(request.headers, "payment-signature") or reply.status != 200:
            return reply  # type: ignore[no-any-return]  # the seller is Any
        told = {} if self.mute else {"usd": str(self.credit)}
        if not self.mute:
            self._show()
        return TimedReply(200, reply.headers, json.dumps(told).encode())

    @property
    def is_used(self) -> bool:
        """Whether a request was served since the newest credit was given."""
        return self.served > self._served_before

    def unsure(self, besides: str) -> list[str]:
        """The authorizations that may still move money, or have, and whose credit none saw."""
        return [
            identity
            for identity, seen in self.seller.seen.items()
            if identity != besides
            and identity not in self.shown
            and self.seller.rail.can_move(seen.slip)
        ]

    def _give(self) -> None:
        if self.late_s is None:
            return
        now = self._clock.now().timestamp()
        for identity, at_s in self.seller.rail.landed():
            if at_s + self.late_s <= now and identity not in self.given:
                self.given.add(identity)
                self._served_before = self.served
                self.credit += AMOUNT.in_usd()

    def _show(self) -> None:
        if self.credit >= PRICE:
            self.shown |= self.given

    def use_up(self, left: Decimal) -> None:
        """Somebody spends what there is, but for this."""
        self.credit = min(self.credit, left)


def _timed(reply: FakeReply) -> TimedReply:
    return TimedReply(reply.status, reply.headers or JSON, reply._body)
