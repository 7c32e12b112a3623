"""The plain seller is paid on Solana too, where its options say so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from solders.pubkey import Pubkey

from sidecar.chains import SOLANA_DEVNET
from sidecar.money import Usdc
from sidecar.sandbox import Fault, SandboxOptions
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO
from tests.unit.sandbox.client import CHAT, Answer, Buyer, chat
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.solana.building import DEVNET_USDC, PAYER, Build, memo
from tests.world.payment_builder import decode

ONLY = SandboxOptions(evm=False, solana=True)
OWNER = str(PAYER.pubkey())
START = 100_000_000


@pytest.fixture
async def buyer(shop: Open) -> Buyer:
    """A buyer at a seller that takes Solana only."""
    return await shop(ONLY)


def solana_build(buyer: Buyer, **change: Any) -> Build:
    ledger = buyer.sandbox.solana
    made = Build(
        ledger.fee_payer,
        ledger.blocks.head().blockhash,
        pay_to=Pubkey.from_string(SOLANA_PAY_TO),
    )
    return replace(made, **change)


def document(buyer: Buyer, required: dict[str, Any], entry: int = 0, **change: Any) -> Any:
    """A payment of one entry, in the version that was asked for."""
    payload = {"transaction": solana_build(buyer, **change).base64()}
    offer = required["accepts"][entry]
    if required["x402Version"] == 1:
        named = {"scheme": offer["scheme"], "network": offer["network"]}
        return {"x402Version": 1, **named, "payload": payload}
    return {"x402Version": 2, "accepted": offer, "payload": payload}


async def pay(buyer: Buyer, **change: Any) -> Answer:
    return await buyer.present(document(buyer, await buyer.terms(), **change))


def balances(buyer: Buyer) -> tuple[int, int]:
    ledger = buyer.sandbox.solana
    return ledger.balance(OWNER), ledger.balance(SOLANA_PAY_TO)


async def test_terms(buyer: Buyer) -> None:
    """The entry names the mint, the payee and who pays the fee."""
    (entry,) = (await buyer.terms())["accepts"]

    assert {
        "scheme": "exact",
        "network": SOLANA_DEVNET,
        "asset": str(DEVNET_USDC),
        "amount": "10000",
        "payTo": SOLANA_PAY_TO,
        "maxTimeoutSeconds": 300,
        "extra": {"feePayer": str(buyer.sandbox.solana.fee_payer)},
    } == entry


async def test_paid(buyer: Buyer) -> None:
    """A paid call is answered with a receipt, and the books have it."""
    answer = await pay(buyer)
    (settlement,) = buyer.books.settlements

    assert 200 == answer.status, answer.body
    assert {
        "success": True,
        "payer": OWNER,
        "transaction": settlement.transaction,
        "network": SOLANA_DEVNET,
    } == answer.receipt
    assert (START - 10_000, 10_000) == balances(buyer)
    assert (OWNER, SOLANA_PAY_TO, Usdc(10_000), "/v1/paid", 1) == (
        settlement.payer,
        settlement.payee,
        settlement.amount,
        settlement.path,
        settlement.deliveries,
    )
    assert Usdc(10_000) == buyer.books.settled_total
    assert 1 == len(buyer.books.settlements_for(b""))
    assert settlement.transaction in json.dumps(buyer.books.to_json())


async def test_v1(shop: Open) -> None:
    """In x402 v1 the network is called solana-devnet."""
    buyer = await shop(replace(ONLY, x402_version=1))
    answer = await pay(buyer)

    assert 200 == answer.status, answer.body
    assert "solana-devnet" == decode(answer.headers["X-PAYMENT-RESPONSE"])["network"]


async def test_both(shop: Open) -> None:
    """Offered both, a payer takes one or the other."""
    buyer = await shop(SandboxOptions(solana=True))
    required = await buyer.terms()
    solana = await buyer.present(document(buyer, required, entry=1))
    evm = await buyer.pay()

    assert ["eip155:84532", SOLANA_DEVNET] == [one["network"] for one in required["accepts"]]
    assert [200, 200] == [solana.status, evm.status]
    assert [64, 88] == [len(one.transaction.removeprefix("0x")) for one in buyer.books.settlements]
    assert Usdc(20_000) == buyer.books.settled_total


async def test_not_offered(shop: Open) -> None:
    """Without the option Solana is neither offered nor taken."""
    buyer = await shop()
    required = await buyer.terms()
    answer = await buyer.present(document(buyer, required))

    assert 1 == len(required["accepts"])
    assert (402, "network_mismatch") == (answer.status, answer.required["error"])


async def test_authorization_for_solana(buyer: Buyer) -> None:
    """An EVM authorization pays nothing on Solana."""
    answer = await buyer.pay()

    assert (402, "network_mismatch") == (answer.status, answer.required["error"])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"amount": 9_999}, "invalid_exact_svm_payload_amount_mismatch"),
        ({"pay_to": PAYER.pubkey()}, "invalid_exact_svm_payload_recipient_mismatch"),
        ({"amount": 10_000, "rest": (memo(), memo(b"2"))}, "invalid_exact_svm_payload_memo_count"),
        ({"fee_payer": Pubkey.new_unique()}, "invalid_exact_svm_fee_payer_mismatch"),
    ],
)
async def test_refused(buyer: Buyer, change: dict[str, Any], error: str) -> None:
    """A payment that is no good is refused with the ledger's reason, and is in the books."""
    answer = await pay(buyer, **change)

    assert (402, error) == (answer.status, answer.required["error"])
    assert ("refused", error) == buyer.last
    assert () == buyer.books.settlements


