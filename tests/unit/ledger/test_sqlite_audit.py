"""Totals are rebuilt from the events and compared when a ledger is opened; states likewise."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_conclusion
from sidecar.ledger.model import Budget, Proof, Window
from sidecar.ledger.sqlite import open_books
from sidecar.money import Usdc
from tests.world.fakes import NOON
from tests.world.intents import (
    EXPIRED,
    HOUR,
    RECEIPT,
    SERVED,
    UNSIGNED,
    authorization,
    intent,
)

DAY = Budget("day", Usdc(1000), Window.DAY)
WIDE = Budget('wide "é', Usdc(1000), Window.TOTAL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger in which everything has happened once, closed in peace."""
    path = tmp_path / "ledger.db"
    books = open_books(path, "one", 1)
    for n, payment_id in enumerate(
        ("reserved", "authorized", "posted", "served", "delivered", "closed", "voided", "dropped")
    ):
        books.reserve(intent(payment_id, amount=2**n, budgets=(DAY, WIDE)), NOON + n * HOUR)
    for payment_id in ("authorized", "posted", "served", "delivered", "closed", "voided"):
        books.authorize(payment_id, authorization(payment_id), NOON)
    for payment_id in ("posted", "delivered", "closed"):
        books.post(payment_id, RECEIPT, NOON)
    books.post("served", SERVED, NOON)
    books.post("served", Proof("chain"), NOON)
    books.deliver("delivered", NOON)
    books.give_up("closed", NOON)
    books.void("voided", EXPIRED, NOON)
    books.void("dropped", UNSIGNED, NOON)
    books.release("authorized")
    for _ in range(2):
        claimed = books.claim(intent("authorized").purchase, NOON, NOON)
        assert claimed is not None
        books.release("authorized")
    books.leave()
    return path


