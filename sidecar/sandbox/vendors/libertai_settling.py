"""How LibertAI verifies a payment, and settles it after the response (providers.md 3 (c) and (h)).

A permit is settled for what was used, and paid to the recipient; what is left of it stays allowed.
A transfer can be settled for all of it only, and goes to the server wallet.
Two permits of one nonce both verify while neither has settled: one of them is served for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime

from sidecar.money import Usdc
from sidecar.sandbox.addresses import checksummed
from sidecar.sandbox.chain import EXPIRED, INSUFFICIENT, Pending, Reverted, Settled
from sidecar.sandbox.facilitator import (
    BAD_SIGNATURE,
    RECIPIENT_MISMATCH,
    SETTLE_MARGIN_S,
    SIMULATION_FAILED,
    VALUE_MISMATCH,
    transfer_of,
)
from sidecar.sandbox.payment import Authorization
from sidecar.sandbox.permits import PERMIT_NONCE, Permit, Pull
from sidecar.sandbox.vendors.libertai_options import PrimaryType
from sidecar.sandbox.vendors.libertai_terms import Answered, Quote, Usage, atomic_cost
from sidecar.sandbox.vendors.permit import permit_signer
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import EvmRail, EvmTender, Expected, NotReceived
from sidecar.values import dataclass

# Clocks differ by a little.
SLACK_S = 5


@dataclass(slots=True)
class Call:
    """One call that something good was presented for, and what has become of the money."""

    at: datetime
    quote: Quote
    answered: Answered = field(repr=False)
    # What the client sent of preferred_instances.
    cookie: str
    usage: Usage | None = None
    # What it costs by its usage; nothing while nothing was served.
    amount: Usdc = field(default=Usdc(0))
    pending: Pending | None = None

    @property
    def payer(self) -> str:
        """Who signed."""
        return self.answered.authorization.payer

    @property
    def settled(self) -> bool | None:
        """Whether it is on the chain; None while that is not decided."""
        if self.pending is None:
            return False
        match self.pending.outcome:
            case None:
                return None
            case Settled():
                return True
            case Reverted():
                return False


class Settling:
    """The gateway's cashier."""

    def __init__(self, premises: Premises) -> None:
        self._chain = premises.chain
        self._clock = premises.clock
        self._options = premises.options.vendors.libertai
        self._rail = EvmRail(premises.chain, premises.clock, self._options.server_wallet)
        self._calls: list[Call] = []

    @property
    def calls(self) -> Sequence[Call]:
        """Every call, in order; what is due on the chain has landed."""
        self._chain.head()
        return tuple(self._calls)

    def verify(self, answered: Answered, quote: Quote) -> NotReceived | None:
        """What is wrong with the payment; None when it is good now."""
        authorization = answered.authorization
        if quote.model.primary_type is PrimaryType.TRANSFER:
            longest_s = self._options.max_timeout_seconds + SLACK_S
            expected = Expected(quote.amount, quote.amount, longest_s)
            return self._rail.verify(EvmTender(authorization), expected)
        return self._off_terms(authorization, quote) or self._off_permit(authorization)

    def _off_terms(self, authorization: Authorization, quote: Quote) -> NotReceived | None:
        if authorization.to.lower() != self._options.server_wallet.lower():
            return NotReceived(RECIPIENT_MISMATCH, f"to {authorization.to}")
        if authorization.value != quote.amount:
            detail = f"value {authorization.value}, not {quote.amount}"
            return NotReceived(VALUE_MISMATCH, detail)
        now_s = int(self._clock.now().timestamp())
        left_s = authorization.valid_before - now_s
        if not SETTLE_MARGIN_S <= left_s <= self._options.max_timeout_seconds + SLACK_S:
            return NotReceived(EXPIRED, f"the deadline is {left_s} s from now")
        return None

    def _off_permit(self, authorization: Authorization) -> NotReceived | None:
        permit = permit_of(authorization)
        signer = permit_signer(self._chain.asset, permit, authorization.signature)
        if signer is None or signer.lower() != permit.owner.lower():
            return NotReceived(BAD_SIGNATURE, f"signed by {signer}, not {permit.owner}")
        for address in (authorization.payer, authorization.to):
            if address != checksummed(address):
                return NotReceived(SIMULATION_FAILED, f"{address} is not spelled as EIP-55 does")
        if authorization.valid_after != 0:
            return NotReceived(SIMULATION_FAILED, "a permit has no validAfter")
        head = self._chain.head()
        nonce = self._chain.nonce(permit.owner, head)
        if permit.nonce != nonce:
            return NotReceived(PERMIT_NONCE, f"nonce {permit.nonce}, not {nonce}")
        balance = self._chain.balance(permit.owner, head)
        if balance.atomic < permit.value:
            return NotReceived(INSUFFICIENT, f"the payer holds {balance}")
        return None

    def open(self, quote: Quote, answered: Answered, cookie: str) -> Call:
        """Write down a call that is about to be served."""
        call = Call(self._clock.now(), quote, answered, cookie)
        self._calls.append(call)
        return call

    def settle(self, call: Call, usage: Usage) -> None:
        """Take the report of the usage. The money moves some time after this, or never."""
        model, authorization = call.quote.model, call.answered.authorization
        call.usage = usage
        call.amount = Usdc(min(atomic_cost(model, usage), call.quote.amount))
        # What settles reads the header as JSON, whatever verified it.
        if not (self._options.settles and call.answered.plain):
            return
        what = (
            transfer_of(authorization)
            if model.primary_type is PrimaryType.TRANSFER
            else Pull(permit_of(authorization), self._options.recipient, call.amount.atomic)
        )
        call.pending = self._chain.promise(what, delay_s=self._options.settle_delay_s)


def permit_of(authorization: Authorization) -> Permit:
    """The permit that an authorization stands for, whose nonce is a number in 32 bytes."""
    return Permit(
        owner=authorization.payer,
        spender=authorization.to,
        value=authorization.value,
        nonce=int(authorization.nonce, 16),
        deadline=authorization.valid_before,
    )
