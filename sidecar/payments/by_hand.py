"""Credit that a person buys, however much there is: by the rules that hold for every top-up.

So the route's budgets and max_payment count, its hourly maximum, pins and approvals; one is bought
at a time; and none before the last one was seen and used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sidecar.clock import WatchedClock
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment, PaymentState
from sidecar.payments.balances import Balances
from sidecar.payments.order import InDoubt
from sidecar.payments.prepaid import Credited, Need, PrepaidRoute, unproven
from sidecar.payments.topups import NOBODY, TopUps
from sidecar.providers.base import Balance
from sidecar.refusal import Denied
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Bought:
    """A top-up that was paid for who asked, and what the vendor said last that it holds."""

    payment: Payment
    balances: tuple[Balance, ...]


@dataclass(frozen=True, slots=True)
class NotForSale:
    """There is no such account to buy credit for, and which there are."""

    detail: str


Purchased: TypeAlias = Bought | InDoubt | Denied | NotForSale


@dataclass(frozen=True, slots=True)
class ByHand:
    """Buys for the prepaid routes, by their names."""

    routes: Mapping[str, PrepaidRoute]
    topups: TopUps
    ledger: Ledger
    balances: Balances
    clock: WatchedClock

    async def buy(self, name: str, account: str) -> Purchased:
        """One top-up of the account; "" stands for the route's only one. Raises what paying does.

        Whoever asks while one is being bought gets that one.
        """
        route = self.routes.get(name)
        if route is None:
            known = ", ".join(self.routes) or "none"
            return NotForSale(f"no route {name} buys credit; those that do: {known}")
        accounts = route.provider.accounts
        if not account and len(accounts) != 1:
            return NotForSale(f"route {name} has credit by the endpoint: name one as the account")
        if account and accounts and account not in accounts:
            return NotForSale(f"route {name} has no account {account}")
        chosen = account or accounts[0]
        need = Need(route, chosen, NOBODY, self.clock.mark_s(), background=True, by_hand=True)
        before = await self.topups.unsettled(need)
        if before is not None:
            # Nobody was refused by it, so nothing is stopped for that.
            return unproven(before.payment, "no request was served by it yet")
        previous = await self.ledger.newest_top_up(need.purchase)
        refill = await self.topups.bought(need)
        if not isinstance(refill, Credited):
            return refill
        newest = await self.ledger.newest_top_up(need.purchase)
        if newest is None or _was_paid(previous, newest):
            return Denied(
                "top_up_wait", "there is credit that was bought before; ask again for more"
            )
        latest = self.balances.latest(name, chosen)
        return Bought(newest, () if latest is None else latest[0])


def _was_paid(previous: Payment | None, newest: Payment) -> bool:
    """Whether the newest one had moved before anybody asked."""
    if previous is None or previous.id != newest.id:
        return False
    return previous.state is PaymentState.POSTED
