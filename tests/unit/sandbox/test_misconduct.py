"""Each fault that strikes a payment does what it says, and then the seller behaves again."""

from __future__ import annotations

import asyncio
import base64
import errno

import aiohttp
import pytest

from sidecar.clock import SystemClock
from sidecar.sandbox import Fault, Moment, SandboxOptions
from sidecar.sandbox.misconduct import ACTS
from tests.unit.sandbox.client import CHAT, Answer, Buyer, chat
from tests.unit.sandbox.conftest import Open

BODY = chat("one two three four", model="sandbox-1")
STREAM = chat("one two three four", stream=True)
SIGNATURE = "invalid_exact_evm_payload_signature"

UNSETTLED = {
    Fault.VERIFY_REFUSED: 402,
    Fault.FOREVER_402: 402,
    Fault.UNSETTLED_500: 500,
    Fault.UNSETTLED_400: 400,
    Fault.FACILITATOR_502: 502,
    Fault.SETTLE_FAILED: 402,
    Fault.REDIRECT: 307,
}
SETTLED = {
    Fault.SLOW_HEAD: 200,
    Fault.SETTLE_THEN_409: 409,
    Fault.SETTLE_THEN_425: 425,
    Fault.SETTLE_THEN_429: 429,
    Fault.SETTLE_THEN_500: 500,
    Fault.SETTLE_THEN_502: 502,
    Fault.SETTLE_THEN_502_RETRY_AFTER: 502,
    Fault.SETTLE_THEN_503: 503,
    Fault.SETTLE_THEN_503_RETRY_AFTER: 503,
    Fault.SETTLE_THEN_402: 402,
    Fault.SETTLE_THEN_402_FAILURE_RECEIPT: 402,
    Fault.UPFRONT_500: 500,
    Fault.SETTLE_NO_RECEIPT: 200,
    Fault.SETTLE_GARBAGE_RECEIPT: 200,
    Fault.SETTLE_OVERSIZED_HEADER: 200,
    Fault.SETTLE_NON_ASCII_HEADER: 200,
}
BROKEN_OFF = {
    Fault.RESET_BEFORE_ANYTHING: 0,
    Fault.SETTLE_THEN_RESET: 1,
    Fault.SETTLE_THEN_CLOSE: 1,
    Fault.SETTLE_THEN_CUT_BODY: 1,
    Fault.SETTLE_THEN_CUT_STREAM: 1,
}
HANGING = {
    Fault.HANG_BEFORE_SETTLE,
    Fault.SETTLE_THEN_HANG,
    Fault.SETTLE_THEN_STALL_STREAM,
}
# Answers that are good as far as the seller can tell.
GOOD = {fault for fault, status in SETTLED.items() if status == 200}


async def pay(buyer: Buyer, fault: Fault, body: bytes = BODY) -> Answer:
    """Pay a seller that has been told to misbehave once."""
    buyer.sandbox.faults.add(fault, 1)
    return await buyer.pay(method="POST", path=CHAT, body=body)


def test_every_fault_is_tested() -> None:
    """Every fault that strikes payments has an act, and a place in the tables above."""
    at_payment = {fault for fault in Fault if fault.moment is Moment.PAYMENT}

    assert at_payment == ACTS.keys()
    assert at_payment == UNSETTLED.keys() | SETTLED.keys() | BROKEN_OFF.keys() | HANGING | {
        Fault.SETTLEMENT_PENDING
    }
    assert all(fault.meaning for fault in Fault)


@pytest.mark.parametrize("fault", UNSETTLED)
async def test_unsettled(buyer: Buyer, fault: Fault) -> None:
    """Nothing moves, and the same authorization is good for the next try."""
    answer = await pay(buyer, fault)
    outcome = buyer.books.presentations[-1]
    settled = len(buyer.books.settlements)
    again = await buyer.pay(method="POST", path=CHAT, body=BODY)

    assert (UNSETTLED[fault], 0) == (answer.status, settled)
    assert ("unsettled", fault) == (outcome.outcome, outcome.fault)
    assert (200, 1) == (again.status, len(buyer.books.settlements))


@pytest.mark.parametrize("fault", SETTLED)
async def test_settled(buyer: Buyer, fault: Fault) -> None:
    """The money moves once; what was not delivered is given at the next try."""
    answer = await pay(buyer, fault)
    outcome = buyer.books.presentations[-1]
    again = await buyer.pay(method="POST", path=CHAT, body=BODY)

    assert SETTLED[fault] == answer.status
    assert ("settled", fault) == (outcome.outcome, outcome.fault)
    assert (402 if fault in GOOD else 200) == again.status
    assert 1 == len(buyer.books.settlements)


@pytest.mark.parametrize("fault", BROKEN_OFF)
async def test_broken_off(buyer: Buyer, fault: Fault) -> None:
    """The connection breaks, the money has moved or not, and the next try is served."""
    with pytest.raises((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)):
        await pay(buyer, fault, STREAM)
    settled = len(buyer.books.settlements)
    again = await buyer.pay(method="POST", path=CHAT, body=STREAM)

    assert BROKEN_OFF[fault] == settled
    assert (200, 1) == (again.status, len(buyer.books.settlements))
    assert again.body.endswith(b"data: [DONE]\n\n")


