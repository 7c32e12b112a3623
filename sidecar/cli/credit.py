"""What each vendor says is left of the credit that was bought from it, beside what was bought."""

from __future__ import annotations

import os
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sidecar.cli.dialogue import dialogue
from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.model import Config
from sidecar.ledger.model import Payment, PaymentState
from sidecar.money import Usdc
from sidecar.payments.balances import Balances, Source
from sidecar.payments.credentials import Credentials
from sidecar.payments.prepaid import account_purchase, is_unproven
from sidecar.payments.reconciliation import total
from sidecar.providers.base import Balance, Prepaid
from sidecar.service import open_all
from sidecar.service.vendors import build_provider
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Credit:
    """One account at a vendor: what the ledger says was bought, and what is left there."""

    route: str
    account: str
    bought: Usdc  # top-ups that were completed
    unproven: Usdc  # paid, and the vendor was not seen to give it
    lost: Usdc  # paid, and given up
    balance: Balance | None
    fault: str | None = None

    @property
    def spent(self) -> Decimal | None:
        """What was used up; None where that is not known, or more is there than was bought."""
        if self.balance is None or self.balance.unit != "usd":
            return None
        spent = self.bought.in_usd() - self.balance.value
        return spent if spent >= 0 else None


async def read_credit(config: Config, top_ups: Iterable[Payment]) -> list[Credit]:
    """Every account that a route of the config buys credit for."""
    bought = list(top_ups)
    routes = [route for route in config.routes.values() if route.top_up is not None]
    # In shadow mode nothing is signed, so nobody signs in either.
    if not routes or config.mode == "shadow":
        return []
    opened = open_all(config, dict(os.environ), SystemEntropy())
    found: dict[str, Credit] = {}
    async with dialogue(route.upstream for route in routes) as talk:
        for route in routes:
            provider = build_provider(route, opened, shadow=False)
            if not isinstance(provider, Prepaid) or route.wallet is None:
                continue
            ports = (SystemClock(), SystemEntropy(), lambda event: None)
            credentials = Credentials(route.name, provider, talk.upstream, ports)
            source = Source(route.name, provider, talk.upstream, credentials.get)
            address = opened.wallets[route.wallet].address
            for account in provider.accounts:
                # Routes with one wallet at one vendor share an account.
                key = account_purchase(provider, address, account).key
                if key not in found:
                    ours = [payment for payment in bought if payment.purchase.key == key]
                    found[key] = await _read(source, account, ours)
    return list(found.values())


async def _read(source: Source, account: str, top_ups: list[Payment]) -> Credit:
    balances = Balances(SystemClock(), lambda event: None, lambda *observed: None)
    read = await balances.read(source, account)
    return Credit(
        source.route,
        account,
        bought=total(each.amount for each in top_ups if each.delivered_at is not None),
        unproven=total(each.amount for each in top_ups if is_unproven(each)),
        lost=total(each.amount for each in top_ups if _is_lost(each)),
        balance=read[0] if read else None,
        fault=None if read else balances.failure(source.route, account) or "it does not say",
    )


def _is_lost(payment: Payment) -> bool:
    closed = payment.closed_at is not None and payment.delivered_at is None
    return payment.state is PaymentState.POSTED and closed


def row_of(credit: Credit) -> dict[str, Any]:
    """An account as its documented columns, in their order."""
    balance = credit.balance
    return {
        "route": credit.route,
        "account": credit.account,
        "bought_atomic": credit.bought.atomic,
        "unproven_atomic": credit.unproven.atomic,
        "lost_atomic": credit.lost.atomic,
        "balance": None if balance is None else str(balance.value),
        "unit": None if balance is None else balance.unit,
        "spent_usd": None if credit.spent is None else str(credit.spent),
        "error": credit.fault,
    }
