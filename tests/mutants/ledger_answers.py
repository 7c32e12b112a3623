"""Bugs in what a ledger answers: who asks the chain, who is gone, what a lost answer had said."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CONTRACT = "tests/conformance/test_ledger.py"
SHARED = "tests/flows/test_recovery_shared.py"
COMMIT = "tests/faults/test_postgres_commit.py"
DEATHS = "tests/faults/test_postgres_deaths.py"
OPENING = "tests/unit/ledger/test_postgres_opening.py"
LOOKUPS = "sidecar/ledger/postgres_lookups.py"
LISTS = "sidecar/ledger/sqlite_lists.py"
SWITCHES = "sidecar/ledger/postgres_switches.py"

LEDGER_ANSWERS = (
    Mutant(
        "asks the chain for what every other process is being served with",
        "sidecar/payments/recovery.py",
        "self._ledger.to_prove(self._clock.now())",
        "self._ledger.in_doubt()",
        (f"{SHARED}::test_under_way",),
    ),
    Mutant(
        "leaves what it holds itself to others, who leave it to it, in Postgres",
        LOOKUPS,
        "  holder <> %s AND auth_expires_at > %s AND EXISTS (",
        "  %s <> '' AND auth_expires_at > %s AND EXISTS (",
        (f"{CONTRACT}::test_to_prove[postgres]",),
    ),
    Mutant(
        "leaves what it holds itself to others, who leave it to it, in a file",
        LISTS,
        '        if row["holder"] == instances.own\n        or row',
        "        if row",
        (f"{CONTRACT}::test_to_prove[sqlite]",),
    ),
    Mutant(
        "asks the chain only for what it holds itself, in Postgres",
        LOOKUPS,
        "  holder <> %s AND auth_expires_at > %s AND EXISTS (",
        "  holder IS DISTINCT FROM %s AND auth_expires_at > %s OR EXISTS (",
        (f"{CONTRACT}::test_to_prove_let_go_of[postgres]",),
    ),
    Mutant(
        "asks the chain only for what it holds itself, in a file",
        LISTS,
        '        or not instances.is_held(row["holder"])\n    )\n\n\ndef unconfirmed',
        "    )\n\n\ndef unconfirmed",
        (f"{CONTRACT}::test_to_prove_let_go_of[sqlite]",),
    ),
    Mutant(
        "leaves to the dead what they held, in Postgres",
        LOOKUPS,
        "    SELECT 1 FROM instances WHERE instances.id = payments.holder AND {_LIVES}\n",
        "    SELECT 1 FROM instances WHERE instances.id = payments.holder\n",
        (f"{CONTRACT}::test_to_prove_of_the_dead[postgres]",),
    ),
    Mutant(
        "leaves to the dead what they held, in a file",
        LISTS,
        '        or not instances.is_held(row["holder"])\n    )\n\n\ndef unconfirmed',
        '        or row["holder"] is None\n    )\n\n\ndef unconfirmed',
        (f"{CONTRACT}::test_to_prove_of_the_dead[sqlite]",),
    ),
    Mutant(
        "leaves what has expired to who says to serve it, in Postgres",
        LOOKUPS,
        "holder <> %s AND auth_expires_at > %s AND EXISTS (",
        "holder <> %s AND auth_expires_at <> -(%s) AND EXISTS (",
        (f"{SHARED}::test_expired_under_way[postgres]",),
    ),
    Mutant(
        "leaves what has expired to who says to serve it, in a file",
        LISTS,
        '        or row["auth_expires_at"] <= at_ms\n',
        "        or at_ms < 0\n",
        (f"{SHARED}::test_expired_under_way[sqlite]",),
    ),
    Mutant(
        "leaves out what the centre has in doubt",
        "sidecar/ledger/leased.py",
        "lambda books: books.to_prove(at)",
        "lambda books: books.unconfirmed()",
        (f"{CONTRACT}::test_to_prove_of_the_dead[leased]",),
    ),
    Mutant(
        "shows a person the dead among the living until their lease ends",
        LOOKUPS,
        'LIVING = f"SELECT id FROM instances WHERE {_LIVES}"',
        'LIVING = "SELECT id FROM instances WHERE expires_at > clock_timestamp()"',
        (f"{DEATHS}::test_dead_to_a_person",),
    ),
    Mutant(
        "does not look at the books while somebody's lease runs who is dead",
        "sidecar/ledger/postgres_opening.py",
        "await tx.find(lookups.LIVING)",
        'await tx.find("SELECT 1 FROM instances WHERE expires_at > clock_timestamp()")',
        (f"{DEATHS}::test_first_after_a_death",),
    ),
    Mutant(
        "calls a missing window a division by zero",
        "sidecar/ledger/postgres_faults.py",
        '    "22012": _DAMAGED',
        '    "2201X": _DAMAGED',
        (f"{OPENING}::test_missing_window",),
    ),
    Mutant(
        "moves a payment whose window is gone",
        "sidecar/ledger/postgres_statements.py",
        '"SELECT 1 / count(*) FROM windows WHERE budget = %s AND starts_at = %s"',
        '"SELECT count(*) FROM windows WHERE budget = %s AND starts_at = %s"',
        (f"{OPENING}::test_missing_window",),
    ),
    Mutant(
        "remembers for ever what was given up",
        "sidecar/ledger/postgres.py",
        '        dropped.difference_update(row["id"] for row in over)\n',
        "",
        (f"{OPENING}::test_given_up",),
    ),
    Mutant(
        "forgets what was given up and may still come",
        "sidecar/ledger/postgres.py",
        '        dropped.difference_update(row["id"] for row in over)\n',
        '        dropped.intersection_update(row["id"] for row in rows)\n',
        (f"{OPENING}::test_given_up",),
    ),
    Mutant(
        "takes for given up what it could not void on a proof that is none",
        "sidecar/ledger/postgres.py",
        'is_done = proof.kind == "unsigned"',
        "is_done = True",
        (f"{CONTRACT}::test_refused_proof_orphans_nothing[postgres]",),
    ),
    Mutant(
        "says that nothing was frozen when it asks again",
        SWITCHES,
        "        return rules.frozen_since(found)\n",
        "        return rules.frozen_since(found if not tx.again else [])\n",
        (f"{COMMIT}::test_unfreezes[done]",),
    ),
    Mutant(
        "says that nothing was pinned when it asks again",
        SWITCHES,
        "        for pin in map(pin_of, await tx.find(_FORGET, route)):\n",
        "        found.clear()\n        for pin in map(pin_of, await tx.find(_FORGET, route)):\n",
        (f"{COMMIT}::test_forgets_pins[done]",),
    ),
    Mutant(
        "takes its own word for another's when it asks again",
        SWITCHES,
        "    if tx.again and await tx.find(lookups.SAID",
        "    if not tx.again and await tx.find(lookups.SAID",
        (f"{COMMIT}::test_word[done]",),
    ),
    Mutant(
        "takes another's word for its own when it asks again",
        SWITCHES,
        "    if tx.again and await tx.find(lookups.SAID, payment_id, kind, at_ms, detail):\n",
        "    if tx.again:\n",
        (f"{COMMIT}::test_word_after_another",),
    ),
)
