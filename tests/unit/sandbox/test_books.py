"""The books can be asked by purchase, and never hold a signature."""

from __future__ import annotations

from dataclasses import replace

from sidecar.money import Usdc
from sidecar.sandbox import Fault, SandboxOptions
from tests.unit.sandbox.client import CHAT, Buyer, chat
from tests.unit.sandbox.conftest import Open
from tests.world.fakes import NOON
from tests.world.payment_builder import PAYER, encode

BODY = chat("hello")


async def test_a_sale(buyer: Buyer) -> None:
    """A settlement says who paid what, when, and for which purchase."""
    await buyer.pay(method="POST", path=CHAT, body=BODY)
    (settlement,) = buyer.books.settlements

    assert (PAYER.address, buyer.sandbox.pay_to, buyer.build.nonce, Usdc(10_000), NOON, 1) == (
        settlement.payer,
        settlement.payee,
        settlement.nonce,
        settlement.amount,
        settlement.at,
        settlement.deliveries,
    )
    assert (settlement,) == buyer.books.settlements_for(BODY)
    assert (settlement,) == buyer.books.settlements_for(BODY, CHAT)
    assert () == buyer.books.settlements_for(BODY, "/v1/messages")
    assert () == buyer.books.settlements_for(b"other")
    assert Usdc(10_000) == buyer.books.settled_total


async def test_signed_twice(buyer: Buyer) -> None:
    """A client that signs twice for one purchase has two authorizations in the books."""
    buyer.sandbox.faults.add(Fault.VERIFY_REFUSED)
    for number in (1, 2, 2):
        await buyer.pay(buyer.build.number(number), "POST", CHAT, BODY)

    assert 2 == len(buyer.books.authorizations_for(BODY))
    assert 3 == len(buyer.books.presentations_for(BODY))
    assert 1 == len(buyer.books.settlements_for(BODY))


async def test_same_nonce_other_fields(buyer: Buyer) -> None:
    """Two signatures over one nonce are two authorizations."""
    buyer.sandbox.faults.add(Fault.VERIFY_REFUSED)
    await buyer.pay()
    await buyer.pay(replace(buyer.build, valid_for_s=90))

    assert 2 == len(buyer.books.authorizations_for(b"", "/v1/paid"))


async def test_one_authorization_for_two_purchases(buyer: Buyer) -> None:
    """An authorization that is shown for two purchases is seen for both, and settles for one."""
    await buyer.pay(path="/v1/paid?1")
    await buyer.pay(path="/v1/paid?2")

    assert 2 == len(buyer.books.authorizations)
    assert [1, 0] == [
        len(buyer.books.settlements_for(b"", path)) for path in ("/v1/paid?1", "/v1/paid?2")
    ]


async def test_strays(buyer: Buyer) -> None:
    """A payment sent to something free, or to nothing, is noted."""
    header = {"PAYMENT-SIGNATURE": encode(buyer.build.v2(await buyer.terms()))}
    await buyer.send(path="/v1/models", headers=header)
    await buyer.send(path="/nowhere", headers=header)
    await buyer.send(path="/v1/models", headers={"X-PAYMENT": "garbage"})

    assert ["stray"] * 3 == [seen.outcome for seen in buyer.books.presentations]
    assert [buyer.build.nonce, buyer.build.nonce, ""] == [
        seen.nonce for seen in buyer.books.presentations
    ]


async def test_full(shop: Open) -> None:
    """Full books note no more strays."""
    buyer = await shop(SandboxOptions(records_max=1))
    for _ in range(2):
        await buyer.send(path="/v1/models", headers={"X-PAYMENT": "garbage"})

    assert 1 == len(buyer.books.presentations)


async def test_json(buyer: Buyer) -> None:
    """GET /sandbox/books says all of it, with a hash where the signature was."""
    document = buyer.build.v2(await buyer.terms())
    await buyer.present(document)
    answer = await buyer.send(path="/sandbox/books")
    books = answer.json

    assert "0.01 USDC" == books["settled_total"]
    assert ("0.01 USDC", "2026-11-21T12:00:00+00:00") == (
        books["settlements"][0]["amount"],
        books["settlements"][0]["at"],
    )
    assert "/v1/paid" == books["presentations"][0]["purchase"]["path"]
    assert 64 == len(books["authorizations"][0]["signature_sha256"])
    assert document["payload"]["signature"][2:].encode() not in answer.body
