"""The facilitator: whether a payment is good, judged as the strictest of them do.

    match      what the payment accepts is, type for type, what was offered
    terms      paid to the payee, exactly the price
    signature  by the payer, over the token's true domain, in the form that Circle's contract takes
    spelling   from and to in EIP-55: the Python facilitator fails any other
    nonce      not used before
    time       validAfter <= now, now + 6 <= validBefore <= now + validity_max_s
    balance    the payer holds the price

A Solana payment is matched here too, and judged by the rules of its own ledger.
The signature is checked by eth_account alone and not by any code of the sidecar's wallets.
Reasons are the official facilitator's own strings (x402.md A.4); the detail is for people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from solders.pubkey import Pubkey

from sidecar.clock import Clock
from sidecar.sandbox import chain as onchain
from sidecar.sandbox.addresses import checksummed
from sidecar.sandbox.chain import Chain, Transfer
from sidecar.sandbox.payment import Authorization, Payment
from sidecar.sandbox.signatures import signer_of
from sidecar.sandbox.solana import Expected, Ledger
from sidecar.sandbox.solana import Refused as Bad
from sidecar.sandbox.terms import Offer
from sidecar.values import dataclass

NO_MATCH = "No matching payment requirements"
EXTENSION_MISMATCH = "extension echo mismatch"
UNSUPPORTED_SCHEME = "unsupported_scheme"
NETWORK_MISMATCH = "network_mismatch"
NOT_EIP3009 = "invalid_exact_evm_eip3009_not_supported"
RECIPIENT_MISMATCH = "invalid_exact_evm_payload_recipient_mismatch"
VALUE_MISMATCH = "invalid_exact_evm_payload_authorization_value_mismatch"
BAD_SIGNATURE = "invalid_exact_evm_payload_signature"
SIMULATION_FAILED = "invalid_exact_evm_transaction_simulation_failed"

# Hints that change from one challenge to the next, and are not compared.
DYNAMIC = frozenset({"recentBlockhash", "lastValidBlockHeight"})

# A facilitator wants this much time to get the transfer into a block.
SETTLE_MARGIN_S = 6


@dataclass(frozen=True, slots=True)
class Verified:
    """The payment is good for this offer."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class Refused:
    """The payment is not good: the official reason, and what exactly was seen."""

    reason: str
    detail: str


