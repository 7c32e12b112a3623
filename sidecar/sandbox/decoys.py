"""Challenges that must not be paid, or not in the obvious way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sidecar.sandbox.addresses import checksummed, keccak256
from sidecar.sandbox.faults import Fault
from sidecar.sandbox.terms import Challenge, Offer

TEN_YEARS_S = 315_360_000
HUGE_BODY_BYTES = 4 * 2**20
ACCEPTS = 1_000


def _stranger(label: bytes) -> str:
    return checksummed("0x" + keccak256(label)[12:].hex())


STRANGER = _stranger(b"x402-sidecar sandbox: another payee")
FAKE_TOKEN = _stranger(b"x402-sidecar sandbox: a token that is not USDC")
PERMIT2_PROXY = "0x402085c248EeA27D92E8b30b2C58ed07f9E20001"
GATEWAY_WALLET = "0x77777777Dcc4d5A8B6E418Fd04D8997ef11000eE"

Offers = tuple[Offer, ...]


def _at_a_tenth(honest: Offer) -> str:
    return str(max(1, int(honest.amount) // 10))


def _gateway(honest: Offer) -> Offer:
    """Circle Gateway: EIP-3009 typed data for another contract, valid a week (x402.md 2.3)."""
    extra = {
        "name": "GatewayWalletBatched",
        "version": "1",
        "verifyingContract": GATEWAY_WALLET,
    }
    return replace(honest, amount=_at_a_tenth(honest), max_timeout_seconds=604_900, extra=extra)


def _permit2(honest: Offer) -> Offer:
    extra = {**honest.extra, "assetTransferMethod": "permit2", "spender": PERMIT2_PROXY}
    return replace(honest, amount=_at_a_tenth(honest), extra=extra)


def _upto(honest: Offer) -> Offer:
    return replace(honest, scheme="upto")


def _elsewhere(honest: Offer) -> Offer:
    return replace(honest, amount=_at_a_tenth(honest), network="eip155:987654321")


def _wrong_name(honest: Offer) -> Offer:
    name = "USDC" if honest.extra.get("name") != "USDC" else "USD Coin"
    return replace(honest, extra={**honest.extra, "name": name})


def _nothing_payable(honest: Offer) -> Offers:
    return _gateway(honest), _permit2(honest), _upto(honest), _elsewhere(honest)


_OFFERS: Mapping[Fault, Callable[[Offer], Offers]] = {
    Fault.TOO_EXPENSIVE: lambda honest: (replace(honest, amount=f"{honest.amount}000"),),
    Fault.NUMBER_AMOUNT: lambda honest: (replace(honest, amount=int(honest.amount)),),
    Fault.NEGATIVE_AMOUNT: lambda honest: (replace(honest, amount=f"-{honest.amount}"),),
    Fault.WRONG_DOMAIN_NAME: lambda honest: (_wrong_name(honest),),
    Fault.GATEWAY_BATCHED: lambda honest: (_gateway(honest), honest),
    Fault.PERMIT2_ENTRY: lambda honest: (_permit2(honest), honest),
    Fault.UPTO_ENTRY: lambda honest: (_upto(honest), honest),
    Fault.UNKNOWN_NETWORK: lambda honest: (_elsewhere(honest), honest),
    Fault.NOTHING_PAYABLE: _nothing_payable,
    Fault.FAKE_ASSET: lambda honest: (replace(honest, asset=FAKE_TOKEN),),
    Fault.OTHER_PAYEE: lambda honest: (replace(honest, pay_to=STRANGER),),
    Fault.TEN_YEAR_VALIDITY: lambda honest: (replace(honest, max_timeout_seconds=TEN_YEARS_S),),
    Fault.THOUSAND_ACCEPTS: lambda honest: (*[_elsewhere(honest)] * (ACCEPTS - 1), honest),
}


def offers_of(fault: Fault, honest: Offer) -> Offers | None:
    """What this fault offers in the place of the honest entry; None when it says nothing of it.

    The seller takes payment for what it offered, as a dishonest one would: whoever pays a decoy
    finds the money gone, and the books show it.
    """
    offers = _OFFERS.get(fault)
    return None if offers is None else offers(honest)


def spoiled(fault: Fault, challenge: Challenge, *, header: str) -> Challenge:
    """The challenge as a fault that is about its form, not its offers, leaves it."""
    if fault is Fault.GARBAGE_402:
        return Challenge({header: "!!! not base64 !!!"}, b"<html>Payment, please</html>")
    if fault is Fault.BARE_402:
        return Challenge({}, b'{"error": {"message": "Out of credit", "code": "quota"}}')
    if fault is Fault.HUGE_402:
        return Challenge(challenge.headers, b" " * HUGE_BODY_BYTES + challenge.body)
    return challenge
