"""Bugs of moves that go by what this process made: the row decides, never what is remembered."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

STATEMENTS = "sidecar/ledger/sqlite_statements.py"
BOOKS = "sidecar/ledger/sqlite_books.py"
TESTS = "tests/unit/ledger/test_sqlite_remembered.py"

REMEMBERED = (
    Mutant(
        "walks through all payments in each round of recovery",
        "sidecar/ledger/sqlite_lists.py",
        "payments INDEXED BY payments_open\n",
        "payments\n",
        ("tests/unit/ledger/test_sqlite_plans.py::test_a_round_does_not_grow",),
    ),
    Mutant(
        "signs what it knows though frozen",
        STATEMENTS,
        "AND seq = ? AND NOT EXISTS (SELECT 1 FROM freeze)",
        "AND seq = ?",
        (f"{TESTS}::test_frozen_by_another",),
    ),
    Mutant(
        "signs for what was voided",
        STATEMENTS,
        "WHERE id = ? AND state = 'reserved' AND seq = ?",
        "WHERE id = ? AND seq = ?",
        (f"{TESTS}::test_voided_by_another",),
    ),
    Mutant(
        "signs by a stale number",
        STATEMENTS,
        "WHERE id = ? AND state = 'reserved' AND seq",
        "WHERE ? <> '' AND state = 'reserved' AND seq",
        (f"{TESTS}::test_stale_number",),
    ),
    Mutant(
        "delivers by a stale number",
        STATEMENTS,
        "WHERE id = ? AND seq = ? AND state <> 'reserved'",
        "WHERE ? <> '' AND seq = ? AND state <> 'reserved'",
        (f"{TESTS}::test_stale_number",),
    ),
    Mutant(
        "spends a remembered amount",
        STATEMENTS,
        "AND seq = ? AND amount = ? AND",
        "AND seq = ? AND amount <> -? AND",
        (f"{TESTS}::test_row_that_differs",),
    ),
    Mutant(
        "spends in remembered windows",
        STATEMENTS,
        "AND windows = ?",
        "AND windows <> ? || 'x'",
        (f"{TESTS}::test_row_that_differs",),
    ),
    Mutant(
        "posts by a remembered time",
        STATEMENTS,
        "AND authorized_at = ?",
        "AND authorized_at <> -?",
        (f"{TESTS}::test_row_that_differs",),
    ),
    Mutant(
        "forgets another's delivery",
        "sidecar/ledger/sqlite_statements.py",
        '_NOT_YET = " AND delivered_at IS NULL"',
        '_NOT_YET = ""',
        (f"{TESTS}::test_delivered_by_another",),
    ),
    Mutant(
        "posts twice",
        STATEMENTS,
        "WHERE id = ? AND state = 'authorized'\n",
        "WHERE id = ?\n",
        (f"{TESTS}::test_posted_by_two",),
    ),
    Mutant(
        "signs what a person was asked about",
        BOOKS,
        "        if intent.ask_until is None:\n",
        "        if seq:\n",
        ("tests/conformance/test_approvals.py::test_not_before",),
    ),
    Mutant(
        "posts without spending",
        "sidecar/ledger/sqlite_books.py",
        "        self.sums.spend(windows_in(kept.windows), kept.reserved.amount.atomic)\n",
        "",
        (f"{TESTS}::test_a_move_asks_nothing",),
    ),
    Mutant(
        "tells nothing of a delivery",
        BOOKS,
        '            self._tell(kept.seq, "delivered", at_ms)\n',
        "",
        (f"{TESTS}::test_posted_and_delivered",),
    ),
    Mutant(
        "posts on any proof",
        BOOKS,
        "kept is None or not moves.proves_transfer(proof)",
        "kept is None",
        ("tests/conformance/test_ledger.py",),
    ),
)
