"""Bugs of the ledger's short ways: no savepoints, one question for many, no claim."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WRITER = "tests/unit/ledger/test_sqlite_writer.py"
LEDGER = "tests/conformance/test_ledger.py"
PAYER = "tests/unit/payments/test_payer.py"

LEDGER_TURNS = (
    Mutant(
        "keeps what a lone piece had changed before it was refused",
        "sidecar/ledger/sqlite_writer.py",
        '                connection.execute("ROLLBACK")\n                _begin(',
        '                connection.execute("COMMIT")\n                _begin(',
        (f"{WRITER}::test_alone",),
    ),
    Mutant(
        "undoes a release with the refusal that came after it",
        "sidecar/ledger/sqlite_writer.py",
        "_begin(books, writes=writes)\n                self._do_apart",
        'connection.execute("BEGIN")\n                self._do_apart',
        (f"{WRITER}::test_refused_beside_a_release",),
    ),
    Mutant(
        "undoes all of a batch with one of it",
        "sidecar/ledger/sqlite_writer.py",
        "                self._do_apart(books, jobs)\n",
        "",
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
    Mutant(
        "takes what a refusal changed for nothing",
        "sidecar/ledger/sqlite_writer.py",
        "if job.is_undone and (job.fault is not None or connection.total_changes != before):",
        "if job.fault is not None:",
        (f"{WRITER}::test_alone",),
    ),
    Mutant(
        "keeps what one of a batch changed",
        "sidecar/ledger/sqlite_writer.py",
        '            if job.is_undone:\n                books.connection.execute("ROLLBACK TO step")\n',
        "",
        (f"{WRITER}::test_each_for_itself",),
    ),
    Mutant(
        "delivers, and lets go of what another took over",
        "sidecar/ledger/sqlite_statements.py",
        "UPDATE payments SET delivered_at = ?, holder = nullif(holder, ?)",
        "UPDATE payments SET delivered_at = ?, holder = iif(? = '', holder, NULL)",
        (f"{LEDGER}::test_deliver_by_another",),
    ),
    Mutant(
        "delivers, and keeps holding",
        "sidecar/ledger/sqlite_statements.py",
        "UPDATE payments SET delivered_at = ?, holder = nullif(holder, ?)",
        "UPDATE payments SET delivered_at = ?, holder = iif(? = '', NULL, holder)",
        (f"{LEDGER}::test_explicit_in_doubt_binds_after_delivery",),
    ),
    Mutant(
        "signs what a person refused",
        "sidecar/ledger/sqlite_approvals.py",
        "kind = 'approved' AND kind <> 'claimed'\n  ) AS approved",
        "kind <> 'asked' AND kind <> 'claimed'\n  ) AS approved",
        ("tests/conformance/test_approvals.py::test_not_before",),
    ),
    Mutant(
        "takes today for a day before",
        "sidecar/ledger/sqlite_prices.py",
        "min(CASE WHEN day < ?5",
        "min(CASE WHEN day <= ?5",
        (f"{LEDGER}::test_cheap_call_of_a_day",),
    ),
    Mutant(
        "forgets today's price",
        "sidecar/ledger/sqlite_prices.py",
        "FROM days WHERE day < ?5)",
        "FROM days WHERE day < ?5 - 1)",
        (f"{LEDGER}::test_price_jump",),
    ),
    Mutant(
        "takes the larger of two limits",
        "sidecar/ledger/windows.py",
        "if rival is None or budget.limit < rival.limit:",
        "if rival is None:",
        (f"{LEDGER}::test_budget_named_twice",),
    ),
)
