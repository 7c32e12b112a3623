"""Bugs of the ledger in Postgres: what two replicas must not do at once, and what a lease says."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TOGETHER = "tests/unit/ledger/test_postgres_together.py"
CONTRACT = "tests/conformance/test_ledger.py"

POSTGRES_LEDGER = (
    Mutant(
        "reserves in Postgres beside the limit",
        "sidecar/ledger/postgres_statements.py",
        "WHERE had.reserved + had.spent + excluded.reserved <= %s",
        "WHERE %s IS NOT NULL",
        (f"{TOGETHER}::test_one_budget",),
    ),
    Mutant(
        "raises the windows in the order of the config",
        "sidecar/ledger/windows.py",
        "for key in sorted(found)",
        "for key in found",
        (f"{TOGETHER}::test_two_budgets_in_two_orders",),
    ),
    Mutant(
        "makes an explicit purchase without its lock",
        "sidecar/ledger/postgres_books.py",
        'f"purchase {purchase.explicit}", purchase.key',
        'f"purchase {transactions.own}", purchase.key',
        (f"{TOGETHER}::test_one_explicit_purchase",),
    ),
    Mutant(
        "freezes beside who signs",
        "sidecar/ledger/postgres_switches.py",
        "tx.later(statements.LOCK, freeze_lock(transactions))",
        "tx.later(statements.LOCK_SHARED, freeze_lock(transactions))",
        (f"{TOGETHER}::test_freeze_waits_for_who_signs",),
    ),
    Mutant(
        "rings for nobody",
        "sidecar/ledger/postgres_bell.py",
        "self._rings.pop(key, asyncio.Event()).set()",
        "self._rings.pop(key[:4], asyncio.Event()).set()",
        (f"{TOGETHER}::test_woken",),
    ),
    Mutant(
        "takes every replica for dead",
        "sidecar/ledger/postgres_lookups.py",
        "instances.expires_at > clock_timestamp()",
        "instances.expires_at < clock_timestamp()",
        (f"{TOGETHER}::test_the_living_are_left_alone",),
    ),
    Mutant(
        "takes every replica for alive",
        "sidecar/ledger/postgres_lookups.py",
        "instances.expires_at > clock_timestamp()",
        "instances.expires_at IS NOT NULL",
        ("tests/faults/test_postgres_deaths.py::test_behind_a_pooler",),
    ),
    Mutant(
        "lets two be the first at a place",
        "sidecar/ledger/postgres_reserving.py",
        "if self._intent.price is not None and not prices:",
        "if self._intent.price is None and not prices:",
        (f"{CONTRACT}::test_two_jumps_at_once[postgres]",),
    ),
    Mutant(
        "pins whoever is named by terms that are not paid",
        "sidecar/ledger/postgres_reserving.py",
        "            if pinned_now:\n",
        "            if False:\n",
        (f"{CONTRACT}::test_bound_pins_nobody[postgres]",),
    ),
    Mutant(
        "goes by the price of what makes way",
        "sidecar/ledger/postgres_reserving.py",
        "        if self._dropped:\n",
        "        if False:\n",
        (f"{CONTRACT}::test_price_of_an_orphan[postgres]",),
    ),
    Mutant(
        "keeps what it raised for a payment of its own beside the one it takes",
        "sidecar/ledger/postgres_reserving.py",
        "if isinstance(slot, Payment):",
        "if not isinstance(slot, Payment | int | Denied):",
        (f"{CONTRACT}::test_reserve_binds_authorized[postgres-hashed]",),
    ),
    Mutant(
        "keeps what an app deserted from the other machines",
        "sidecar/service/stores.py",
        "config.workers > 1 or isinstance(config.ledger, PostgresUrl)",
        "config.workers > 1",
        ("tests/unit/service/test_stores.py::test_are_shared",),
    ),
)
