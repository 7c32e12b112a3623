"""What the seller sends back: challenges, receipts, answers whole or in part.

The head of an answer carries its receipt, as official sellers do it: settle first, then respond.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from enum import Enum

from aiohttp import web

from sidecar.clock import Clock
from sidecar.sandbox.books import Books
from sidecar.sandbox.goods import Goods
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import Payment
from sidecar.sandbox.purchase import Purchase
from sidecar.sandbox.terms import Challenge, Offer, Terms, encoded
from sidecar.values import dataclass

POLL_S = 0.02

CHALLENGE_HEADERS = {1: "X-PAYMENT-REQUIRED", 2: "PAYMENT-REQUIRED"}
RECEIPT_HEADERS = {1: "X-PAYMENT-RESPONSE", 2: "PAYMENT-RESPONSE"}


@dataclass(frozen=True, slots=True)
class Sale:
    """One presentation of a good payment: who asks, what for, and what they are to get."""

    request: web.Request
    purchase: Purchase
    payment: Payment
    goods: Goods
    record: int


class Ending(Enum):
    """How an answer ends."""

    WHOLE = "the last byte is sent"
    CUT = "half of it is sent, then the connection is closed"
    STALLED = "half of it is sent, then nothing until the client goes"


class Replies:
    """Builds and sends the seller's responses."""

    def __init__(self, options: SandboxOptions, terms: Terms, books: Books, clock: Clock) -> None:
        self._options = options
        self._terms = terms
        self._books = books
        self.clock = clock
        self.version = options.x402_version

    # --- 402 ---

    def challenge(
        self, request: web.Request, offers: Sequence[Offer] = (), error: str | None = None
    ) -> Challenge:
        """The challenge for this resource; without offers it makes the honest one."""
        return self._terms.challenge(str(request.url), offers or self._terms.offers, error)

    def refusal(self, request: web.Request, error: str | None = None) -> web.Response:
        """A new 402 after a payment, saying what was wrong with it."""
        return payment_required(self.challenge(request, error=error))

    def receipt(self, sale: Sale, transaction: str) -> dict[str, str]:
        """The header that says that the payment settled."""
        payer = sale.payment.authorization.payer
        document: dict[str, object] = {
            "success": True,
            "payer": payer,
            "transaction": transaction,
            "network": sale.payment.network,
        }
        if self.version == 1:
            document["errorReason"] = None
        return {RECEIPT_HEADERS[self.version]: encoded(document)}

    def unsettled(self, sale: Sale, reason: str, transaction: str = "") -> web.Response:
        """402 with a receipt that says success:false. Official sellers name no transaction then,
        except for one that they have broadcast and not yet seen in a block."""
        document = {
            "success": False,
            "errorReason": reason,
            "payer": sale.payment.authorization.payer,
            "transaction": transaction,
            "network": sale.payment.network,
        }
        headers = {RECEIPT_HEADERS[self.version]: encoded(document)}
        body = b"{}"
        if self.version == 1:
            body = self.challenge(sale.request, error=f"Settle failed: {reason}").body
        return payment_required(Challenge(headers, body))

    # --- answers ---

    async def deliver(
        self,
        sale: Sale,
        headers: Mapping[str, str],
        *,
        ending: Ending = Ending.WHOLE,
        chunked: bool | None = None,
    ) -> web.StreamResponse:
        """Send the goods. Only a whole answer counts as delivered."""
        goods = sale.goods
        response = web.StreamResponse(status=goods.status)
        response.content_type = goods.content_type
        response.headers.update({"Cache-Control": "private", **headers})
        if goods.streamed if chunked is None else chunked:
            response.enable_chunked_encoding()
            parts = goods.parts
        else:
            response.content_length = len(goods.body)
            # Head and body in one piece, as most servers send what they have whole.
            response._send_headers_immediately = False
            parts = (goods.body,)
        try:
            await response.prepare(sale.request)
            for part in parts if ending is Ending.WHOLE else _first_half(parts):
                await response.write(part)
                if len(parts) > 1:
                    await self.clock.sleep(self._options.chunk_delay_s)
            if ending is not Ending.WHOLE:
                if ending is Ending.STALLED:
                    await self.until_gone(sale.request)
                close(sale.request)
                return response
            await response.write_eof()
        except ConnectionError:
            return response
        if not is_gone(sale.request) and goods.status < 400:
            self._books.delivered(sale.payment.authorization)
        return response

    async def until_gone(self, request: web.Request) -> None:
        """Wait for the client to hang up, at most hang_max_s."""
        started_s = self.clock.monotonic_s()
        while not is_gone(request):
            if self.clock.monotonic_s() - started_s >= self._options.hang_max_s:
                return
            await self.clock.sleep(POLL_S)

    async def slowly(self) -> None:
        """Wait as long as a slow seller does before the first byte."""
        await self.clock.sleep(self._options.slow_head_s)


def payment_required(challenge: Challenge) -> web.Response:
    """The 402 that carries this challenge."""
    headers = {"Cache-Control": "no-store", **challenge.headers}
    return web.Response(
        status=402, body=challenge.body, headers=headers, content_type="application/json"
    )


def failure(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error in the shape that OpenAI clients read."""
    error = {"message": sentence, "type": "sandbox_error", "param": None, "code": None}
    return web.Response(
        status=status,
        body=json.dumps({"error": error}).encode(),
        headers=headers,
        content_type="application/json",
    )


def is_gone(request: web.Request) -> bool:
    """Whether the client has hung up."""
    transport = request.transport
    return transport is None or transport.is_closing()


def close(request: web.Request) -> web.Response:
    """Close the connection after what was written; the response returned is never sent."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def reset(request: web.Request) -> web.Response:
    """Reset the connection; the response returned is never sent."""
    transport = request.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        # Lingering for no time makes the kernel send RST and not FIN.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()


def _first_half(parts: Sequence[bytes]) -> Sequence[bytes]:
    if len(parts) == 1:
        return [parts[0][: len(parts[0]) // 2]]
    return parts[: len(parts) // 2]
