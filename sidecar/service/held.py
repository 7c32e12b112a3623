"""What wallets and vendors hold, as it was last observed, and for how long that may last.

What a wallet spends is in the ledger. What a vendor takes from credit is in nobody's books, so
it is what its balance was seen to fall by, in the last day at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from sidecar.chains import NETWORK_NAMES
from sidecar.money import Usdc
from sidecar.payments.events import BalanceObserved, WalletBalanceObserved
from sidecar.values import dataclass

# Apps name some vendors' accounts, so there may be any number of names.
ACCOUNTS_MAX = 100
DAY_HOURS = 24
_HOUR_S = 3600.0

# By wallet and network.
WalletSpend: TypeAlias = Mapping[tuple[str, str], Usdc]


@dataclass(slots=True)
class _Credit:
    """One account's credit in one unit."""

    newest: BalanceObserved
    since: datetime
    # What it fell by, in each of the last hours that it fell in.
    falls: dict[int, Decimal] = field(default_factory=dict)


class Held:
    """The last word on each balance."""

    def __init__(self) -> None:
        self._wallets: dict[tuple[str, str], WalletBalanceObserved] = {}
        self._credit: dict[tuple[str, str, str], _Credit] = {}

    def forget(self, routes: Collection[str], purses: Collection[tuple[str, str]]) -> None:
        """Show no more what these routes, and wallets on networks, held."""
        self._wallets = {at: held for at, held in self._wallets.items() if at not in purses}
        self._credit = {at: held for at, held in self._credit.items() if at[0] not in routes}

    def add_wallet(self, event: WalletBalanceObserved) -> None:
        """Take what a chain said."""
        self._wallets[event.wallet, event.network] = event

    def add_credit(self, event: BalanceObserved) -> None:
        """Take what a vendor said. The account that was heard of longest ago makes room."""
        name = (event.route, event.account, event.balance.unit)
        credit = self._credit.pop(name, None) or _Credit(event, event.observed_at)
        fell = credit.newest.balance.value - event.balance.value
        hour = _hour(event.observed_at)
        if fell > 0:
            credit.falls[hour] = credit.falls.get(hour, Decimal(0)) + fell
        credit.falls = _last_day(credit.falls, hour)
        credit.newest = event
        self._credit[name] = credit
        if len(self._credit) > ACCOUNTS_MAX:
            del self._credit[next(iter(self._credit))]

    def rows(self, now: datetime, spent: WalletSpend) -> Sequence[Mapping[str, Any]]:
        """Every balance as JSON. ``spent``: what each wallet paid in the last day.

        ``hours_to_empty`` is None where nothing was spent: nobody can say then.
        """
        wallets = [
            _row(
                ("wallet", wallet, NETWORK_NAMES.get(network, network)),
                (event.amount.in_usd(), "USDC", event.observed_at),
                (spent.get((wallet, network), Usdc(0)).in_usd(), DAY_HOURS),
            )
            for (wallet, network), event in sorted(self._wallets.items())
        ]
        return wallets + [_credit_row(credit, now) for _, credit in sorted(self._credit.items())]


def _credit_row(credit: _Credit, now: datetime) -> Mapping[str, Any]:
    newest = credit.newest
    fell = sum(_last_day(credit.falls, _hour(now)).values(), Decimal(0))
    watched_s = (newest.observed_at - credit.since).total_seconds()
    # What fell within minutes says little about a day.
    hours = min(max(watched_s / _HOUR_S, 1.0), DAY_HOURS)
    return _row(
        ("credit", newest.route, newest.account),
        (newest.balance.value, newest.balance.unit, newest.observed_at),
        (fell, hours),
    )


def _row(
    whose: tuple[str, str, str],
    held: tuple[Decimal, str, datetime],
    spent: tuple[Decimal, float],
) -> Mapping[str, Any]:
    kind, name, place = whose
    value, unit, observed_at = held
    amount, hours = spent
    lasts = float(value / amount) * hours if amount else None
    return {
        "kind": kind,
        "name": name,
        "place": place,
        "amount": f"{value:f}",
        "unit": unit,
        "observed_at": observed_at.isoformat(),
        "spent": f"{amount:f}",
        "hours_to_empty": None if lasts is None else round(max(lasts, 0.0), 1),
    }


def _hour(at: datetime) -> int:
    return int(at.timestamp() // _HOUR_S)


def _last_day(falls: Mapping[int, Decimal], hour: int) -> dict[int, Decimal]:
    return {each: fell for each, fell in falls.items() if each > hour - DAY_HOURS}
