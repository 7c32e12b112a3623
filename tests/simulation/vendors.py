"""A vendor that sells credit: late, never, or told to nobody, as the seed says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from sidecar.http import HttpRequest, header_values
from tests.simulation.network import TimedReply
from tests.simulation.sellers import JSON, SimSeller
from tests.world.seller import ORIGIN, FakeReply
from tests.world.vendor import AMOUNT, PRICE, Vendor


class SimVendor(Vendor):
    """Credits each settlement after ``late_s``; ``late_s`` None: never."""

    def __init__(self, seller: SimSeller, clock: Any, late_s: float | None) -> None:
        super().__init__(clock)
        self.seller: Any = seller
        self._clock = clock
        self.late_s = late_s
        self.grants = False  # the credit is given below
        self.given: set[str] = set()
        self.has_sulked = False
        self._served_before = 0  # before the newest credit was given
        self.shown: set[str] = set()  # whose credit a told balance had in it

    async def handle(self, request: HttpRequest) -> TimedReply:
        """Answer one request."""
        self._give()
        reply = await self.send(request, wait_s=3600)
        return reply if isinstance(reply, TimedReply) else _timed(reply)

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Any:
        path = request.url.removeprefix(ORIGIN)
        if path == "/charge":
            return await self._bought(request)
        if path == "/balance" and not self.mute:
            self._show()
        return await super().send(request, wait_s=wait_s)

    async def _bought(self, request: HttpRequest) -> TimedReply:
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
        final = self.seller.chain.finalized().timestamp
        return [
            nonce
            for nonce, seen in self.seller.seen.items()
            if nonce != besides
            and nonce not in self.shown
            and (self.seller.settled(nonce) or seen.authorization.valid_before > final)
        ]

    def _give(self) -> None:
        if self.late_s is None:
            return
        now = self._clock.now().timestamp()
        for settlement in self.seller.books.settlements:
            due = settlement.at.timestamp() + self.late_s <= now
            if due and settlement.nonce not in self.given:
                self.given.add(settlement.nonce)
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