async def partial(buyer: Buyer, fault: Fault, body: bytes) -> tuple[aiohttp.ClientResponse, bytes]:
    """The head, and what arrives before the connection breaks."""
    buyer.sandbox.faults.add(fault)
    required = await buyer.terms("POST", CHAT, body)
    return await buyer.until_broken(buyer.build.v2(required), "POST", CHAT, body)


@pytest.mark.parametrize("body", [BODY, STREAM])
async def test_cut_body(buyer: Buyer, body: bytes) -> None:
    """A cut body promised a length, and has half of it."""
    head, got = await partial(buyer, Fault.SETTLE_THEN_CUT_BODY, body)

    assert int(head.headers["Content-Length"]) // 2 == len(got)
    assert "PAYMENT-RESPONSE" in head.headers


@pytest.mark.parametrize("body", [BODY, STREAM])
async def test_cut_stream(buyer: Buyer, body: bytes) -> None:
    """A cut stream is chunked, begins well, and has no last chunk."""
    head, got = await partial(buyer, Fault.SETTLE_THEN_CUT_STREAM, body)

    assert "chunked" == head.headers["Transfer-Encoding"]
    assert got
    assert b"[DONE]" not in got


async def test_reset_is_a_reset(buyer: Buyer) -> None:
    """A reset is an RST, a close is not."""
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await pay(buyer, Fault.SETTLE_THEN_RESET)
    assert errno.ECONNRESET == caught.value.errno
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await pay(buyer, Fault.SETTLE_THEN_CLOSE)


async def test_bare_refusals(buyer: Buyer) -> None:
    """The 402s differ: new challenge with or without a reason, or a receipt of failure."""
    refused = await pay(buyer, Fault.VERIFY_REFUSED)
    forever = await pay(buyer, Fault.FOREVER_402)
    failed = await pay(buyer, Fault.SETTLE_FAILED)

    assert SIGNATURE == refused.required["error"]
    assert "Payment required" == forever.required["error"]
    assert "PAYMENT-REQUIRED" not in failed.headers
    assert (False, "transaction_failed", "") == (
        failed.receipt["success"],
        failed.receipt["errorReason"],
        failed.receipt["transaction"],
    )


async def test_402_after_settling(buyer: Buyer) -> None:
    """After settling, a 402 may carry a new challenge and nothing that says it was paid."""
    answer = await pay(buyer, Fault.SETTLE_THEN_402)

    assert "Payment required" == answer.required["error"]
    assert "PAYMENT-RESPONSE" not in answer.headers


async def test_402_failure_receipt(buyer: Buyer) -> None:
    """After settling, a receipt may say success:false and name no transaction."""
    answer = await pay(buyer, Fault.SETTLE_THEN_402_FAILURE_RECEIPT)

    assert (False, "") == (answer.receipt["success"], answer.receipt["transaction"])
    assert "PAYMENT-REQUIRED" not in answer.headers


async def test_v1_failure_receipt(shop: Open) -> None:
    """v1 says a failed settlement in the body's error, with the terms again."""
    buyer = await shop(SandboxOptions(x402_version=1))
    answer = await pay(buyer, Fault.SETTLE_FAILED)

    assert "Settle failed: transaction_failed" == answer.json["error"]
    assert 1 == len(answer.json["accepts"])


async def test_settlement_pending(shop: Open) -> None:
    """settlement_pending: 402, a transaction that lands a moment later, and then the answer."""
    buyer = await shop(SandboxOptions(pending_s=3))
    answer = await pay(buyer, Fault.SETTLEMENT_PENDING)
    before = buyer.books.settlements
    buyer.clock.advance(3)
    (landed,) = buyer.books.settlements

    assert (402, ()) == (answer.status, before)
    assert (False, "settlement_pending", landed.transaction) == (
        answer.receipt["success"],
        answer.receipt["errorReason"],
        answer.receipt["transaction"],
    )
    assert CHAT == landed.path
    assert 200 == (await buyer.pay(method="POST", path=CHAT, body=BODY)).status
    assert 1 == len(buyer.books.settlements)


async def test_pending_presented_early(buyer: Buyer) -> None:
    """A pending payment that is presented again settles at once, and only once."""
    await pay(buyer, Fault.SETTLEMENT_PENDING)
    again = await buyer.pay(method="POST", path=CHAT, body=BODY)
    buyer.clock.advance(60)

    assert (200, 1) == (again.status, len(buyer.books.settlements))


