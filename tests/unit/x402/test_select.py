"""Which offers can be paid: those whose every word has one known meaning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.chains import SOLANA, SOLANA_DEVNET, usdc_on
from sidecar.money import Usdc
from sidecar.x402.select import Candidate, candidates, primary_type
from sidecar.x402.types import PaymentRequired, PaymentRequirements

BASE = usdc_on("eip155:8453")
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
MINT = usdc_on(SOLANA)
SOLANA_PAYEE = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
FEE_PAYER = "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4"


def offer(**changed: Any) -> PaymentRequirements:
    """An offer that can be paid, but for what is changed."""
    fields: dict[str, Any] = {
        "scheme": "exact",
        "network": "eip155:8453",
        "asset": BASE.address,
        "amount": "1000",
        "pay_to": PAYEE,
        "max_timeout_seconds": 60,
        "extra": {"name": "USD Coin", "version": "2"},
        "original": {},
    }
    return PaymentRequirements(**{**fields, **changed})


def on_solana(**changed: Any) -> PaymentRequirements:
    """An offer on Solana that can be paid, but for what is changed."""
    fields: dict[str, Any] = {
        "network": SOLANA,
        "asset": MINT.address,
        "pay_to": SOLANA_PAYEE,
        "extra": {"feePayer": FEE_PAYER},
    }
    return offer(**{**fields, **changed})


def thirdwebs(**extra: Any) -> PaymentRequirements:
    """An offer of thirdweb's upto that can be paid, but for what is changed."""
    words = {"name": "USD Coin", "version": "2", "recipientAddress": "0x" + "11" * 20}
    return offer(scheme="upto", extra={**words, **extra})


def required(*offers: PaymentRequirements) -> PaymentRequired:
    """A challenge with these offers."""
    return PaymentRequired(2, offers)


def test_payable() -> None:
    """A plain offer in known USDC can be paid."""
    plain = offer()

    expected = Candidate(plain, BASE, Usdc(1000), position=0)
    assert ((expected,), ()) == candidates(required(plain))


def test_judged_once() -> None:
    """A challenge is judged once, and judging it makes it no other challenge."""
    challenge = required(offer())

    assert candidates(challenge) is candidates(challenge)
    assert required(offer()) == challenge


def test_other_offers() -> None:
    """A challenge that is made from one that was judged is judged by its own offers."""
    challenge = required(offer(amount="1000"))
    candidates(challenge)

    payable, _ = candidates(replace(challenge, accepts=(offer(amount="1"),)))
    assert [Usdc(1)] == [candidate.amount for candidate in payable]


def test_order() -> None:
    """The cheapest offer is first, and offers of one price stay in the seller's order."""
    dear, first, second = offer(amount="9"), offer(amount="5"), offer(amount="5")

    payable, _ = candidates(required(dear, first, second))

    assert [1, 2, 0] == [candidate.position for candidate in payable]


@pytest.mark.parametrize(
    "changed",
    [
        {"asset": BASE.address.lower()},
        {"asset": "0x" + BASE.address[2:].upper()},
        {"pay_to": PAYEE.lower()},
        {"pay_to": "0x" + PAYEE[2:].upper()},
        {"pay_to": "0x" + PAYEE[2:].swapcase()},
        {"extra": {}},
        {"extra": {"assetTransferMethod": "eip3009", "paymentFlow": "authorization"}},
        {"extra": {"assetTransferMethod": None, "paymentFlow": None, "acceptId": "a"}},
    ],
)
def test_tolerated(changed: dict[str, Any]) -> None:
    """The case of addresses does not matter, nor do extras that change nothing."""
    payable, reasons = candidates(required(offer(**changed)))

    assert (1, (), "") == (len(payable), reasons, payable[0].note)


