"""How money reaches a vendor: over the sandbox's own EVM chain, or over its Solana.

A rail judges a payment and executes it, in two steps, so that a vendor can misbehave in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol, TypeAlias

from solders.pubkey import Pubkey

from sidecar.clock import Clock
from sidecar.sandbox import solana
from sidecar.sandbox.chain import Chain, Reverted
from sidecar.sandbox.facilitator import Facilitator, Refused, transfer_of
from sidecar.sandbox.payment import Authorization, Payment
from sidecar.sandbox.terms import Offer
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class EvmTender:
    """A signed EIP-3009 authorization."""

    authorization: Authorization

    @property
    def identity(self) -> tuple[str, str]:
        """What is the same however often it is presented."""
        return self.authorization.payer.lower(), self.authorization.nonce.lower()


@dataclass(frozen=True, slots=True)
class SvmTender:
    """A partly signed Solana transaction, in base64."""

    transaction: str

    @property
    def identity(self) -> tuple[str, str]:
        """What is the same however often it is presented."""
        return "solana", hashlib.sha256(self.transaction.encode()).hexdigest()


Tender: TypeAlias = EvmTender | SvmTender


@dataclass(frozen=True, slots=True)
class Expected:
    """How much is to be paid, in atomic units, both ends included; and valid for how long."""

    amount_min: int
    amount_max: int
    validity_max_s: int


@dataclass(frozen=True, slots=True)
class Received:
    """The money moved: who paid how much, in which transaction."""

    payer: str
    amount: int
    transaction: str


@dataclass(frozen=True, slots=True)
class NotReceived:
    """Nothing moved: the facilitator's reason, and what exactly was seen."""

    reason: str
    detail: str


class Rail(Protocol):
    """One way for money to come in."""

    @property
    def network(self) -> str:
        """CAIP-2."""
        ...

    @property
    def asset(self) -> str:
        """USDC: its contract, or its mint."""
        ...

    @property
    def domain_name(self) -> str | None:
        """The name in the token's EIP-712 domain, where it has one."""
        ...

    @property
    def pay_to(self) -> str: ...

    @property
    def fee_payer(self) -> str | None:
        """Who pays the network's fee, where a payment has to name it."""
        ...

    def verify(self, tender: Tender, expected: Expected) -> NotReceived | None:
        """What is wrong with the payment; None when it is good now."""
        ...

    def settle(self, tender: Tender, expected: Expected) -> Received | NotReceived:
        """Execute the payment, at most once ever."""
        ...


class EvmRail:
    """The sandbox's own chain, judged by its own facilitator."""

    def __init__(self, chain: Chain, clock: Clock, pay_to: str) -> None:
        self._chain = chain
        self._clock = clock
        self._pay_to = pay_to

    @property
    def network(self) -> str:
        return self._chain.asset.network

    @property
    def asset(self) -> str:
        return self._chain.asset.address

    @property
    def domain_name(self) -> str | None:
        return self._chain.asset.domain_name

    @property
    def pay_to(self) -> str:
        return self._pay_to

    @property
    def fee_payer(self) -> str | None:
        return None

    def verify(self, tender: Tender, expected: Expected) -> NotReceived | None:
        assert isinstance(tender, EvmTender)
        authorization = tender.authorization
        if not expected.amount_min <= authorization.value <= expected.amount_max:
            return NotReceived(
                "invalid_exact_evm_payload_authorization_value_mismatch",
                f"{authorization.value} is not {expected.amount_min} to {expected.amount_max}",
            )
        asset = self._chain.asset
        # The facilitator knows fixed prices only: it is asked whether this pays what it pays.
        offer = Offer(
            scheme="exact",
            network=asset.network,
            asset=asset.address,
            amount=str(authorization.value),
            pay_to=self._pay_to,
            max_timeout_seconds=expected.validity_max_s,
        )
        payment = Payment(2, offer.v2(), authorization, {}, {})
        judge = Facilitator(self._chain, self._clock, validity_max_s=expected.validity_max_s)
        verdict = judge.verify(payment, [offer])
        return NotReceived(verdict.reason, verdict.detail) if isinstance(verdict, Refused) else None

    def settle(self, tender: Tender, expected: Expected) -> Received | NotReceived:
        assert isinstance(tender, EvmTender)
        authorization = tender.authorization
        settled = self._chain.settle(transfer_of(authorization))
        if isinstance(settled, Reverted):
            return NotReceived(settled.reason, "the chain refused it")
        return Received(authorization.payer, authorization.value, settled.transaction.hash)


class SvmRail:
    """The sandbox's Solana, judged by its own facilitator."""

    def __init__(self, ledger: Callable[[], solana.Ledger], network: str, pay_to: str) -> None:
        self._ledger = ledger
        self._network = network
        self._pay_to = pay_to

    @property
    def network(self) -> str:
        return self._network

    @property
    def asset(self) -> str:
        return str(self._ledger().mint)

    @property
    def domain_name(self) -> str | None:
        return None

    @property
    def pay_to(self) -> str:
        return self._pay_to

    @property
    def fee_payer(self) -> str | None:
        return str(self._ledger().fee_payer)

    def verify(self, tender: Tender, expected: Expected) -> NotReceived | None:
        assert isinstance(tender, SvmTender)
        verdict = self._ledger().verify(tender.transaction, self._wanted(expected))
        if isinstance(verdict, solana.Refused):
            return NotReceived(verdict.reason, verdict.detail)
        return None

    def settle(self, tender: Tender, expected: Expected) -> Received | NotReceived:
        assert isinstance(tender, SvmTender)
        settled = self._ledger().settle(tender.transaction, self._wanted(expected))
        if isinstance(settled, solana.Refused):
            return NotReceived(settled.reason, settled.detail)
        return Received(str(settled.payer), settled.amount, settled.landed.signature)

    def _wanted(self, expected: Expected) -> solana.Expected:
        return solana.Expected(
            pay_to=Pubkey.from_string(self._pay_to),
            mint=self._ledger().mint,
            amount_min=expected.amount_min,
            amount_max=expected.amount_max,
        )
