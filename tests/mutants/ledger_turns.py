"""Bugs of the ledger's short ways: a piece that came alone, one question for many, no claim."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WRITER = "tests/unit/ledger/test_sqlite_writer.py"
LEDGER = "tests/conformance/test_ledger.py"
PAYER = "tests/unit/payments/test_payer.py"

LEDGER_TURNS = (
    Mutant(
        "keeps what a lone piece had changed before it was refused",
        "sidecar/ledger/sqlite_writer.py",
        '            books.connection.execute("ROLLBACK")\n',
        '            books.connection.execute("COMMIT")\n',
        (f"{WRITER}::test_alone",),
    ),
    Mutant(
        "undoes a release with the refusal that came after it",
        "sidecar/ledger/sqlite_writer.py",
        " if len(jobs) > 1 or books.claims.unsure else",
        " if len(jobs) > 1 else",
        (f"{WRITER}::test_refused_beside_a_release",),
    ),
    Mutant(
        "undoes all of a batch with one of it",
        "sidecar/ledger/sqlite_writer.py",
        "self._step if len(jobs) > 1 or books.claims.unsure else self._alone",
        "self._alone",
        (f"{WRITER}::test_each_for_itself",),
    ),
    Mutant(
        "does not see that a hashed purchase is open",
        "sidecar/ledger/sqlite_rules.py",
        "WHERE purchase_key = ?6 AND explicit = 0) AS rivalled",
        "WHERE purchase_key = ?6 AND explicit = 2) AS rivalled",
        (f"{LEDGER}::test_reserve_binds_authorized",),
    ),
    Mutant(
        "does not look for what an explicit purchase has had",
        "sidecar/ledger/sqlite_books.py",
        'if seen["rivalled"] or intent.purchase.explicit:',
        'if seen["rivalled"]:',
        (f"{LEDGER}::test_reserve_binds_authorized",),
    ),
    Mutant(
        "counts what was given up on any route",
        "sidecar/ledger/sqlite_rules.py",
        "WHERE route = ?1 AND closed_at >= ?5",
        "WHERE closed_at >= ?5",
        (f"{LEDGER}::test_breaker_of_another_route",),
    ),
    Mutant(
        "counts what was given up at any time",
        "sidecar/ledger/sqlite_rules.py",
        "WHERE route = ?1 AND closed_at >= ?5",
        "WHERE route = ?1 AND closed_at >= 0 * ?5",
        (f"{LEDGER}::test_breaker_closes",),
    ),
    Mutant(
        "finds the payee of another place",
        "sidecar/ledger/sqlite_rules.py",
        "AND network = ?3 AND place = ?4)",
        "AND network = ?3 OR place = ?4)",
        (f"{LEDGER}::test_pins_apart",),
    ),
    Mutant(
        "gives up what it signed for when a rule refuses the next",
        "sidecar/payments/payer.py",
        "            return await self._bound(order, allowed, now, since)\n",
        "            return allowed\n",
        (f"{PAYER}::test_bound_though_refused",),
    ),
    Mutant(
        "gives up what it signed for when the clock is wrong",
        "sidecar/payments/payer.py",
        "            return await self._bound(order, objection, now, since)\n",
        "            return objection\n",
        (f"{PAYER}::test_bound_though_refused",),
    ),
)