async def test_retry_after(buyer: Buyer) -> None:
    """Retry-After is there where the name says so."""
    headers = {}
    for number, fault in enumerate(SETTLED):
        buyer.sandbox.faults.add(fault)
        headers[fault] = (await buyer.pay(buyer.build.number(number))).headers.get("Retry-After")

    assert {
        Fault.SETTLE_THEN_429,
        Fault.SETTLE_THEN_502_RETRY_AFTER,
        Fault.SETTLE_THEN_503_RETRY_AFTER,
    } == {fault for fault, value in headers.items() if value == "1"}


async def test_upfront(buyer: Buyer) -> None:
    """An upfront seller's 500 has a receipt that says success."""
    answer = await pay(buyer, Fault.UPFRONT_500)

    assert (500, True) == (answer.status, answer.receipt["success"])


async def test_odd_heads(buyer: Buyer) -> None:
    """A receipt can be missing or garbage, a header too large or not ASCII."""
    answers = {}
    for number, fault in enumerate(GOOD):
        buyer.sandbox.faults.add(fault)
        answers[fault] = await buyer.pay(buyer.build.number(number))

    assert "PAYMENT-RESPONSE" not in answers[Fault.SETTLE_NO_RECEIPT].headers
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(
            answers[Fault.SETTLE_GARBAGE_RECEIPT].headers["PAYMENT-RESPONSE"], validate=True
        )
    assert 100_000 == len(answers[Fault.SETTLE_OVERSIZED_HEADER].headers["X-Padding"])
    assert not answers[Fault.SETTLE_NON_ASCII_HEADER].headers["X-Note"].isascii()


async def test_slow_head(buyer: Buyer) -> None:
    """A slow head comes slow_head_s later."""
    before = buyer.clock.monotonic_s()
    await pay(buyer, Fault.SLOW_HEAD)

    assert 2.0 == buyer.clock.monotonic_s() - before


async def test_redirect(buyer: Buyer) -> None:
    """A client that follows the redirect has its payment noted by the trap."""
    buyer.sandbox.faults.add(Fault.REDIRECT)
    await buyer.pay(allow_redirects=True)

    assert ["unsettled", "stray"] == [
        presentation.outcome for presentation in buyer.books.presentations
    ]
    assert "/sandbox/trap" == buyer.books.presentations[-1].purchase.path


async def settlements_soon(buyer: Buyer, count: int) -> None:
    async with asyncio.timeout(5):
        while len(buyer.books.settlements) < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", sorted(HANGING))
async def test_hangs_until_the_client_goes(shop: Open, fault: Fault) -> None:
    """A hanging seller is quiet; it has settled before, or settles once the client has gone."""
    buyer = await shop(clock=SystemClock())
    buyer.sandbox.faults.add(fault)
    with pytest.raises(TimeoutError):
        await buyer.pay(method="POST", path=CHAT, body=STREAM, timeout=_after(1))
    await settlements_soon(buyer, 1)
    again = await buyer.pay(method="POST", path=CHAT, body=STREAM)

    assert (200, 1) == (again.status, len(buyer.books.settlements))


async def test_nothing_settles_while_the_client_waits(shop: Open) -> None:
    """hang_before_settle: as long as the client is there, nothing moves."""
    buyer = await shop(SandboxOptions(hang_max_s=20), SystemClock())
    buyer.sandbox.faults.add(Fault.HANG_BEFORE_SETTLE)
    asking = asyncio.create_task(buyer.pay())
    while not buyer.books.presentations:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    waiting = (len(buyer.books.presentations), len(buyer.books.settlements))
    asking.cancel()
    await settlements_soon(buyer, 1)

    assert (1, 0) == waiting


async def test_overtaken_while_hanging(shop: Open) -> None:
    """The same payment presented while the first try hangs settles once, and is served."""
    buyer = await shop(clock=SystemClock())
    buyer.sandbox.faults.add(Fault.HANG_BEFORE_SETTLE)
    build = buyer.build
    first = asyncio.create_task(buyer.pay(build))
    while not buyer.books.presentations:
        await asyncio.sleep(0.01)
    second = await buyer.pay(build)
    first.cancel()
    await asyncio.sleep(0.2)

    assert (200, 1) == (second.status, len(buyer.books.settlements))
    assert ["reverted", "settled"] == [seen.outcome for seen in buyer.books.presentations]


async def test_hang_has_a_limit(shop: Open) -> None:
    """A hang ends after hang_max_s even if the client waits: closed, or settled and served."""
    buyer = await shop(SandboxOptions(hang_max_s=1))
    buyer.sandbox.faults.add(Fault.SETTLE_THEN_HANG)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await buyer.pay(method="POST")
    buyer.sandbox.faults.add(Fault.HANG_BEFORE_SETTLE)

    assert 200 == (await buyer.pay(buyer.build.number(2))).status


async def test_stop_ends_hangs(shop: Open) -> None:
    """Stopping does not wait for what hangs."""
    buyer = await shop(SandboxOptions(stop_grace_s=0.1), SystemClock())
    buyer.sandbox.faults.add(Fault.SETTLE_THEN_HANG)
    asking = asyncio.create_task(buyer.pay())
    while not buyer.books.settlements:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await buyer.sandbox.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await asking


def _after(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds)
