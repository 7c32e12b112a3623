"""The desk of a machine that spends slices: its own payments are in a file, all others' elsewhere.

What another machine has paid out of a slice is asked for there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sidecar.ledger.desk import Desk, SqliteDesk
from sidecar.ledger.model import (
    Asked,
    Budget,
    Found,
    Intent,
    PayeePin,
    Payment,
    Proof,
    Purchase,
    Step,
)
from sidecar.ledger.resolutions import Resolution
from sidecar.refusal import BudgetUse, Denied


class LeasedDesk:
    """The ``Desk`` of both: of the centre, and of this machine's file."""

    def __init__(self, centre: Desk, file: Path) -> None:
        self._centre = centre
        self._here = SqliteDesk(file)

    @property
    def place(self) -> str:
        return self._centre.place

    def exists(self) -> bool:
        return self._centre.exists()

    def freeze(self, at: datetime) -> datetime:
        return self._centre.freeze(at)

    def unfreeze(self) -> datetime | None:
        return self._centre.unfreeze()

    def frozen_since(self) -> datetime | None:
        return self._centre.frozen_since()

    def in_doubt(self) -> tuple[Payment, ...]:
        return _by_age(self._here.in_doubt(), self._centre.in_doubt())

    def check_writable(self) -> None:
        self._here.check_writable()
        self._centre.check_writable()

    def pins(self) -> tuple[PayeePin, ...]:
        return self._centre.pins()

    def forget_pins(self, route: str) -> tuple[PayeePin, ...]:
        return self._centre.forget_pins(route)

    def asked(self) -> tuple[Asked, ...]:
        return self._centre.asked()

    def decide(self, payment_id: str, by: str, at: datetime, *, approve: bool) -> Payment | Denied:
        return self._centre.decide(payment_id, by, at, approve=approve)

    def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        here, there = self._here.payments(since, limit), self._centre.payments(since, limit)
        return _by_age(here[::-1], there[::-1])[::-1][:limit]

    def find(self, payment_id: str) -> Found | None:
        return self._here.find(payment_id) or self._centre.find(payment_id)

    def history(self, payment_id: str) -> tuple[Step, ...]:
        return self._here.history(payment_id) or self._centre.history(payment_id)

    def resolve(
        self, payment_id: str, resolution: Resolution, proof: Proof, by: str, at: datetime
    ) -> Payment | Denied:
        desk: Desk = self._here if self._here.find(payment_id) else self._centre
        return desk.resolve(payment_id, resolution, proof, by, at)

    def resolvers(self, payments: Iterable[Payment]) -> Mapping[str, str]:
        asked = tuple(payments)
        return {**self._centre.resolvers(asked), **self._here.resolvers(asked)}

    def top_ups(self) -> tuple[Payment, ...]:
        return self._centre.top_ups()

    def made_by(self, instance: str) -> tuple[Payment, ...]:
        return _by_age(self._here.made_by(instance), self._centre.made_by(instance))

    def refusal(self, intent: Intent, at: datetime) -> Denied | None:
        return self._centre.refusal(intent, at)

    def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        return self._centre.budgets(budgets, at)

    def newest_top_up(self, purchase: Purchase) -> Payment | None:
        return self._centre.newest_top_up(purchase)


def _by_age(here: Iterable[Payment], there: Iterable[Payment]) -> tuple[Payment, ...]:
    return tuple(sorted((*here, *there), key=lambda payment: payment.reserved_at))
