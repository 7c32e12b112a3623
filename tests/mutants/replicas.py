"""Bugs of many replicas on one ledger, found by the batteries that run them."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BUDGET = "tests/e2e/test_replicas_budget.py::test_budget[postgres]"
TOP_UP = "tests/e2e/test_replicas_topup.py::test_one_top_up[postgres]"
FROZEN = "tests/e2e/test_replicas_frozen.py::test_frozen"
DEATHS = "tests/faults/test_postgres_deaths.py"
LOOKUPS = "sidecar/ledger/postgres_lookups.py"

REPLICAS = (
    Mutant(
        "lets replicas spend beside the limit",
        "sidecar/ledger/postgres_statements.py",
        "WHERE had.reserved + had.spent + excluded.reserved <= %s",
        "WHERE %s IS NOT NULL",
        (BUDGET,),
    ),
    Mutant(
        "looks for room before it has waited for the others",
        "sidecar/ledger/postgres_statements.py",
        "WHERE had.reserved + had.spent + excluded.reserved <= %s",
        "WHERE excluded.reserved + (SELECT w.reserved + w.spent FROM windows AS w\n"
        "WHERE w.budget = had.budget AND w.starts_at = had.starts_at) <= %s",
        ("tests/unit/ledger/test_postgres_together.py",),
    ),
    Mutant(
        "drops what the living have set aside",
        "sidecar/ledger/postgres.py",
        'if not row["owned"] or row["id"] in dropped',
        'if not row["owned"] or row["id"] not in dropped',
        (f"{DEATHS}::test_killed",),
    ),
    Mutant(
        "binds to what a living replica holds",
        "sidecar/ledger/postgres_reserving.py",
        '            if row["kept"]:\n',
        "            if False:\n",
        (f"{DEATHS}::test_living",),
    ),
    Mutant(
        "signs for what another replica has dropped",
        "sidecar/ledger/postgres_books.py",
        "        moves.permit(row, PaymentState.AUTHORIZED)\n",
        "",
        (f"{FROZEN}[after ledger.reserve]",),
    ),
    Mutant(
        "tops up once for each replica",
        "sidecar/ledger/postgres_reserving.py",
        "if taken and (self._intent.purchase.explicit or self._intent.top_up is not None):",
        "if taken and self._intent.purchase.explicit:",
        (TOP_UP,),
    ),
    Mutant(
        "waits for the lease of who has hung up",
        LOOKUPS,
        "    AND (session IS NULL OR EXISTS (SELECT 1 FROM pg_stat_get_activity(session)))\n",
        "",
        (f"{DEATHS}::test_killed",),
    ),
    Mutant(
        "takes a pooler's session for its own",
        "sidecar/ledger/postgres_bell.py",
        "WHERE id = %s AND pg_backend_pid() = %s;",
        "WHERE id = %s AND pg_backend_pid() <> %s;",
        (f"{DEATHS}::test_behind_a_pooler",),
    ),
    Mutant(
        "asks for no more credit than it had seen",
        "sidecar/payments/balances.py",
        "            if not balances[0].can_consume:\n",
        "            if balances:\n",
        ("tests/flows/test_topups.py::test_used_up_at_once[sqlite]",),
    ),
)