def tamper(path: Path, *statements: str) -> None:
    """What another program, or a failing disk, could do."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for trigger in ("events_are_never_changed", "events_are_never_deleted"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            assert connection.execute(statement).rowcount == 1


def test_books_agree(path: Path) -> None:
    """A ledger that was written by the rules opens, as often as one likes."""
    open_books(path, "two", 1).leave()
    open_books(path, "three", 1).leave()


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("signed_here", [True, False])
def test_concluded(tmp_path: Path, signed_here: bool, delivered: bool) -> None:
    """What is posted and delivered in one move has an event of each, whoever signed for it."""
    path = tmp_path / "ledger.db"
    books = open_books(path, "one", 1)
    books.reserve(intent("p"), NOON)
    books.authorize("p", authorization("p"), NOON)
    if not signed_here:
        books.leave()
        books = open_books(path, "two", 1)
    sqlite_conclusion.conclude(books, "p", RECEIPT, NOON, delivered=delivered)
    kinds = [kind for (kind,) in books.connection.execute("SELECT kind FROM events")]
    books.leave()
    open_books(path, "three", 1).leave()

    assert ["reserved", "authorized", "posted", *["delivered"] * delivered] == kinds


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (
            "UPDATE windows SET spent = 27 WHERE budget = 'day'",
            'budget "day" from 2026-11-21 00:00 UTC has 3 reserved and 27 spent, and its payments '
            "make 3 and 60",
        ),
        (
            "UPDATE windows SET reserved = 0 WHERE budget = 'wide \"é'",
            'budget "wide "é" from 1970-01-01 00:00 UTC has 0 reserved and 60 spent, and its '
            "payments make 3 and 60",
        ),
        (
            "DELETE FROM windows WHERE budget = 'day'",
            'budget "day" from 2026-11-21 00:00 UTC has 0 reserved and 0 spent, and its payments '
            "make 3 and 60",
        ),
        (
            "INSERT INTO windows VALUES ('other', 0, 0, 5)",
            'budget "other" from 1970-01-01 00:00 UTC has 0 reserved and 5 spent, and its payments '
            "make 0 and 0",
        ),
        (
            "UPDATE payments SET state = 'authorized', settled_at = NULL WHERE id = 'posted'",
            "payment posted is authorized, and its events say posted",
        ),
        (
            "UPDATE payments SET state = 'voided', proof_kind = 'expired' WHERE id = 'authorized'",
            "payment authorized is voided, and its events say authorized",
        ),
        (
            "UPDATE payments SET delivered_at = 5 WHERE id = 'posted'",
            "payment posted is posted, but its row and its events differ in detail",
        ),
        (
            "UPDATE payments SET delivered_at = NULL WHERE id = 'delivered'",
            "payment delivered is posted, but its row and its events differ in detail",
        ),
        (
            "UPDATE payments SET closed_at = NULL WHERE id = 'closed'",
            "payment closed is posted, but its row and its events differ in detail",
        ),
        (
            "UPDATE payments SET authorized_at = NULL WHERE id = 'authorized'",
            "payment authorized is authorized, but its row and its events differ in detail",
        ),
        (
            "UPDATE payments SET amount = 1 WHERE id = 'posted'",
            "payment posted is posted, but its row and its events differ in detail",
        ),
        (
            "UPDATE payments SET windows = '[]' WHERE id = 'voided'",
            "payment voided is voided, but its row and its events differ in detail",
        ),
        (
            "UPDATE events SET detail = replace(detail, '1', '9') "
            "WHERE payment = 1 AND kind = 'reserved'",
            "payment reserved is reserved, but its row and its events differ in detail",
        ),
        (
            "DELETE FROM events WHERE payment = 3 AND kind = 'posted'",
            "payment posted is posted, and its events say authorized",
        ),
        (
            "DELETE FROM events WHERE payment = 3 AND kind = 'authorized'",
            "payment posted is posted, and its events say nothing possible",
        ),
        (
            "DELETE FROM events WHERE payment = 1",
            "payment reserved has no event that reserved it",
        ),
        (
            "INSERT INTO events (at, payment, kind, detail) VALUES (5, 3, 'voided', '{}')",
            "payment posted is posted, and its events say nothing possible",
        ),
        (
            "DELETE FROM payments WHERE id = 'voided'",
            "payment number 7 has events, and no row",
        ),
    ],
)
def test_difference(path: Path, statement: str, difference: str) -> None:
    """A mismatch raises LedgerError naming what differs: such books must not be paid from."""
    tamper(path, statement)

    with pytest.raises(LedgerError) as refused:
        open_books(path, "two", 1)

    assert str(refused.value).startswith(
        f"ledger {path}: the books do not agree with their events, so nothing is paid from them: "
    )
    assert difference in str(refused.value)
    assert str(refused.value).endswith(". Restore it from a backup")


def test_many_differences(path: Path) -> None:
    """Of many differences, three are named."""
    tamper(
        path,
        *(f"UPDATE payments SET amount = 77 WHERE seq = {seq}" for seq in range(1, 9)),
    )

    with pytest.raises(LedgerError) as refused:
        open_books(path, "two", 1)

    assert 3 == str(refused.value).count("differ in detail")


def test_nothing_is_held_after_a_refusal(path: Path) -> None:
    """A ledger that is refused is let go of: no lock file of this instance stays."""
    tamper(path, "UPDATE windows SET spent = 0 WHERE budget = 'day'")

    with pytest.raises(LedgerError):
        open_books(path, "two", 1)

    assert [] == list(path.with_name("ledger.db.instances").iterdir())


def test_damage_while_open(tmp_path: Path) -> None:
    """Books that lose what was reserved while they are open refuse to post it."""
    path = tmp_path / "ledger.db"
    books = open_books(path, "one", 1)
    books.reserve(intent("p1", amount=5), NOON)
    books.authorize("p1", authorization("p1"), NOON)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE windows SET reserved = 4")

    with pytest.raises(LedgerError, match='budget "day" lacks what was reserved in it'):
        books.post("p1", RECEIPT, NOON)
    books.leave()
