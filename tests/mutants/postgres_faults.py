"""Bugs that lose a payment, or make it twice, when Postgres or the way to it fails."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TRANSACTIONS = "sidecar/ledger/postgres_transactions.py"
BOOKS = "sidecar/ledger/postgres_books.py"
FAULTS = "sidecar/ledger/postgres_faults.py"
COMMIT = "tests/faults/test_postgres_commit.py"
LINES = "tests/faults/test_postgres_lines.py"
PARTITION = "tests/faults/test_postgres_partition.py"
SERVER = "tests/faults/test_postgres_server.py"
REFUSED = "tests/faults/test_postgres_refused.py"
POOL = "tests/faults/test_postgres_pool.py"

POSTGRES_FAULTS = (
    Mutant(
        "takes a commit that stopped waiting for the standby for a success",
        TRANSACTIONS,
        "        if self._warned:\n",
        "        if False:\n",
        (f"{COMMIT}::test_standby_that_has_not_got_it",),
    ),
    Mutant(
        "does not wait for the standby when it asks again",
        TRANSACTIONS,
        "                transaction.later(_WRITE_SOMETHING, self.own)\n",
        "                pass\n",
        (f"{COMMIT}::test_standby_that_has_not_got_it",),
    ),
    Mutant(
        "takes a COMMIT without an answer for done",
        TRANSACTIONS,
        "                raise UnknownEndError from fault\n            raise\n",
        "                return [[] for _ in statements]\n            raise\n",
        (f"{COMMIT}::test_last_cent[lost]",),
    ),
    Mutant(
        "takes a COMMIT without an answer for lost",
        TRANSACTIONS,
        "                raise UnknownEndError from fault\n            raise\n",
        "                raise fault\n            raise\n",
        (f"{COMMIT}::test_last_cent[done]",),
    ),
    Mutant(
        "makes a reservation again without looking for its own traces",
        "sidecar/ledger/postgres_reserving.py",
        "        if self._tx.again and (",
        "        if not self._tx.again and (",
        (f"{COMMIT}::test_last_cent[done]",),
    ),
    Mutant(
        "keeps what a claim held that was refused when asked again",
        TRANSACTIONS,
        "                await transaction.roll_back()\n                self._lose(transaction.left)\n",
        "                await transaction.roll_back()\n",
        (f"{COMMIT}::test_hold_that_was_denied_after_all",),
    ),
    Mutant(
        "forgets a reservation that failed when asked again",
        TRANSACTIONS,
        "                if not passes(failed):\n                    self._lose(left)\n",
        "                if not passes(failed):\n",
        (f"{COMMIT}::test_reservation_that_failed_after_all",),
    ),
    Mutant(
        "lets go of what other requests hold when it asks again",
        TRANSACTIONS,
        "WHERE id = ANY(%s) AND holder",
        "WHERE cardinality(%s::text[]) > 0 AND holder",
        (f"{COMMIT}::test_others_are_not_let_go_of",),
    ),
    Mutant(
        "lets go of what was claimed again meanwhile",
        TRANSACTIONS,
        "            if self._releasing is None or self._releasing.done():\n"
        '                self._releasing = self._tasks.spawn("release", self._release_unsure())\n'
        "            await asyncio.shield(self._releasing)\n",
        "            await self._release_unsure()\n",
        (f"{COMMIT}::test_let_go_of_once",),
    ),
    Mutant(
        "keeps reserved what its caller has given up",
        TRANSACTIONS,
        "            self.dropped.add(payment_id)\n",
        "",
        (f"{PARTITION}::test_authorization_that_was_given_up",),
    ),
    Mutant(
        "leaves a reservation that arrived late to nobody",
        "sidecar/ledger/postgres.py",
        ' or row["id"] in dropped)',
        ")",
        (f"{PARTITION}::test_reservation_that_arrives_late",),
    ),
    Mutant(
        "keeps the locks of a client that fell silent",
        TRANSACTIONS,
        '            (f"SET LOCAL idle_in_transaction_session_timeout TO {2 * wait_ms}", ()),\n',
        "",
        (f"{PARTITION}::test_commit_that_never_arrives",),
    ),
    Mutant(
        "authorizes what others have voided",
        BOOKS,
        "        moves.permit(row, PaymentState.AUTHORIZED)\n",
        "",
        (f"{PARTITION}::test_signs_nothing",),
    ),
    Mutant(
        "refuses its own authorization when it asks again",
        BOOKS,
        '        if tx.again and row["auth_identity"]',
        '        if not tx.again and row["auth_identity"]',
        (f"{LINES}::test_lost_once[authorize]",),
    ),
    Mutant(
        "does not know its own receipt when it asks again",
        BOOKS,
        '    return str(made[0]["kind"]) if made[0]["at"] == at_ms else ""\n',
        '    return ""\n',
        (f"{LINES}::test_lost_once[post]",),
    ),
    Mutant(
        "gives up when the server is restarted",
        FAULTS,
        '"57P01", ',
        "",
        (f"{SERVER}::test_restarted[fast]",),
    ),
    Mutant(
        "gives up when it was ended for a deadlock",
        FAULTS,
        '"40P01", ',
        "",
        (f"{SERVER}::test_deadlocks",),
    ),
    Mutant(
        "gives up when transactions could not be put into an order",
        FAULTS,
        '"40001", ',
        "",
        (f"{SERVER}::test_serialization_storm",),
    ),
    Mutant(
        "pays from a server that forgets in a power cut",
        "sidecar/ledger/postgres_opening.py",
        '            ("fsync", {"off"}),\n',
        "",
        (f"{REFUSED}::test_server_that_forgets[fsync]",),
    ),
    Mutant(
        "pays while commits do not wait for the standby",
        "sidecar/ledger/postgres_opening.py",
        '{"off", "local"}',
        '{"off"}',
        (f"{REFUSED}::test_commit_that_does_not_wait[local]",),
    ),
    Mutant(
        "leaves its settings to the next one on a pooler's connection",
        TRANSACTIONS,
        "SET LOCAL search_path",
        "SET search_path",
        (f"{POOL}::test_nothing_is_left_in_a_session",),
    ),
)
