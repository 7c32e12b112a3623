"""What a person changes in a ledger file, beside whoever pays from it, or when nobody does.

Each change is one transaction of its own. Nobody who pays remembers pins, the freeze or approvals
from one look to the next, so what is changed here holds from then on, in every process.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sidecar.errors import LedgerError
from sidecar.ledger import (
    sqlite_approvals,
    sqlite_file,
    sqlite_freeze,
    sqlite_lists,
    sqlite_pins,
)
from sidecar.ledger.model import Asked, Found, PayeePin, Payment, Proof, Step
from sidecar.ledger.resolutions import Resolution, objection
from sidecar.ledger.rows import moment, payment_of
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_instances import Instances
from sidecar.refusal import Denied

LOCK_WAIT_S = 5.0


def freeze(path: Path, at: datetime) -> datetime:
    """``Ledger.freeze``; the file is made if it is not there, so that the first run is frozen."""
    with _changing(path) as connection:
        return sqlite_freeze.freeze(connection, at)


def unfreeze(path: Path) -> datetime | None:
    """``Ledger.unfreeze``."""
    with _changing(path) as connection:
        return sqlite_freeze.unfreeze(connection)


def frozen_since(path: Path) -> datetime | None:
    """``Ledger.frozen_since``."""
    with _reading(path) as connection:
        return sqlite_freeze.frozen_since(connection)


def in_doubt(path: Path) -> tuple[Payment, ...]:
    """``Ledger.in_doubt``."""
    with _reading(path) as connection:
        return sqlite_lists.in_doubt(connection)


def check_writable(path: Path) -> None:
    """``Ledger.check_writable``."""
    with _changing(path) as connection:
        sqlite_file.probe(connection)


def pins(path: Path) -> tuple[PayeePin, ...]:
    """``Ledger.pins``."""
    with _reading(path) as connection:
        return sqlite_pins.pins(connection)


def forget_pins(path: Path, route: str) -> tuple[PayeePin, ...]:
    """``Ledger.forget_pins``."""
    with _changing(path) as connection:
        return sqlite_pins.forget(connection, route)


def asked(path: Path) -> tuple[Asked, ...]:
    """``Ledger.asked``."""
    with _reading(path) as connection:
        return sqlite_approvals.asked(connection)


def decide(
    path: Path, payment_id: str, by: str, at: datetime, *, approve: bool
) -> Payment | Denied:
    """``Ledger.decide``."""
    with _changing(path) as connection:
        return sqlite_approvals.decide(connection, payment_id, by, at, approve=approve)


def find(path: Path, payment_id: str) -> Found | None:
    """The payment with this id; None where there is none."""
    with _reading(path) as connection:
        row = sqlite_lists.find(connection, payment_id)
    if row is None:
        return None
    return Found(payment_of(row), _nobody(path.resolve()).is_held(row["holder"]))


def history(path: Path, payment_id: str) -> tuple[Step, ...]:
    """All that happened to a payment, oldest first; nothing where there is no such payment."""
    with _reading(path) as connection:
        rows = sqlite_lists.steps(connection, payment_id)
    return tuple(Step(moment(row["at"]), row["kind"], json.loads(row["detail"])) for row in rows)


def resolve(
    path: Path, payment_id: str, resolution: Resolution, proof: Proof, by: str, at: datetime
) -> Payment | Denied:
    """The word of ``by`` on a payment that nothing else settles, with what speaks for it.

    Denied as ``resolutions.objection`` says; LedgerError where there is no such payment.
    """
    with _changing(path) as connection:
        file = path.resolve()
        books = Books(connection, _nobody(file), file)
        books.said_by = {"by": by}
        row = sqlite_lists.find(connection, payment_id)
        if row is None:
            raise LedgerError(f"there is no payment {payment_id}")
        held = books.instances.is_held(row["holder"])
        denied = objection(payment_of(row), resolution, held, at)
        if denied is not None:
            return denied
        match resolution:
            case Resolution.POSTED:
                books.post(payment_id, proof, at)
            case Resolution.VOIDED:
                books.void(payment_id, proof, at)
            case Resolution.CREDITED:
                books.deliver(payment_id, at)
            case Resolution.LOST:
                books.give_up(payment_id, at)
        row = sqlite_lists.find(connection, payment_id)
        assert row is not None
        return payment_of(row)


def resolvers(path: Path, payments: Iterable[Payment]) -> Mapping[str, str]:
    """Who settled each of these payments, by its id, where a person did."""
    with _reading(path) as connection:
        found = {each.id: sqlite_lists.resolver(connection, each.id) for each in payments}
    return {payment_id: name for payment_id, name in found.items() if name is not None}


def top_ups(path: Path) -> tuple[Payment, ...]:
    """Every payment that bought credit, or may have."""
    with _reading(path) as connection:
        return sqlite_lists.top_ups(connection)


def made_by(path: Path, instance: str) -> tuple[Payment, ...]:
    """Every payment that this instance made, oldest first."""
    with _reading(path) as connection:
        return sqlite_lists.made_by(connection, instance)


def _nobody(file: Path) -> Instances:
    """The instances of the ledger, as seen by one that holds nothing."""
    return Instances(file, "desk", LOCK_WAIT_S)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    sqlite_file.require_library()
    with (
        sqlite_file.explained(path),
        closing(sqlite_file.read_only(path.resolve())) as connection,
    ):
        yield connection


@contextmanager
def _changing(path: Path) -> Iterator[sqlite3.Connection]:
    sqlite_file.require_library()
    with sqlite_file.explained(path):
        file = path.resolve()
        sqlite_file.make_directory(file)
        # The pages and the books are not checked: a switch that stops paying must not wait, nor
        # fail where paying would.
        with _nobody(file).alone():
            if not file.exists():
                sqlite_file.make(file)
            connection = sqlite_file.connect(file, LOCK_WAIT_S)
        with closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
