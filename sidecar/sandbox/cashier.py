"""The cashier: puts a payment on the chain that it is for, and finds it there.

The sandbox has two: an EVM one, where an authorization is known by its nonce, and a Solana, where
it is known by the hash of the message that was signed.
"""

from __future__ import annotations

from collections.abc import Callable

from sidecar.sandbox.chain import Chain, Kind, Reverted
from sidecar.sandbox.facilitator import expected_of, transfer_of
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.payment import Payment
from sidecar.sandbox.solana import Ledger, Refused
from sidecar.sandbox.terms import Offer


class Cashier:
    """Settles payments that a facilitator has found good."""

    def __init__(self, chain: Chain, solana: Callable[[], Ledger]) -> None:
        self._chain = chain
        self._solana = solana

    def settled(self, payment: Payment) -> str | None:
        """The transaction that has settled this very payment, if one has."""
        authorization = payment.authorization
        if payment.transaction is None:
            used = self._chain.use_of(authorization.payer, authorization.nonce)
            return used.hash if used is not None and used.kind is Kind.TRANSFER else None
        ledger = self._solana()
        ledger.catch_up()
        landed = ledger.history.identified(bytes.fromhex(authorization.nonce[2:]))
        return landed.signature if landed is not None and landed.moved is not None else None

    def settle(self, payment: Payment, offer: Offer) -> str | Reverted:
        """Execute it now. The transaction's name."""
        if payment.transaction is None:
            settled = self._chain.settle(transfer_of(payment.authorization))
            return settled if isinstance(settled, Reverted) else settled.transaction.hash
        expected = expected_of(offer)
        assert expected is not None
        paid = self._solana().settle(payment.transaction, expected)
        return Reverted(paid.reason) if isinstance(paid, Refused) else paid.landed.signature

    def submit(self, payment: Payment, offer: Offer, *, delay_s: float) -> str:
        """Broadcast it; it lands after the delay. The transaction's name."""
        if payment.transaction is None:
            return self._chain.submit(transfer_of(payment.authorization), delay_s=delay_s)
        expected = expected_of(offer)
        assert expected is not None
        tendered = self._solana().verify(payment.transaction, expected)
        assert not isinstance(tendered, Refused)
        return self._solana().submit(tendered, delay_s=delay_s)


def solana_offer(ledger: Ledger, options: SandboxOptions) -> Offer:
    """What the plain seller offers on Solana."""
    extra: dict[str, object] = {"feePayer": str(ledger.fee_payer)}
    if options.solana_memo:
        extra["memo"] = options.solana_memo
    if options.solana_blockhash:
        named = ledger.blocks.head()
        extra["recentBlockhash"] = str(named.blockhash)
        extra["lastValidBlockHeight"] = str(named.last_valid_height)
    return Offer(
        scheme="exact",
        network=ledger.network,
        asset=str(ledger.mint),
        amount=str(options.price.atomic),
        pay_to=options.vendors.solana_pay_to,
        max_timeout_seconds=options.max_timeout_seconds,
        extra={**extra, **options.extra},
    )