@pytest.mark.parametrize(
    "extra", [{"name": "USDC", "version": "2"}, {"version": "1"}, {"name": ["USD Coin"]}]
)
def test_own_table_wins(extra: dict[str, Any]) -> None:
    """A seller that has the token's EIP-712 name wrong is paid by our row, with a note."""
    payable, _ = candidates(required(offer(extra=extra)))

    assert BASE == payable[0].asset
    assert payable[0].note.startswith("the seller calls USD Coin 2 ")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scheme": "Exact"}, "exact and upto only"),
        ({"scheme": "batch-settlement"}, "exact and upto only"),
        ({"network": "eip155:1514"}, "this network"),
        ({"network": "base"}, "this network"),
        ({"network": SOLANA}, "do not know the token"),
        ({"asset": "0x" + "11" * 20}, "do not know the token"),
        ({"asset": usdc_on("eip155:1").address}, "do not know the token"),
        ({"amount": "0"}, "not an amount"),
        ({"amount": "-1"}, "not an amount"),
        ({"amount": "1e3"}, "not an amount"),
        ({"amount": "1000\n"}, "not an amount"),
        ({"amount": "\u0661\u0660"}, "not an amount"),
        ({"amount": "9" * 5000}, "not an amount"),
        ({"pay_to": PAYEE[:-1]}, "not a payee's address"),
        ({"pay_to": PAYEE + "\n"}, "not a payee's address"),
        ({"pay_to": "vitalik.eth"}, "not a payee's address"),
        ({"pay_to": "0x" + "0" * 40}, "zero address"),
        ({"pay_to": "0x000000000000000000000000000000000000dEaD"}, "nothing comes back"),
        ({"pay_to": BASE.address}, "nothing comes back"),
        ({"extra": {"primaryType": "Permit"}}, "which is not an exact payment"),
        ({"extra": {"primaryType": "ReceiveWithAuthorization"}}, "do not sign a Receive"),
        ({"extra": {"primaryType": ["Permit"]}}, "do not sign a"),
        ({"extra": {"assetTransferMethod": "permit2"}}, "transfer method"),
        ({"extra": {"assetTransferMethod": ["eip3009"]}}, "transfer method"),
        ({"extra": {"paymentFlow": "upfront"}}, "payment flow"),
        ({"extra": {"paymentFlow": {}}}, "payment flow"),
        ({"extra": {"name": "GatewayWalletBatched", "version": "1"}}, "another contract"),
        ({"extra": {"verifyingContract": None}}, "another contract"),
    ],
)
def test_not_payable(changed: dict[str, Any], reason: str) -> None:
    """An offer with a word of another meaning is not paid, and the reason says which."""
    payable, reasons = candidates(required(offer(**changed)))

    assert () == payable
    assert reason in reasons[0]


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        ({}, "TransferWithAuthorization"),
        ({"primaryType": None}, "TransferWithAuthorization"),
        ({"primaryType": "TransferWithAuthorization"}, "TransferWithAuthorization"),
        ({"primaryType": "Permit"}, "Permit"),
    ],
)
def test_thirdwebs_upto(extra: dict[str, Any], kind: str) -> None:
    """thirdweb's upto is payable by a Permit, or by a transfer, which is also what it is unsaid."""
    upto = thirdwebs(**extra)

    assert ((Candidate(upto, BASE, Usdc(1000), position=0),), ()) == candidates(required(upto))
    assert kind == primary_type(upto.extra)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"facilitatorAddress": PAYEE}, "Permit2"),
        ({"facilitatorAddress": None}, "Permit2"),
        ({"assetTransferMethod": "permit2"}, "transfer method"),
        ({"primaryType": "PermitWitnessTransferFrom"}, "do not sign a Permit"),
        ({"primaryType": "permit"}, "do not sign a permit"),
        ({"primaryType": ""}, "do not sign a"),
        ({"primaryType": "Permit", "verifyingContract": PAYEE}, "another contract"),
        ({"primaryType": "Permit", "paymentFlow": "upfront"}, "payment flow"),
    ],
)
def test_other_upto(extra: dict[str, Any], reason: str) -> None:
    """The x402 foundation's upto, and what else is called so, is not paid."""
    payable, reasons = candidates(required(thirdwebs(**extra)))

    assert () == payable
    assert reason in reasons[0]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"extra": {"feePayer": FEE_PAYER, "memo": "inv-42", "recentBlockhash": "x"}},
        {"extra": {"feePayer": FEE_PAYER, "memo": "é" * 128}},
        {"extra": {"feePayer": FEE_PAYER, "memo": None, "paymentFlow": "authorization"}},
        {"extra": {"feePayer": FEE_PAYER, "name": "USDC", "version": "1"}},
    ],
)
def test_solana(changed: dict[str, Any]) -> None:
    """A plain offer on Solana can be paid; there its token has no EIP-712 name to differ from."""
    plain = on_solana(**changed)

    expected = Candidate(plain, MINT, Usdc(1000), position=0)
    assert ((expected,), ()) == candidates(required(plain))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scheme": "upto"}, "exact only on Solana"),
        ({"network": "solana"}, "this network"),
        ({"network": "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z"}, "this network"),
        ({"network": SOLANA_DEVNET}, "do not know the token"),
        ({"network": "eip155:8453"}, "do not know the token"),
        ({"asset": MINT.address.lower()}, "do not know the token"),
        ({"amount": "0"}, "not an amount"),
        ({"pay_to": PAYEE}, "not a payee's address"),
        ({"pay_to": SOLANA_PAYEE[:-1]}, "not a payee's address"),
        ({"pay_to": SOLANA_PAYEE.upper()}, "not a payee's address"),
        ({"pay_to": "1" * 32}, "zero address"),
        ({"pay_to": "1nc1nerator11111111111111111111111111111111"}, "nothing comes back"),
        ({"pay_to": MINT.address}, "nothing comes back"),
        ({"extra": {}}, "no feePayer"),
        ({"extra": {"feePayer": None}}, "no feePayer"),
        ({"extra": {"feePayer": [FEE_PAYER]}}, "no feePayer"),
        ({"extra": {"feePayer": PAYEE}}, "no feePayer"),
        ({"extra": {"feePayer": SOLANA_PAYEE}}, "feePayer is the payee"),
        ({"extra": {"feePayer": FEE_PAYER, "memo": 1}}, "memo"),
        ({"extra": {"feePayer": FEE_PAYER, "memo": "é" * 128 + "x"}}, "at most 256 bytes"),
        ({"extra": {"feePayer": FEE_PAYER, "paymentFlow": "upfront"}}, "payment flow"),
        ({"extra": {"feePayer": FEE_PAYER, "assetTransferMethod": "eip3009"}}, "no meaning"),
        ({"extra": {"feePayer": FEE_PAYER, "primaryType": "Permit"}}, "no meaning"),
        ({"extra": {"feePayer": FEE_PAYER, "verifyingContract": ""}}, "another contract"),
    ],
)
def test_not_payable_on_solana(changed: dict[str, Any], reason: str) -> None:
    """On Solana, too, an offer with a word of another meaning is not paid."""
    payable, reasons = candidates(required(on_solana(**changed)))

    assert () == payable
    assert reason in reasons[0]


def test_cheapest_of_any_kind() -> None:
    """Offers of every kind are compared by their price alone."""
    offers = offer(amount="3"), on_solana(amount="1"), thirdwebs(primaryType="Permit")

    payable, _ = candidates(required(*offers))

    assert [1, 0, 2] == [candidate.position for candidate in payable]


def test_reasons() -> None:
    """The reasons begin with what the codec could not read, and name scheme and network."""
    challenge = PaymentRequired(2, (offer(scheme="upto\n"),), unreadable=("accepts[1]: why",))

    _, reasons = candidates(challenge)

    assert (
        "accepts[1]: why",
        "upto  on eip155:8453: we pay by the schemes exact and upto only",
    ) == reasons


def test_too_large_to_repeat() -> None:
    """An offer that no payment header could repeat is not payable; the next one is."""
    large = offer(original={"description": "x" * 50_000}, amount="1")

    payable, reasons = candidates(required(large, offer()))

    assert ["1000"] == [candidate.requirements.amount for candidate in payable]
    assert (
        "exact on eip155:8453: what a payment of it has to repeat is too large for a header",
    ) == reasons
