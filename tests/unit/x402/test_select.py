"""Which offers can be paid: those whose every word has one known meaning."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.chains import usdc_on
from sidecar.money import Usdc
from sidecar.x402.select import Candidate, candidates
from sidecar.x402.types import PaymentRequired, PaymentRequirements

BASE = usdc_on("eip155:8453")
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"


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


def required(*offers: PaymentRequirements) -> PaymentRequired:
    """A challenge with these offers."""
    return PaymentRequired(2, offers)


def test_payable() -> None:
    """A plain offer in known USDC can be paid."""
    plain = offer()

    expected = Candidate(plain, BASE, Usdc(1000), position=0)
    assert ((expected,), ()) == candidates(required(plain))


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
        ({"scheme": "upto"}, "exact only"),
        ({"scheme": "Exact"}, "exact only"),
        ({"network": "eip155:1514"}, "this network"),
        ({"network": "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"}, "this network"),
        ({"network": "base"}, "this network"),
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


def test_reasons() -> None:
    """The reasons begin with what the codec could not read, and name scheme and network."""
    challenge = PaymentRequired(2, (offer(scheme="upto\n"),), unreadable=("accepts[1]: why",))

    _, reasons = candidates(challenge)

    assert (
        "accepts[1]: why",
        "upto  on eip155:8453: we pay by the scheme exact only",
    ) == reasons
