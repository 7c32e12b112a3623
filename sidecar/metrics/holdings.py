"""What wallets and vendors hold, as it was last observed; how old that is, is reckoned when asked.

A route may have any number of accounts (x402layer: one for each endpoint that an app names), and
an account's name is no label. What is shown is the lowest, for that one is the next to run out.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypeAlias, TypeVar

from sidecar.chains import NETWORK_NAMES
from sidecar.metrics.catalogue import UNITS
from sidecar.metrics.tally import Labels, fold
from sidecar.payments.events import (
    BalanceObserved,
    DriftMeasured,
    TopUpsStopped,
    WalletBalanceObserved,
)

ACCOUNTS_MAX = 100

T = TypeVar("T")
Samples: TypeAlias = list[tuple[Labels, float]]


class Holdings:
    """The last word on each balance. ``prepaid``: the routes that buy credit."""

    def __init__(self, routes: Collection[str], prepaid: Collection[str]) -> None:
        self._routes = frozenset(routes)
        self._wallets: dict[tuple[str, str], tuple[int, datetime]] = {}
        self._credit: dict[tuple[str, str], dict[str, float]] = {}
        self._observed: dict[str, dict[str, datetime]] = {}
        self._drift: dict[tuple[str, str], DriftMeasured] = {}
        self._stopped: dict[str, dict[str, bool]] = {route: {} for route in prepaid}
        self._gone: frozenset[str] = frozenset()

    def learn(self, routes: Collection[str], prepaid: Collection[str]) -> None:
        """Know these routes too."""
        self._routes |= frozenset(routes)
        self._gone -= frozenset(routes)
        for route in prepaid:
            self._stopped.setdefault(route, {})

    def forget(self, routes: Collection[str], purses: Collection[tuple[str, str]]) -> None:
        """Tell no more of what these routes and wallets held: nobody looks at it again.

        What is still said of them is not taken, or it would grow older for ever.
        """
        self._gone |= frozenset(routes)
        self._credit = {at: held for at, held in self._credit.items() if at[0] not in routes}
        for by_route in (self._observed, self._stopped):
            for route in routes:
                by_route.pop(route, None)
        for by_purse in (self._wallets, self._drift):
            for purse in purses:
                by_purse.pop(purse, None)

    def add_wallet(self, event: WalletBalanceObserved) -> None:
        """Take what a chain said."""
        label = (event.wallet, fold(event.network, NETWORK_NAMES))
        self._wallets[label] = (event.amount.atomic, event.observed_at)

    def add_credit(self, event: BalanceObserved) -> None:
        """Take what a vendor said."""
        if event.route in self._gone:
            return
        route, unit = fold(event.route, self._routes), fold(event.balance.unit, UNITS)
        accounts = self._credit.setdefault((route, unit), {})
        _put(accounts, event.account, float(event.balance.value))
        _put(self._observed.setdefault(route, {}), event.account, event.observed_at)

    def add_stop(self, event: TopUpsStopped) -> None:
        """Take whether an account's top-ups are stopped."""
        if event.route in self._gone:
            return
        accounts = self._stopped.setdefault(fold(event.route, self._routes), {})
        _put(accounts, event.account, event.stopped)

    def add_drift(self, event: DriftMeasured) -> None:
        """Take how far a chain and the ledger are apart."""
        self._drift[event.wallet, fold(event.network, NETWORK_NAMES)] = event

    def drift(self) -> Samples:
        """Atomic units by wallet, network and kind."""
        return [
            ((*label, kind), amount.atomic)
            for label, event in self._drift.items()
            for kind, amount in (("foreign", event.foreign), ("missing", event.missing))
        ]

    def drift_ages_s(self, now: datetime) -> Samples:
        """By wallet and network."""
        return [(label, _age_s(now, each.measured_at)) for label, each in self._drift.items()]

    def wallets(self) -> Samples:
        """Atomic units by wallet and network."""
        return [(label, atomic) for label, (atomic, _) in self._wallets.items()]

    def credit(self) -> Samples:
        """The lowest account by route and unit."""
        return [(label, min(accounts.values())) for label, accounts in self._credit.items()]

    def stopped(self) -> Samples:
        """1 by route where any account's top-ups are stopped."""
        return [((route,), float(any(each.values()))) for route, each in self._stopped.items()]

    def ages_s(self, now: datetime) -> Samples:
        """By wallet and network; and by route, of the account that was read longest ago."""
        ages: Samples = [
            ((wallet, network, ""), _age_s(now, observed_at))
            for (wallet, network), (_, observed_at) in self._wallets.items()
        ]
        for route, accounts in self._observed.items():
            ages.append((("", "", route), _age_s(now, min(accounts.values()))))
        return ages


def _put(accounts: dict[str, T], account: str, value: T) -> None:
    """Take an account's value; the one that was heard of longest ago makes room."""
    accounts.pop(account, None)
    accounts[account] = value
    if len(accounts) > ACCOUNTS_MAX:
        del accounts[next(iter(accounts))]


def _age_s(now: datetime, observed_at: datetime) -> float:
    # A clock that was set back makes nothing younger than new.
    return max(0.0, (now - observed_at).total_seconds())
