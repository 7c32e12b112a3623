"""What a replica holds of the centre's budgets, in the ledger file that it spends them in.

The slices stand beside the payments that they pay for, so that one transaction looks at both, and
whoever loses one loses the other. All processes of one machine share them with the file.
``elsewhere`` are hashed purchases whose payments went to the centre's books: these are asked, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_freeze, sqlite_lists, sqlite_rules, windows
from sidecar.ledger.model import Budget, Intent, Payment, Purchase
from sidecar.ledger.slices import Grant, Report, Want
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.windows import LARGEST, WindowKey
from sidecar.money import ZERO, Usdc
from sidecar.refusal import Denied
from sidecar.values import dataclass

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS slices (
  budget TEXT NOT NULL,
  starts_at INTEGER NOT NULL,
  cap INTEGER NOT NULL,
  granted INTEGER NOT NULL,
  returned INTEGER NOT NULL CHECK (returned >= 0 AND returned <= granted),
  told_returned INTEGER NOT NULL DEFAULT 0,
  told_spent INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (budget, starts_at)
) STRICT, WITHOUT ROWID
""",
    "CREATE TABLE IF NOT EXISTS holder (name TEXT NOT NULL) STRICT",
    """
CREATE TABLE IF NOT EXISTS elsewhere (
  purchase_key TEXT NOT NULL,
  payment TEXT NOT NULL,
  PRIMARY KEY (purchase_key, payment)
) STRICT, WITHOUT ROWID
""",
    "CREATE INDEX IF NOT EXISTS elsewhere_payment ON elsewhere (payment)",
)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_HOLDER = "SELECT name FROM holder"
_NAME = "INSERT INTO holder (name) VALUES (?)"
_ALL = """
SELECT slices.*, coalesce(windows.reserved, 0) AS reserved, coalesce(windows.spent, 0) AS spent
FROM slices LEFT JOIN windows USING (budget, starts_at)
"""
_ONE = f"{_ALL} WHERE budget = ? AND starts_at = ?"
# Of the others the centre has heard the last: they are used up, or given back.
_OPEN = f"{_ALL} WHERE granted > told_returned + told_spent ORDER BY budget, starts_at"
_GRANT = """
INSERT INTO slices (budget, starts_at, cap, granted, returned) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (budget, starts_at) DO UPDATE SET granted = max(granted, ?4)
"""
_TOLD = """
UPDATE slices SET told_returned = max(told_returned, ?), told_spent = max(told_spent, ?)
WHERE budget = ? AND starts_at = ?
"""
_CAP = "UPDATE slices SET cap = ? WHERE budget = ? AND starts_at = ?"
_RETURN = "UPDATE slices SET returned = returned + ? WHERE budget = ? AND starts_at = ?"
_REMEMBER = """
INSERT INTO elsewhere (purchase_key, payment) VALUES (?, ?) ON CONFLICT DO NOTHING
"""
_FORGET = "DELETE FROM elsewhere WHERE payment = ?"
_ELSEWHERE = "SELECT 1 FROM elsewhere WHERE purchase_key = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Held:
    """One slice as its replica has it, and what of it is used."""

    window: WindowKey
    cap: int  # the limit that its budget had when the centre was last asked
    granted: int
    returned: int
    reserved: int
    spent: int
    has_news: bool  # the centre has not heard of all that was returned and spent

    @property
    def limit(self) -> int:
        """How much may be reserved and spent in this window, all in all."""
        return self.granted - self.returned

    @property
    def free(self) -> int:
        """What may still be reserved."""
        return self.limit - self.reserved - self.spent

    @property
    def report(self) -> Report:
        return Report(self.window, self.granted, self.returned, self.spent)


@dataclass(frozen=True, slots=True)
class Absent:
    """The books here know nothing of it: the centre's do."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a reservation came to, after a grant that stays written down whatever that was."""

    answer: Payment | Denied | Absent


def prepare(connection: sqlite3.Connection, name: str) -> str:
    """The name by which the centre knows this file: the first that it was opened with."""
    for statement in _TABLES:
        connection.execute(statement)
    row = connection.execute(_HOLDER).fetchone()
    if row is None:
        connection.execute(_NAME, (name,))
        return name
    return str(row[0])


def held(connection: sqlite3.Connection) -> tuple[Held, ...]:
    """Every slice that the centre still counts, in the order in which windows are raised."""
    return tuple(map(_held_of, connection.execute(_OPEN)))


def held_in(connection: sqlite3.Connection, window: WindowKey) -> Held:
    """The slice of this window; an empty one where there is none."""
    row = connection.execute(_ONE, window).fetchone()
    return Held(window, LARGEST, 0, 0, 0, 0, has_news=False) if row is None else _held_of(row)


def _held_of(row: sqlite3.Row) -> Held:
    return Held(
        (row["budget"], row["starts_at"]),
        row["cap"],
        row["granted"],
        row["returned"],
        row["reserved"],
        row["spent"],
        has_news=row["returned"] > row["told_returned"] or row["spent"] > row["told_spent"],
    )


def claim(
    books: Books, purchase: Purchase, at: datetime, undelivered_since: datetime
) -> Payment | Denied | Absent | None:
    """``Ledger.claim`` of a hashed purchase."""
    claimed = books.claim(purchase, at, undelivered_since)
    if claimed is None and is_elsewhere(books.connection, purchase):
        return Absent()
    return claimed


