"""Bugs of what one payment of a batch finds for the next: only what nothing in between can change."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SEEN = "sidecar/ledger/sqlite_seen.py"
TESTS = "tests/unit/ledger/test_sqlite_seen.py"
WRITER = "sidecar/ledger/sqlite_writer.py"
RULES = "sidecar/ledger/sqlite_rules.py"

SEEN_IN_A_BATCH = (
    Mutant(
        "reserves in a batch after its freeze",
        SEEN,
        "        if changes != self._changes:\n            self._kept.clear()\n",
        "        if self._changes == _NONE:\n            self._kept.clear()\n",
        (f"{TESTS}::test_frozen_between",),
    ),
    Mutant(
        "counts what was given up from a later moment on",
        SEEN,
        " and since >= kept[0] and",
        " and",
        (f"{TESTS}::test_earlier_clock",),
    ),
    Mutant(
        "does not ask whether a neighbour's purchase is open",
        SEEN,
        " and not self._is_rivalled(intent):",
        ":",
        (f"{TESTS}::test_rival_between",),
    ),
    Mutant(
        "says of one route what it saw of another",
        SEEN,
        "place = (intent.route, intent.purpose, intent.network, intent.pin_place)",
        'place = ("", intent.purpose, intent.network, intent.pin_place)',
        (f"{TESTS}::test_places_apart",),
    ),
    Mutant(
        "keeps what holds for one payment alone",
        SEEN,
        "        if sqlite_rules.is_for_all(found, intent):\n",
        "        if found:\n",
        (f"{TESTS}::test_asked_once",),
    ),
    Mutant(
        "keeps what it saw for the next transaction",
        SEEN,
        "self._is_open, self._changes = True, _NONE",
        "self._is_open = True",
        (f"{TESTS}::test_frozen_from_elsewhere",),
    ),
    Mutant(
        "keeps that no payee was pinned",
        RULES,
        'seen["pinned"] is not None or intent.pin_place is None',
        "True",
        (f"{TESTS}::test_asked_once",),
    ),
    Mutant(
        "keeps a count that goes down",
        RULES,
        ' and not seen["closed"]',
        "",
        (f"{TESTS}::test_earlier_clock",),
    ),
    Mutant(
        "says of all that one purchase is open",
        RULES,
        ' and not seen["rivalled"]',
        "",
        (f"{TESTS}::test_rival_of_one",),
    ),
    Mutant(
        "holds against the next a pin that was undone",
        "sidecar/ledger/sqlite_writer.py",
        "        books.seen.end()\n        books.sums.end()\n        for job",
        "        books.sums.end()\n        for job",
        (f"{TESTS}::test_undone_between",),
    ),
    Mutant(
        "keeps what it saw when the transaction is over",
        WRITER,
        "        finally:\n            books.seen.end()\n",
        "",
        (f"{TESTS}::test_frozen_from_elsewhere",),
    ),
    Mutant(
        "asks all for each payment of a batch",
        WRITER,
        "    if writes:\n        books.seen.begin()\n",
        "",
        (f"{TESTS}::test_asked_once",),
    ),
    Mutant(
        "forgets what it saw with each reservation",
        "sidecar/ledger/sqlite_books.py",
        "        self.seen.reserved()\n",
        "",
        (f"{TESTS}::test_asked_once",),
    ),
)
