"""What the money path is asked, and what it can answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from sidecar.http import HttpRequest, Reply, Upstream
from sidecar.ledger.model import Breaker, Budget, Payment, Proof, Purchase, TopUpRule
from sidecar.payments.approvals import ApprovalRule
from sidecar.policy import Allowed, Policy, choose
from sidecar.refusal import Denied
from sidecar.values import dataclass
from sidecar.wallets import PaymentSigner
from sidecar.wallets.nonces import NonceSecret
from sidecar.x402.select import candidates
from sidecar.x402.types import PaymentRequired


def nowhere(request: HttpRequest) -> str:
    """The place of every request at a vendor that has one payee for all of them."""
    return ""


@dataclass(frozen=True, slots=True)
class PayingRoute:
    """A route that may pay: with which wallet, under which rules, through which port.

    ``place_of``: where a request's payee is pinned, at a vendor that has several.
    ``price_jump_max``: how many times the usual price is too much; None: any is allowed.
    ``approval``: what a person has to approve. ``shadow``: everything but signing and paying.
    ``nonces``: what the nonces of purchases are derived from; None: they are random.
    """

    name: str
    policy: Policy
    signer: PaymentSigner
    upstream: Upstream
    breaker: Breaker
    response_wait_s: float
    chain: Upstream  # where the wallet may ask about its chain
    place_of: Callable[[HttpRequest], str] = nowhere
    price_jump_max: Decimal | None = None
    approval: ApprovalRule | None = None
    shadow: bool = False
    nonces: NonceSecret | None = None

    def choose(self, required: PaymentRequired) -> Allowed | Denied:
        """What may be paid of this: the cheapest that the policy allows, or why none is."""
        # It depends on the two alone, so it lives as long as what it is of.
        chosen: tuple[Policy, Allowed | Denied] | None = required.chosen
        if chosen is None or chosen[0] is not self.policy:
            chosen = self.policy, choose(candidates(required), self.policy)
            object.__setattr__(required, "chosen", chosen)
        return chosen[1]


@dataclass(slots=True)
class Order:
    """One request that its seller wants paid: an app's, or a charge that buys credit.

    ``deserted``: the app has hung up. ``presented``: what was signed for it. ``is_shared``: its
    retry may come to another process. ``top_up`` is None for an app's own request; for a charge it
    is asked at the last moment, for until then the wall clock may be set.
    """

    request: HttpRequest
    purchase: Purchase
    route: PayingRoute
    caller: str
    budgets: tuple[Budget, ...]
    deserted: bool = False
    presented: Payment | None = None
    is_shared: bool = False
    top_up: Callable[[], TopUpRule] | None = None

    @property
    def purpose(self) -> str:
        """What the ledger calls it."""
        return "request" if self.top_up is None else "top_up"


@dataclass(frozen=True, slots=True)
class Paid:
    """Paid, or honestly presented, and here is the app's answer. The payment is still held.

    ``unposted``: what the ledger is yet to hear of, from whoever ends the holding.
    """

    payment: Payment
    reply: Reply
    unposted: Proof | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The seller answered the app's own mistake (a 400, say) to the paid request. Still held."""

    payment: Payment
    reply: Reply


@dataclass(frozen=True, slots=True)
class InDoubt:
    """An authorization is out and nobody knows its fate; the app's retry binds to it."""

    payment: Payment
    reason: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Paid, and the seller will not serve. This purchase is closed."""

    payment: Payment
    reason: str


Outcome: TypeAlias = Paid | Rejected | InDoubt | Undelivered | Denied