class Facilitator:
    """Judges payments against offers and against the state of the chain."""

    def __init__(
        self,
        chain: Chain,
        clock: Clock,
        *,
        validity_max_s: int,
        solana: Callable[[], Ledger] | None = None,
    ) -> None:
        self._chain = chain
        self._solana = solana
        self._clock = clock
        self._validity_max_s = validity_max_s

    def verify(self, payment: Payment, offers: Sequence[Offer]) -> Verified | Refused:
        """Go through the rules in the order above; the first that fails is the answer."""
        offer = _matching(payment, offers)
        if offer is None:
            return Refused(NO_MATCH, f"offered none of {json.dumps(payment.terms)[:500]}")
        if payment.transaction is not None:
            return self._off_solana(payment.transaction, offer) or Verified(offer)
        authorization = payment.authorization
        refused = (
            self._off_terms(authorization, offer)
            or self._off_signature(authorization)
            or self._off_nonce(authorization)
            or self._off_time(authorization)
            or self._off_balance(authorization)
        )
        return refused or Verified(offer)

    def _off_solana(self, transaction: str, offer: Offer) -> Refused | None:
        ledger = self._solana() if self._solana is not None else None
        if ledger is None or offer.network != ledger.network:
            return Refused(NETWORK_MISMATCH, f"network {offer.network}")
        if offer.scheme != "exact":
            return Refused(UNSUPPORTED_SCHEME, f"scheme {offer.scheme}")
        expected = expected_of(offer)
        if expected is None:
            return Refused(RECIPIENT_MISMATCH, f"{offer.asset} to {offer.pay_to}: not for Solana")
        found = ledger.verify(transaction, expected)
        return Refused(found.reason, found.detail) if isinstance(found, Bad) else None

    def _off_terms(self, authorization: Authorization, offer: Offer) -> Refused | None:
        asset = self._chain.asset
        if offer.scheme != "exact":
            return Refused(UNSUPPORTED_SCHEME, f"scheme {offer.scheme}")
        if offer.network != asset.network:
            return Refused(NETWORK_MISMATCH, f"network {offer.network}")
        # Other contracts hide behind `exact` and `extra`; their entries cannot be settled here.
        method = offer.extra.get("assetTransferMethod", "eip3009")
        if (
            offer.asset.lower() != asset.address.lower()
            or method != "eip3009"
            or "verifyingContract" in offer.extra
        ):
            return Refused(NOT_EIP3009, f"asset {offer.asset}, extra {dict(offer.extra)}")
        if authorization.to.lower() != offer.pay_to.lower():
            return Refused(RECIPIENT_MISMATCH, f"to {authorization.to}, not {offer.pay_to}")
        if str(authorization.value) != str(offer.amount):
            return Refused(VALUE_MISMATCH, f"value {authorization.value}, not {offer.amount}")
        return None

    def _off_signature(self, authorization: Authorization) -> Refused | None:
        signer = signer_of(self._chain.asset, authorization)
        if signer is None:
            return Refused(BAD_SIGNATURE, "not a signature that the contract can read")
        if signer.lower() != authorization.payer.lower():
            return Refused(BAD_SIGNATURE, f"signed by {signer}, not {authorization.payer}")
        for address in (authorization.payer, authorization.to):
            if address != checksummed(address):
                return Refused(SIMULATION_FAILED, f"{address} is not spelled as EIP-55 does")
        return None

    def _off_nonce(self, authorization: Authorization) -> Refused | None:
        used = self._chain.use_of(authorization.payer, authorization.nonce)
        if used is None:
            return None
        return Refused(onchain.NONCE_USED, f"used in block {used.block.number}")

    def _off_time(self, authorization: Authorization) -> Refused | None:
        now_s = int(self._clock.now().timestamp())
        valid_after, valid_before = authorization.valid_after, authorization.valid_before
        if valid_before < now_s + SETTLE_MARGIN_S:
            return Refused(onchain.EXPIRED, f"validBefore is {valid_before - now_s} s from now")
        # The official facilitators take ten years. A client that signs ten years is broken.
        if valid_before > now_s + self._validity_max_s:
            return Refused(onchain.EXPIRED, f"valid for {valid_before - now_s} s: far too long")
        if valid_after > now_s:
            return Refused(onchain.NOT_YET_VALID, f"validAfter is in {valid_after - now_s} s")
        return None

    def _off_balance(self, authorization: Authorization) -> Refused | None:
        balance = self._chain.balance(authorization.payer, self._chain.head())
        if balance.atomic >= authorization.value:
            return None
        return Refused(onchain.INSUFFICIENT, f"the payer holds {balance}")


def expected_of(offer: Offer) -> Expected | None:
    """What Solana's ledger is to look for; None when the offer names no Solana addresses."""
    try:
        pay_to, mint = Pubkey.from_string(offer.pay_to), Pubkey.from_string(offer.asset)
        amount = int(offer.amount)
    except ValueError:
        return None
    memo = offer.extra.get("memo")
    return Expected(pay_to, mint, amount, amount, str(memo) if memo is not None else None)


def transfer_of(authorization: Authorization) -> Transfer:
    """What the chain is asked to execute."""
    return Transfer(
        payer=authorization.payer,
        payee=authorization.to,
        value=authorization.value,
        valid_after=authorization.valid_after,
        valid_before=authorization.valid_before,
        nonce=authorization.nonce,
    )


def _matching(payment: Payment, offers: Sequence[Offer]) -> Offer | None:
    if payment.version == 2:
        return next((offer for offer in offers if _accepts(payment.terms, offer.v2())), None)
    named = [
        offer
        for offer in offers
        if payment.terms == {"scheme": offer.scheme, "network": offer.v1_network}
    ]
    # A v1 payment does not say which entry it took; the payee and the value do.
    authorization = payment.authorization
    if payment.transaction is not None:
        return named[0] if named else None
    for offer in named:
        if (authorization.to.lower(), str(authorization.value)) == (
            offer.pay_to.lower(),
            str(offer.amount),
        ):
            return offer
    return named[0] if named else None


def _accepts(accepted: Mapping[str, object], offered: Mapping[str, object]) -> bool:
    """Every key that was offered came back, with the same type; more keys do no harm."""
    extra, offered_extra = accepted.get("extra"), offered["extra"]
    if not isinstance(extra, dict) or not isinstance(offered_extra, dict):
        return False
    return all(
        key in accepted and _same(accepted[key], value)
        for key, value in offered.items()
        if key != "extra"
    ) and all(
        key in extra and _same(extra[key], value)
        for key, value in offered_extra.items()
        if key not in DYNAMIC
    )


def _same(first: object, second: object) -> bool:
    # As text, because 300 == 300.0 and True == 1 in Python, and neither on the wire.
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
