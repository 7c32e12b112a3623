"""What a person asks of a ledger, or changes in it, whatever store it is in.

A desk may be used beside whoever pays from the ledger, or when nobody does. Each call comes to
the ledger, and leaves it again; each change is one transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sidecar.ledger import sqlite_desk, sqlite_quote
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
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.refusal import BudgetUse, Denied


class Desk(Protocol):
    """A ledger as people come to it. Each call raises LedgerError where the ledger cannot be used.

    What has the name of a ``Ledger``'s method keeps that one's contract.
    """

    @property
    def place(self) -> str:
        """Where the ledger is, as people are told it."""
        ...

    def exists(self) -> bool:
        """Whether there is a ledger yet: the first run makes it, and so does a freeze."""
        ...

    def freeze(self, at: datetime) -> datetime:
        """``Ledger.freeze``; one that is not there is made, so that the first run is frozen."""
        ...

    def unfreeze(self) -> datetime | None: ...

    def frozen_since(self) -> datetime | None: ...

    def in_doubt(self) -> tuple[Payment, ...]: ...

    def check_writable(self) -> None: ...

    def pins(self) -> tuple[PayeePin, ...]: ...

    def forget_pins(self, route: str) -> tuple[PayeePin, ...]: ...

    def asked(self) -> tuple[Asked, ...]: ...

    def decide(
        self, payment_id: str, by: str, at: datetime, *, approve: bool
    ) -> Payment | Denied: ...

    def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]: ...

    def find(self, payment_id: str) -> Found | None:
        """The payment with this id; None where there is none."""
        ...

    def history(self, payment_id: str) -> tuple[Step, ...]:
        """All that happened to a payment, oldest first; nothing where there is none."""
        ...

    def resolve(
        self, payment_id: str, resolution: Resolution, proof: Proof, by: str, at: datetime
    ) -> Payment | Denied:
        """The word of ``by`` on a payment that nothing else settles, with what speaks for it.

        Denied as ``resolutions.objection`` says; LedgerError where there is no such payment.
        """
        ...

    def resolvers(self, payments: Iterable[Payment]) -> Mapping[str, str]:
        """Who settled each of these payments, by its id, where a person did."""
        ...

    def top_ups(self) -> tuple[Payment, ...]:
        """Every payment that bought credit, or may have."""
        ...

    def made_by(self, instance: str) -> tuple[Payment, ...]:
        """Every payment that this instance made, oldest first."""
        ...

    def refusal(self, intent: Intent, at: datetime) -> Denied | None:
        """Why this payment would not be reserved now; None where it would be.

        This, and what is asked with it, is answered where there is no ledger yet, too.
        """
        ...

    def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]: ...

    def newest_top_up(self, purchase: Purchase) -> Payment | None: ...


class SqliteDesk:
    """The ``Desk`` of a ledger file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        return self._path.exists()

    def freeze(self, at: datetime) -> datetime:
        return sqlite_desk.freeze(self._path, at)

    def unfreeze(self) -> datetime | None:
        return sqlite_desk.unfreeze(self._path)

    def frozen_since(self) -> datetime | None:
        return sqlite_desk.frozen_since(self._path)

    def in_doubt(self) -> tuple[Payment, ...]:
        return sqlite_desk.in_doubt(self._path)

    def check_writable(self) -> None:
        sqlite_desk.check_writable(self._path)

    def pins(self) -> tuple[PayeePin, ...]:
        return sqlite_desk.pins(self._path)

    def forget_pins(self, route: str) -> tuple[PayeePin, ...]:
        return sqlite_desk.forget_pins(self._path, route)

    def asked(self) -> tuple[Asked, ...]:
        return sqlite_desk.asked(self._path)

    def decide(self, payment_id: str, by: str, at: datetime, *, approve: bool) -> Payment | Denied:
        return sqlite_desk.decide(self._path, payment_id, by, at, approve=approve)

    def payments(self, since: datetime | None, limit: int) -> tuple[Payment, ...]:
        return SqliteLedger.read(self._path, since, limit)

    def find(self, payment_id: str) -> Found | None:
        return sqlite_desk.find(self._path, payment_id)

    def history(self, payment_id: str) -> tuple[Step, ...]:
        return sqlite_desk.history(self._path, payment_id)

    def resolve(
        self, payment_id: str, resolution: Resolution, proof: Proof, by: str, at: datetime
    ) -> Payment | Denied:
        return sqlite_desk.resolve(self._path, payment_id, resolution, proof, by, at)

    def resolvers(self, payments: Iterable[Payment]) -> Mapping[str, str]:
        return sqlite_desk.resolvers(self._path, payments)

    def top_ups(self) -> tuple[Payment, ...]:
        return sqlite_desk.top_ups(self._path)

    def made_by(self, instance: str) -> tuple[Payment, ...]:
        return sqlite_desk.made_by(self._path, instance)

    def refusal(self, intent: Intent, at: datetime) -> Denied | None:
        return sqlite_quote.refusal(self._path, intent, at)

    def budgets(self, budgets: Sequence[Budget], at: datetime) -> tuple[BudgetUse, ...]:
        return sqlite_quote.budgets(self._path, budgets, at)

    def newest_top_up(self, purchase: Purchase) -> Payment | None:
        return sqlite_quote.newest_top_up(self._path, purchase)