def bind(books: Books, intent: Intent, at: datetime) -> Payment | Denied | Absent | None:
    """What a reservation comes to where the centre has no say in it; None: it has."""
    bound = claim(books, intent.purchase, at, _EVER)
    if bound is not None:
        return bound
    # Refused for whatever reason, it must not pin a payee.
    unpinned = replace(intent, pin_place=None)
    seen = sqlite_rules.look(books.connection, unpinned, at)
    refused = sqlite_rules.refusal(books.connection, unpinned, at, seen)
    asked = windows.wanted(intent.budgets, intent.amount, at)
    return refused or (asked if isinstance(asked, Denied) else None)


def leave(books: Books, intent: Intent, at: datetime) -> Payment | Denied | None:
    """A reservation that the centre makes: what it would have bound to here, else remembered."""
    bound = books.claim(intent.purchase, at, _EVER)
    if bound is None:
        books.connection.execute(_REMEMBER, (intent.purchase.key, intent.id))
    return bound


def reserve(books: Books, intent: Intent, at: datetime) -> Payment | Denied | Absent:
    """``Ledger.reserve`` out of what is held: ``budget`` with its use means too little is."""
    if is_elsewhere(books.connection, intent.purchase):
        return Absent()
    asked = windows.wanted(intent.budgets, intent.amount, at)
    if not isinstance(asked, Denied):
        limits = tuple(
            replace(budget, limit=_limit(books.connection, key, budget))
            for key, budget in asked.items()
        )
        # Its payee is the centre's to know, and was asked for there.
        intent = replace(intent, budgets=limits, pin_place=None)
    return books.reserve(intent, at)


def _limit(connection: sqlite3.Connection, key: WindowKey, budget: Budget) -> Usdc:
    there = held_in(connection, key)
    # Somebody has lowered the budget since: the centre says what is still left of it.
    return ZERO if windows.cap(budget) < there.cap else Usdc(there.limit)


def wants(connection: sqlite3.Connection, intent: Intent, at: datetime) -> tuple[Want, ...]:
    """The slices that this payment needs, and that are too small for it or of an older limit."""
    asked = windows.wanted(intent.budgets, intent.amount, at)
    assert not isinstance(asked, Denied), "what no slice could serve is refused before"
    found = []
    for key, budget in asked.items():
        there = held_in(connection, key)
        missing = max(0, intent.amount.atomic - there.free)
        if missing or windows.cap(budget) < there.cap:
            found.append(Want(key, budget, there.granted + missing, budget.resets_at(at)))
    return tuple(found)


def accept(connection: sqlite3.Connection, grant: Grant, wanted: Sequence[Want]) -> None:
    """Write the centre's answer down, and keep the switch that stops all signing in step.

    LedgerError: the centre was told of more than this file knows.
    """
    for each in grant.slices:
        connection.execute(_GRANT, (*each.window, LARGEST, each.granted, each.returned))
        there = held_in(connection, each.window)
        if each.settled > there.spent or each.returned > there.returned:
            raise LedgerError(
                f'the slice of budget "{each.window[0]}" is further than this file: it is older '
                "than what its replica has told of itself, so nothing is paid from it"
            )
        connection.execute(_TOLD, (each.returned, each.settled, *each.window))
    if grant.lacking is None and grant.refusal is None:
        for want in wanted:
            connection.execute(_CAP, (windows.cap(want.budget), *want.window))
    sqlite_freeze.unfreeze(connection)
    if grant.frozen_since is not None:
        sqlite_freeze.freeze(connection, grant.frozen_since)


def accept_and_reserve(
    books: Books, grant: Grant, wanted: Sequence[Want], intent: Intent, at: datetime
) -> Tried:
    """Both at once, so that nobody else spends what was taken for this payment."""
    accept(books.connection, grant, wanted)
    books.connection.execute("SAVEPOINT tried")
    answer = reserve(books, intent, at)
    if isinstance(answer, Denied):
        books.connection.execute("ROLLBACK TO tried")
    books.connection.execute("RELEASE tried")
    return Tried(answer)


def give_back(connection: sqlite3.Connection, keep: Mapping[WindowKey, int]) -> tuple[Held, ...]:
    """Let go of what is free in each slice, but for what it is to keep; all slices after that.

    It has to be on the disk before the centre hears of it: another replica will spend it.
    """
    for each in held(connection):
        let_go = each.free - keep.get(each.window, 0)
        if let_go > 0:
            connection.execute(_RETURN, (let_go, *each.window))
    return held(connection)


def is_here(connection: sqlite3.Connection, payment_id: str) -> bool:
    """Whether these books have the payment."""
    return sqlite_lists.find(connection, payment_id) is not None


def is_elsewhere(connection: sqlite3.Connection, purchase: Purchase) -> bool:
    """Whether the centre's books may have an open payment of this hashed purchase."""
    return connection.execute(_ELSEWHERE, (purchase.key,)).fetchone() is not None


def found_elsewhere(
    connection: sqlite3.Connection, intent: Intent, answer: Payment | Denied
) -> None:
    """What the centre made of a reservation: its purchase is looked for where it is."""
    if isinstance(answer, Payment):
        connection.execute(_REMEMBER, (intent.purchase.key, answer.id))
        if answer.id == intent.id:
            return
    forget(connection, intent.id)


def forget(connection: sqlite3.Connection, payment_id: str) -> None:
    """This payment is over."""
    connection.execute(_FORGET, (payment_id,))