@pytest.mark.parametrize("transaction", ["", "AAAA", None, 5])
async def test_unreadable(buyer: Buyer, transaction: object) -> None:
    """What is no transaction is no payment."""
    (entry,) = (await buyer.terms())["accepts"]
    payload = {"transaction": transaction}
    answer = await buyer.present({"x402Version": 2, "accepted": entry, "payload": payload})

    assert (402, "Payment required") == (answer.status, answer.required["error"])


async def test_memo(shop: Open) -> None:
    """Where the seller wants its memo, no other will do."""
    buyer = await shop(replace(ONLY, solana_memo="inv-42"))
    (entry,) = (await buyer.terms())["accepts"]
    wrong = await pay(buyer)
    right = await pay(buyer, rest=(memo(b"inv-42"),))

    assert "inv-42" == entry["extra"]["memo"]
    assert "invalid_exact_svm_payload_memo_mismatch" == wrong.required["error"]
    assert 200 == right.status


async def test_blockhash(shop: Open) -> None:
    """A blockhash in the terms is a hint: it may have changed when the payment comes."""
    buyer = await shop(replace(ONLY, solana_blockhash=True))
    required = await buyer.terms()
    extra = required["accepts"][0]["extra"]
    paying = document(buyer, required)
    buyer.clock.advance(10)
    answer = await buyer.present(paying)

    assert str(solana_build(buyer).blockhash) != extra["recentBlockhash"]
    assert extra["lastValidBlockHeight"].isdigit()
    assert 200 == answer.status, answer.body


async def test_expired(buyer: Buyer) -> None:
    """A payment is dead after 150 blocks."""
    paying = document(buyer, await buyer.terms())
    buyer.sandbox.solana.advance(151)
    answer = await buyer.present(paying)

    assert "transaction_simulation_failed" == answer.required["error"]


async def test_again(buyer: Buyer) -> None:
    """A payment that was answered buys nothing again."""
    paying = document(buyer, await buyer.terms())
    first, again = await buyer.present(paying), await buyer.present(paying)

    assert (200, 402) == (first.status, again.status)
    assert "duplicate_settlement" == again.required["error"]
    assert (START - 10_000, 10_000) == balances(buyer)


# --- misconduct ---


async def faulty(buyer: Buyer, fault: Fault, paying: Any, body: bytes) -> Answer:
    buyer.sandbox.faults.add(fault, 1)
    return await buyer.present(paying, "POST", CHAT, body)


async def test_settled_and_failed(buyer: Buyer) -> None:
    """A call that was paid and not answered is answered when the same payment comes again."""
    body = chat("hello")
    paying = document(buyer, await buyer.terms("POST", CHAT, body))
    failed = await faulty(buyer, Fault.SETTLE_THEN_500, paying, body)
    again = await buyer.present(paying, "POST", CHAT, body)

    assert (500, 200) == (failed.status, again.status)
    assert buyer.books.settlements[0].transaction == again.receipt["transaction"]
    assert (START - 10_000, 10_000) == balances(buyer)


async def test_pending(shop: Open) -> None:
    """A payment that is pending lands later, and is in the books then."""
    buyer = await shop(ONLY)
    body = chat("hello")
    paying = document(buyer, await buyer.terms("POST", CHAT, body))
    answer = await faulty(buyer, Fault.SETTLEMENT_PENDING, paying, body)
    before = buyer.books.settlements
    buyer.clock.advance(2)
    (settlement,) = buyer.books.settlements

    assert (402, "settlement_pending") == (answer.status, answer.receipt["errorReason"])
    assert () == before
    assert answer.receipt["transaction"] == settlement.transaction


async def test_decoys(buyer: Buyer) -> None:
    """What is offered in place of the honest entry is Solana's too."""
    buyer.sandbox.faults.add(Fault.TOO_EXPENSIVE, 1)
    dear = (await buyer.terms())["accepts"][0]
    buyer.sandbox.faults.add(Fault.OTHER_PAYEE, 1)
    required = await buyer.terms()
    answer = await buyer.present(document(buyer, required))

    assert ("10000000", SOLANA_DEVNET) == (dear["amount"], dear["network"])
    assert (402, "invalid_exact_evm_payload_recipient_mismatch") == (
        answer.status,
        answer.required["error"],
    )


async def test_other_scheme(buyer: Buyer) -> None:
    """An entry of another scheme is not settled, whoever pays it."""
    buyer.sandbox.faults.add(Fault.UPTO_ENTRY, 1)
    required = await buyer.terms()
    answer = await buyer.present(document(buyer, required))

    assert ["upto", "exact"] == [entry["scheme"] for entry in required["accepts"]]
    assert (402, "unsupported_scheme") == (answer.status, answer.required["error"])


@pytest.mark.parametrize(
    "change", [{"evm": False}, {"solana_memo": "m" * 257}, {"network": SOLANA_DEVNET}]
)
def test_impossible_options(change: dict[str, Any]) -> None:
    """A seller takes money; a memo has a limit; the first chain speaks EVM."""
    with pytest.raises(ValueError, match=r"money|memo|network"):
        SandboxOptions(**change)
