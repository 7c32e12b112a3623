"""One priced request: the order of the steps, and what an authorization buys."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.money import Usdc
from sidecar.sandbox import Fault, SandboxOptions
from sidecar.sandbox.facilitator import transfer_of
from sidecar.sandbox.payment import Payment, read_payment
from tests.unit.sandbox.client import CHAT, Buyer, chat
from tests.unit.sandbox.conftest import Open
from tests.world.payment_builder import PAYER, encode

USED = "invalid_exact_evm_nonce_already_used"


async def test_other_header_is_no_payment(buyer: Buyer) -> None:
    """A v2 seller does not read X-PAYMENT; the books say that it came."""
    document = encode(buyer.build.v2(await buyer.terms()))
    answer = await buyer.send(headers={"X-PAYMENT": document})

    assert (402, "Payment required") == (answer.status, answer.required["error"])
    assert ("refused", "Payment required") == buyer.last
    assert () == buyer.books.settlements


async def test_two_headers(buyer: Buyer) -> None:
    """Both headers at once are refused: each copy is spendable."""
    document = encode(buyer.build.v2(await buyer.terms()))
    both = {"X-PAYMENT": document, "PAYMENT-SIGNATURE": document}

    assert 402 == (await buyer.send(headers=both)).status
    assert "2 payment headers" == buyer.books.presentations[-1].detail


async def test_garbage_header(buyer: Buyer) -> None:
    """A header that cannot be read is answered as if nothing had been sent, and noted."""
    answer = await buyer.send(headers={"PAYMENT-SIGNATURE": "!!!"})

    assert "Payment required" == answer.required["error"]
    assert ("refused", "Payment required") == buyer.last
    assert "base64" in buyer.books.presentations[-1].detail


async def test_delivered_is_not_replayed(buyer: Buyer) -> None:
    """An answer that was wholly delivered is not given again."""
    await buyer.pay()
    again = await buyer.pay()

    assert (402, USED) == (again.status, again.required["error"])
    assert [1] == [settlement.deliveries for settlement in buyer.books.settlements]


async def test_undelivered_is_replayed(buyer: Buyer) -> None:
    """An answer that was not delivered is given again, with the same receipt, without settling."""
    buyer.sandbox.faults.add(Fault.UPFRONT_500)
    broken = await buyer.pay()
    again = await buyer.pay()

    assert (500, 200) == (broken.status, again.status)
    assert broken.receipt == again.receipt
    assert ("replayed", "") == buyer.last
    assert 1 == len(buyer.books.settlements)


async def test_replay_after_expiry(buyer: Buyer) -> None:
    """What is settled and owed is given even when the authorization has run out."""
    document = buyer.build.v2(await buyer.terms())
    buyer.sandbox.faults.add(Fault.SETTLE_THEN_503)
    await buyer.present(document)
    buyer.clock.advance(3_600)

    assert 200 == (await buyer.present(document)).status


async def test_replay_needs_the_signature(buyer: Buyer) -> None:
    """Whoever knows the nonce but cannot sign gets nothing."""
    buyer.sandbox.faults.add(Fault.SETTLE_THEN_503)
    document = buyer.build.v2(await buyer.terms())
    await buyer.present(document)
    document["payload"]["signature"] = "0x" + "11" * 64 + "1b"

    assert 402 == (await buyer.present(document)).status


async def test_no_replay_for_another_purchase(buyer: Buyer) -> None:
    """One payment never buys two things: neither another path nor another body."""
    buyer.sandbox.faults.add(Fault.SETTLE_THEN_503)
    await buyer.pay()
    other_path = await buyer.pay(path="/v1/paid?page=2")
    other_body = await buyer.pay(method="POST", body=b"x")

    assert [USED, USED] == [answer.required["error"] for answer in (other_path, other_body)]


async def test_no_replays(shop: Open) -> None:
    """A seller without replays refuses what it owes, too."""
    buyer = await shop(SandboxOptions(replays=False))
    buyer.sandbox.faults.add(Fault.SETTLE_THEN_503)
    await buyer.pay()

    assert USED == (await buyer.pay()).required["error"]


async def test_replays_delivered(shop: Open) -> None:
    """A seller may be told to give even a delivered answer again."""
    buyer = await shop(SandboxOptions(replays_delivered=True))
    answers = [await buyer.pay() for _ in range(3)]

    assert [200, 200, 200] == [answer.status for answer in answers]
    assert [3] == [settlement.deliveries for settlement in buyer.books.settlements]


async def test_cancelled_is_not_replayed(buyer: Buyer) -> None:
    """A cancelled authorization is used, and nothing was paid: no answer."""
    buyer.sandbox.chain.cancel(PAYER.address, buyer.build.nonce)

    assert USED == (await buyer.pay()).required["error"]


async def test_cancelled_while_pending(buyer: Buyer) -> None:
    """Nor is there one when the authorization is cancelled before its broadcast lands."""
    buyer.sandbox.faults.add(Fault.SETTLEMENT_PENDING)
    await buyer.pay()
    buyer.sandbox.chain.cancel(PAYER.address, buyer.build.nonce)
    buyer.clock.advance(60)

    assert USED == (await buyer.pay()).required["error"]
    assert () == buyer.books.settlements


async def test_paid_by_somebody_else(buyer: Buyer) -> None:
    """An authorization that somebody else submitted pays the seller, who refuses it anyway."""
    document = buyer.build.v2(await buyer.terms())
    payment = read_payment(encode(document), 2)
    assert isinstance(payment, Payment)
    buyer.sandbox.chain.settle(transfer_of(payment.authorization))

    assert USED == (await buyer.present(document)).required["error"]
    (settlement,) = buyer.books.settlements
    assert (None, "", "") == (settlement.purchase, settlement.path, settlement.body_sha256)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"model": 1}', b'{"model": "m"}'])
async def test_handler_refuses(buyer: Buyer, body: bytes) -> None:
    """A request that the handler refuses is not charged, although its payment is good."""
    answer = await buyer.pay(method="POST", path=CHAT, body=body)

    assert (400, "invalid_request_error") == (answer.status, answer.json["error"]["type"])
    assert "PAYMENT-RESPONSE" not in answer.headers
    assert ("unsettled", "the handler refused") == buyer.last
    assert () == buyer.books.settlements


async def test_a_refusal_is_no_delivery(buyer: Buyer) -> None:
    """An authorization that a handler refused first still gets the answer that it then buys."""
    await buyer.pay(method="POST", path=CHAT, body=b"{")
    buyer.sandbox.faults.add(Fault.SETTLE_THEN_503)
    answers = [await buyer.pay(method="POST", path=CHAT, body=chat("hello")) for _ in range(2)]

    assert [503, 200] == [answer.status for answer in answers]


async def test_concurrent_uses(shop: Open) -> None:
    """Of four uses of one authorization at once one settles; the others get failure receipts."""
    buyer = await shop(SandboxOptions(handler_delay_s=1, replays=False))
    document = buyer.build.v2(await buyer.terms())
    answers = await asyncio.gather(*(buyer.present(document) for _ in range(4)))

    assert 1 == len(buyer.books.settlements)
    assert [200] == [answer.status for answer in answers if answer.status != 402]
    refused = [answer for answer in answers if answer.status == 402]
    assert 3 == len(refused)


async def test_full_books(shop: Open) -> None:
    """Books with no room left take no more payments."""
    buyer = await shop(SandboxOptions(records_max=1))

    assert [200, 503] == [(await buyer.pay(buyer.build.number(n))).status for n in (1, 2)]


async def test_head(buyer: Buyer) -> None:
    """A response carries the sandbox's own time and an id."""
    buyer.clock.advance(3_600)
    answer = await buyer.send(path="/v1/models")

    assert "Sat, 21 Nov 2026 13:00:00 GMT" == answer.headers["Date"]
    assert answer.headers["X-Request-Id"].startswith("req_")


async def test_five_hundred_at_once(shop: Open) -> None:
    """Five hundred concurrent purchases settle once each, and nobody gets another's answer."""
    buyer = await shop()
    bodies = [chat(f"call {n}") for n in range(500)]
    required = await buyer.terms("POST", CHAT, bodies[0])

    async def one(n: int) -> str:
        document = buyer.build.number(n).v2(required)
        answer = await buyer.present(document, "POST", CHAT, bodies[n])
        return str(answer.json["choices"][0]["message"]["content"])

    said = await asyncio.gather(*(one(n) for n in range(500)))

    assert [f"The sandbox heard: call {n}" for n in range(500)] == list(said)
    assert Usdc(5_000_000) == buyer.books.settled_total
    assert all(len(buyer.books.settlements_for(body)) == 1 for body in bodies[:20])
