"""Bugs of the last two moves as one: posted once, delivered at the last byte, or let go of."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LEDGER = "tests/conformance/test_ledger.py"
HOLDS = "tests/unit/payments/test_holds.py"
PAYER = "tests/unit/payments/test_payer.py"
MONEY_PATH = "tests/flows/test_money_path.py"
HELD = "sidecar/payments/holds.py"
PAYING = "sidecar/payments/payer.py"

CONCLUSION = (
    Mutant(
        "posts after the answer where no chain could tell of it",
        "sidecar/payments/payer.py",
        " and self._can_ask(payment.network):",
        ":",
        (f"{PAYER}::test_posted_before_a_whole_answer",),
    ),
    Mutant(
        "posts a whole answer twice",
        PAYING,
        "            return Paid(payment, reply, unposted=proof)\n",
        "            return Paid(await self._post(payment, proof, reply), reply, unposted=proof)\n",
        (f"{MONEY_PATH}::test_transcript_of_a_whole_answer",),
    ),
    Mutant(
        "posts what is streamed only at its last byte",
        PAYING,
        "    return reply.is_here and not",
        "    return not",
        (f"{MONEY_PATH}::test_transcript",),
    ),
    Mutant(
        "leaves what its app has left unposted",
        PAYING,
        " and not order.deserted and",
        " and",
        (f"{PAYER}::test_posted_before_a_whole_answer",),
    ),
    Mutant(
        "never posts a top-up",
        PAYING,
        " and order.top_up is None\n",
        "\n",
        (f"{PAYER}::test_posted_before_a_whole_answer",),
    ),
    Mutant(
        "forgets the receipt where the app hung up",
        HELD,
        "            await self._conclude(payment, unposted, delivered=False)\n",
        "            await self.release(payment.id)\n",
        (
            f"{HOLDS}::test_concluded",
            f"{MONEY_PATH}::test_hang_up_in_a_whole_answer",
        ),
    ),
    Mutant(
        "delivers, and never posts",
        HELD,
        "            await self._conclude(payment, unposted, delivered=True)\n            return\n",
        "            pass\n",
        (
            f"{HOLDS}::test_concluded",
            f"{MONEY_PATH}::test_transcript_of_a_whole_answer",
        ),
    ),
    Mutant(
        "holds for nobody what it could not post",
        HELD,
        "            change = await self._ledger.conclude(payment.id, proof, at, delivered=delivered)\n"
        "        except LedgerError:\n"
        "            self._unreleased.add(payment.id)\n",
        "            change = await self._ledger.conclude(payment.id, proof, at, delivered=delivered)\n"
        "        except LedgerError:\n",
        (
            f"{HOLDS}::test_concluded_later",
            f"{PAYER}::test_disk_full_after_a_whole_answer",
        ),
    ),
    Mutant(
        "never tells of what it posts at the end",
        HELD,
        "        tell(self._emit, change)\n",
        "",
        (f"{HOLDS}::test_concluded",),
    ),
    Mutant(
        "forgets the receipt of what nobody came back for",
        "sidecar/payments/purchases.py",
        "self._payer.released(outcome.payment, unposted)",
        "self._payer.released(outcome.payment)",
        ("tests/unit/payments/test_purchases.py::test_nobody_comes_back_to_what_is_not_posted",),
    ),
    Mutant(
        "forgets the receipt where the app hung up on its answer",
        "sidecar/proxy/delivery.py",
        "end(paid.payment, paid.unposted)",
        "end(paid.payment, paid.unposted if complete else None)",
        ("tests/unit/proxy/test_delivery.py::test_hung_up",),
    ),
    Mutant(
        "leaves open what the chain posted first",
        "sidecar/ledger/sqlite_conclusion.py",
        '    elif change.made != "posted":\n',
        "    elif False:\n",
        (f"{LEDGER}::test_conclude_terminal",),
    ),
    Mutant(
        "keeps holding what its app has left",
        "sidecar/ledger/sqlite_conclusion.py",
        "        books.release(payment_id)\n",
        "        pass\n",
        (f"{LEDGER}::test_conclude_undelivered",),
    ),
    Mutant(
        "delivers again what was delivered in doubt",
        "sidecar/ledger/sqlite_statements.py",
        "ifnull(delivered_at, ?)",
        "?",
        (
            f"{LEDGER}::test_conclude_delivered_before",
            f"{LEDGER}::test_conclude_undelivered",
        ),
    ),
    Mutant(
        "concludes, and lets go of what another took over",
        "sidecar/ledger/sqlite_statements.py",
        "ifnull(delivered_at, ?), holder = nullif(holder, ?)",
        "ifnull(delivered_at, ?), holder = iif(? IS NULL, holder, NULL)",
        (f"{LEDGER}::test_conclude_by_another",),
    ),
    Mutant(
        "delivers what it did not sign for, and writes no event",
        "sidecar/ledger/sqlite_books.py",
        '        if delivers and row["delivered_at"] is None:\n',
        "        if False:\n",
        ("tests/unit/ledger/test_sqlite_audit.py::test_concluded",),
    ),
    Mutant(
        "forgets where an undelivered payment is",
        "sidecar/ledger/leased_books.py",
        "        move = self.end if delivered else self.move\n",
        "        move = self.end\n",
        (f"{LEDGER}::test_conclude_undelivered",),
    ),
    Mutant(
        "keeps holding in Postgres what its app has left",
        "sidecar/ledger/postgres_books.py",
        "            await self.release(tx, payment_id)\n        return change\n",
        "            pass\n        return change\n",
        (f"{LEDGER}::test_conclude_undelivered",),
    ),
    Mutant(
        "releases in Postgres what was delivered",
        "sidecar/ledger/postgres_books.py",
        "        if delivered:\n            await self.deliver(tx, payment_id, at)\n",
        "        if delivered:\n            await self.release(tx, payment_id)\n",
        (f"{LEDGER}::test_conclude_delivered",),
    ),
)
