"""What a process need not read back of a payment that it signed for itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.errors import LedgerError
from sidecar.ledger.model import PaymentState, Proof
from sidecar.ledger.sqlite import open_books
from sidecar.ledger.sqlite_books import Books
from sidecar.ledger.sqlite_signed import KEPT_MAX, Signed
from sidecar.x402.types import Authorization
from tests.world.fakes import NOON
from tests.world.intents import EXPIRED, RECEIPT, SECOND, SERVED, UNSIGNED, authorization, intent
from tests.world.own_books import BUDGETS, authorized, reserved, row_of, undone

LATER = NOON + SECOND
WINDOWS = '[["day",0]]'


def another(payment_id: str) -> Authorization:
    return replace(authorization(payment_id), identity="0xanother", fields={"nonce": "0x02"})


@pytest.mark.parametrize("proof", [RECEIPT, SERVED, Proof("chain", "0xmoved")])
@pytest.mark.parametrize("is_delivered", [False, True])
def test_posted(books: Books, proof: Proof, is_delivered: bool) -> None:
    """A payment that is posted is what its row says, though the row is not read back."""
    authorized(books, "p")
    if is_delivered:
        books.deliver("p", LATER)
    statements: list[str] = []
    books.connection.set_trace_callback(statements.append)
    change = books.post("p", proof, LATER)
    books.connection.set_trace_callback(None)

    assert row_of(books, "p") == change.payment
    assert ("posted", is_delivered) == (change.made, change.payment.delivered_at == LATER)
    assert [] == [each for each in statements if "SELECT *" in each]


def test_posted_by_another(books: Books, tmp_path: Path) -> None:
    """A payment that another process signed for is posted as its row says."""
    authorized(books, "p")
    other = open_books(tmp_path / "ledger.db", "two", 1)
    change = other.post("p", RECEIPT, LATER)
    other.leave()

    assert row_of(books, "p") == change.payment


def test_finer_than_a_row(books: Books) -> None:
    """An authorization that ends within a millisecond comes back as the row has it."""
    reserved(books, "p")
    finer = NOON + timedelta(seconds=120, microseconds=1)
    books.authorize("p", replace(authorization("p"), expires_at=finer), NOON)
    change = books.post("p", RECEIPT, LATER)

    assert row_of(books, "p") == change.payment


def test_row_of_another_authorization(books: Books) -> None:
    """It is the row's authorization that is told of, whatever was signed for here."""
    authorized(books, "p")
    books.connection.execute("""
        UPDATE payments SET auth_identity = '0xanother', auth_fields = '{"nonce":"0x02"}'
    """)

    assert another("p") == books.post("p", RECEIPT, LATER).payment.authorization


def test_undone_authorization(books: Books) -> None:
    """An authorization that was not committed posts nothing; the next one is the payment's."""
    reserved(books, "p")
    with undone(books):
        books.authorize("p", another("p"), NOON)

    with pytest.raises(LedgerError, match="is reserved"):
        books.post("p", RECEIPT, LATER)

    books.authorize("p", authorization("p"), NOON)
    assert authorization("p") == books.post("p", RECEIPT, LATER).payment.authorization


def test_undone_post(books: Books) -> None:
    """What was posted, undone and posted anew is what its row says."""
    authorized(books, "p")
    with undone(books):
        books.post("p", SERVED, NOON)

    change = books.post("p", RECEIPT, LATER)

    assert row_of(books, "p") == change.payment


def test_undone_reservation(books: Books) -> None:
    """Of two payments with one id, of which the first was undone, the second is told of."""
    with undone(books):
        reserved(books, "p")
    books.reserve(intent("p", route="other", budgets=BUDGETS), NOON)
    books.authorize("p", authorization("p"), NOON)

    assert "other" == books.post("p", RECEIPT, LATER).payment.route


def kept(signed: Signed) -> bool:
    return signed.signed_for("p") is not None


def test_bounded(books: Books) -> None:
    """No more than so many are kept: the oldest is forgotten first."""
    payment = reserved(books, "p")
    for others in (KEPT_MAX - 1, KEPT_MAX):
        signed = Signed()
        signed.reserved(1, payment, WINDOWS)
        signed.authorized("p", authorization("p"), 0)
        for number in range(others):
            signed.reserved(2 + number, replace(payment, id=f"{number}"), WINDOWS)

        assert (others < KEPT_MAX) == kept(signed)


def test_kept_until_it_is_over(books: Books) -> None:
    """Of what was posted and delivered, in whatever order, or voided, nothing is kept; and what
    was never signed for is none that was posted."""
    payment = reserved(books, "p")
    signed = Signed()
    signed.reserved(1, payment, WINDOWS)
    assert not kept(signed)

    signed.authorized("p", authorization("p"), 0)
    assert kept(signed)

    signed.posted("p")
    assert (False, 1) == (kept(signed), signed.seq_of("p"))

    signed.delivered("p", 0)
    assert signed.seq_of("p") is None

    for over in (Signed.over, Signed.posted):
        signed.reserved(1, payment, WINDOWS)
        signed.authorized("p", authorization("p"), 0)
        signed.delivered("p", 0)
        assert kept(signed)

        over(signed, "p")
        assert not kept(signed)


def test_voided_by_the_books(books: Books) -> None:
    """A payment that is voided is terminal as ever, and its row is what is told."""
    authorized(books, "p")
    reserved(books, "q")

    assert PaymentState.VOIDED is books.void("p", EXPIRED, NOON).payment.state
    assert PaymentState.VOIDED is books.void("q", UNSIGNED, NOON).payment.state
    assert "" == books.post("p", RECEIPT, LATER).made


def test_delivered_reserved(books: Books) -> None:
    """What is only reserved is not delivered, and nothing tells of it."""
    reserved(books, "p")

    with pytest.raises(LedgerError, match="nothing was bought"):
        books.deliver("p", NOON)

    assert row_of(books, "p").delivered_at is None
    told = books.connection.execute("SELECT kind FROM events").fetchall()
    assert ["reserved"] == [kind for (kind,) in told]


def test_delivered_nowhere(books: Books) -> None:
    """A payment that is not there is not delivered."""
    with pytest.raises(LedgerError, match="there is no payment p"):
        books.deliver("p", NOON)
