"""What each fault that strikes a payment does: when it settles, and what it answers then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum

from aiohttp import web

from sidecar.sandbox import replies as reply
from sidecar.sandbox.facilitator import BAD_SIGNATURE
from sidecar.sandbox.faults import Fault
from sidecar.sandbox.replies import RECEIPT_HEADERS, Ending, Replies, Sale
from sidecar.values import dataclass

OVERSIZED_BYTES = 100_000
NON_ASCII = "réglé ✓"

# The last argument is the hash of the transaction that settled the sale; empty when none did.
Answer = Callable[[Replies, Sale, str], Awaitable[web.StreamResponse]]


class Settles(Enum):
    """When the seller settles."""

    NOW = "before it answers"
    LATER = "it is broadcast before the answer, and lands after it"
    WHEN_GONE = "when the client has hung up"
    NEVER = "not at all"


@dataclass(frozen=True, slots=True)
class Act:
    """One way of treating a good payment."""

    settles: Settles
    answer: Answer


async def honest(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    """The whole answer with its receipt."""
    return await replies.deliver(sale, replies.receipt(sale, transaction))


HONEST = Act(Settles.NOW, honest)


async def _slowly(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    await replies.slowly()
    return await honest(replies, sale, transaction)


async def _hang(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    await replies.until_gone(sale.request)
    return reply.close(sale.request)


async def _reset(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    return reply.reset(sale.request)


async def _close(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    return reply.close(sale.request)


async def _without_receipt(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    return await replies.deliver(sale, {})


async def _upfront_500(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    return reply.failure(500, "It broke after the payment", replies.receipt(sale, transaction))


async def _redirect(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
    url = sale.request.url
    other = "127.0.0.1" if url.host == "localhost" else "localhost"
    trap = url.with_host(other).with_path("/sandbox/trap")
    return web.Response(status=307, headers={"Location": str(trap)})


def _status(status: int, **headers: str) -> Answer:
    async def answer(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return reply.failure(status, f"The sandbox was told to answer {status}", named)

    return answer


def _challenge(error: str | None = None) -> Answer:
    async def answer(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
        return replies.refusal(sale.request, error)

    return answer


def _unsettled(reason: str, *, names_transaction: bool = False) -> Answer:
    async def answer(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
        return replies.unsettled(sale, reason, transaction if names_transaction else "")

    return answer


def _partial(ending: Ending, *, chunked: bool) -> Answer:
    async def answer(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
        headers = replies.receipt(sale, transaction)
        return await replies.deliver(sale, headers, ending=ending, chunked=chunked)

    return answer


def _with_header(name: str | None, value: str) -> Answer:
    """A good answer with one odd header; no name means the receipt's own."""

    async def answer(replies: Replies, sale: Sale, transaction: str) -> web.StreamResponse:
        headers = replies.receipt(sale, transaction)
        headers[name or RECEIPT_HEADERS[replies.version]] = value
        return await replies.deliver(sale, headers)

    return answer


ACTS: Mapping[Fault, Act] = {
    Fault.VERIFY_REFUSED: Act(Settles.NEVER, _challenge(BAD_SIGNATURE)),
    Fault.FOREVER_402: Act(Settles.NEVER, _challenge()),
    Fault.RESET_BEFORE_ANYTHING: Act(Settles.NEVER, _reset),
    Fault.UNSETTLED_500: Act(Settles.NEVER, _status(500)),
    Fault.UNSETTLED_400: Act(Settles.NEVER, _status(400)),
    Fault.FACILITATOR_502: Act(Settles.NEVER, _status(502)),
    Fault.SETTLE_FAILED: Act(Settles.NEVER, _unsettled("transaction_failed")),
    Fault.REDIRECT: Act(Settles.NEVER, _redirect),
    Fault.HANG_BEFORE_SETTLE: Act(Settles.WHEN_GONE, honest),
    Fault.SETTLEMENT_PENDING: Act(
        Settles.LATER, _unsettled("settlement_pending", names_transaction=True)
    ),
    Fault.SLOW_HEAD: Act(Settles.NOW, _slowly),
    Fault.SETTLE_THEN_HANG: Act(Settles.NOW, _hang),
    Fault.SETTLE_THEN_RESET: Act(Settles.NOW, _reset),
    Fault.SETTLE_THEN_CLOSE: Act(Settles.NOW, _close),
    Fault.SETTLE_THEN_409: Act(Settles.NOW, _status(409)),
    Fault.SETTLE_THEN_425: Act(Settles.NOW, _status(425)),
    Fault.SETTLE_THEN_429: Act(Settles.NOW, _status(429, Retry_After="1")),
    Fault.SETTLE_THEN_500: Act(Settles.NOW, _status(500)),
    Fault.SETTLE_THEN_502: Act(Settles.NOW, _status(502)),
    Fault.SETTLE_THEN_502_RETRY_AFTER: Act(Settles.NOW, _status(502, Retry_After="1")),
    Fault.SETTLE_THEN_503: Act(Settles.NOW, _status(503)),
    Fault.SETTLE_THEN_503_RETRY_AFTER: Act(Settles.NOW, _status(503, Retry_After="1")),
    Fault.SETTLE_THEN_402: Act(Settles.NOW, _challenge()),
    Fault.SETTLE_THEN_402_FAILURE_RECEIPT: Act(Settles.NOW, _unsettled("transaction_failed")),
    Fault.UPFRONT_500: Act(Settles.NOW, _upfront_500),
    Fault.SETTLE_THEN_CUT_BODY: Act(Settles.NOW, _partial(Ending.CUT, chunked=False)),
    Fault.SETTLE_THEN_CUT_STREAM: Act(Settles.NOW, _partial(Ending.CUT, chunked=True)),
    Fault.SETTLE_THEN_STALL_STREAM: Act(Settles.NOW, _partial(Ending.STALLED, chunked=True)),
    Fault.SETTLE_NO_RECEIPT: Act(Settles.NOW, _without_receipt),
    Fault.SETTLE_GARBAGE_RECEIPT: Act(Settles.NOW, _with_header(None, "!!! not base64 !!!")),
    Fault.SETTLE_OVERSIZED_HEADER: Act(
        Settles.NOW, _with_header("X-Padding", "." * OVERSIZED_BYTES)
    ),
    Fault.SETTLE_NON_ASCII_HEADER: Act(Settles.NOW, _with_header("X-Note", NON_ASCII)),
}
