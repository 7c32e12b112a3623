"""Planted bugs in which store the ledger is in, in its URL, and in the copy from a file."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

COPY = "tests/unit/ledger/test_postgres_copy.py"
DESK = "tests/unit/ledger/test_desk.py"
QUOTE = "tests/unit/ledger/test_quote.py"
RESOLUTIONS = "tests/unit/ledger/test_resolutions.py"
URL = "tests/unit/ledger/test_postgres_url.py"
CONFIG = "tests/unit/config/test_ledger.py"
SECRETS = "tests/unit/service/test_secrets.py"

STORES_AND_COPY = (
    Mutant(
        "does not compare what it has copied",
        "sidecar/ledger/postgres_copy.py",
        "self._require(theirs == ours, ",
        "self._require(True, ",
        (f"{COPY}::test_differs",),
    ),
    Mutant(
        "does not add up what it has copied",
        "sidecar/ledger/postgres_copy.py",
        "self._require(found.sums() == sums, ",
        "self._require(True, ",
        (f"{COPY}::test_differs",),
    ),
    Mutant(
        "copies into a ledger that is in use",
        "sidecar/ledger/postgres_copy.py",
        "            if self._count(table):\n",
        "            if False:\n",
        (f"{COPY}::test_used_target",),
    ),
    Mutant(
        "commits the copy before its last look at the source",
        "sidecar/ledger/postgres_copy.py",
        "                return copying.copy(found)\n",
        "                copied = copying.copy(found)\n                connection.commit()\n"
        "                return copied\n",
        (f"{COPY}::test_changed_as_it_was_copied",),
    ),
    Mutant(
        "numbers new payments from one after a copy",
        "sidecar/ledger/postgres_copy.py",
        "        for table in _NUMBERED:\n",
        "        for table in ():\n",
        (f"{COPY}::test_paying_goes_on",),
    ),
    Mutant(
        "copies a file that a sidecar has open",
        "sidecar/ledger/sqlite_source.py",
        "            if living:\n",
        "            if False:\n",
        (f"{COPY}::test_used_source",),
    ),
    Mutant(
        "lets sidecars come to a file that is being copied",
        "sidecar/ledger/sqlite_source.py",
        "        with instances.alone():\n",
        "        with instances.alone():\n            pass\n        if True:\n",
        (f"{COPY}::test_nobody_comes_meanwhile",),
    ),
    Mutant(
        "does not notice that the source has changed",
        "sidecar/ledger/sqlite_source.py",
        "                if _version(connection) != before:\n",
        "                if False:\n",
        (f"{COPY}::test_nobody_comes_meanwhile",),
    ),
    Mutant(
        "copies books that do not agree with their events",
        "sidecar/ledger/sqlite_source.py",
        "            audit(file)\n",
        "",
        (f"{COPY}::test_unfit_source",),
    ),
    Mutant(
        "copies slices of another ledger's budgets as a ledger",
        "sidecar/ledger/sqlite_source.py",
        "                _require_alone(connection, path)\n",
        "",
        (f"{COPY}::test_unfit_source",),
    ),
    Mutant(
        "makes the payment that it only quotes",
        "sidecar/ledger/postgres_desk.py",
        "return made if isinstance(made, Denied) else _WOULD_BE_MADE",
        "return made  # type: ignore[return-value]",
        (f"{QUOTE}::test_nothing_is_written",),
    ),
    Mutant(
        "says that an empty ledger in Postgres has room for everything",
        "sidecar/ledger/postgres_desk.py",
        "        if intent.amount.atomic > windows.cap(budget):\n",
        "        if False:\n",
        (f"{QUOTE}::test_no_ledger_refuses",),
    ),
    Mutant(
        "settles by hand what a replica is being served by",
        "sidecar/ledger/postgres_desk.py",
        'objection(payment_of(rows[0]), resolution, rows[0]["kept"], at)',
        "objection(payment_of(rows[0]), resolution, False, at)",
        (f"{RESOLUTIONS}::test_held",),
    ),
    Mutant(
        "keeps to itself who settled a payment in Postgres",
        "sidecar/ledger/postgres_desk.py",
        '            books.said_by = {"by": by}\n',
        "",
        (f"{RESOLUTIONS}::test_posted",),
    ),
    Mutant(
        "cannot freeze before the first run",
        "sidecar/ledger/postgres_desk.py",
        "            self.migrate()\n",
        "            pass\n",
        (f"{DESK}::test_freeze_makes_the_ledger",),
    ),
    Mutant(
        "books rehearsals among real payments",
        "sidecar/config/ledger.py",
        'schema=SHADOW_SCHEMA if mode == "shadow" else SCHEMA',
        "schema=SCHEMA",
        (f"{CONFIG}::test_shadow",),
    ),
    Mutant(
        "leaves the ledger's URL in the environment",
        "sidecar/config/secrets.py",
        "    return (*keys, *tokens, *api_keys, *urls)\n",
        "    return (*keys, *tokens, *api_keys)\n",
        (f"{CONFIG}::test_variable",),
    ),
    Mutant(
        "lets the ledger's password into the log",
        "sidecar/service/secrets.py",
        "(ledger.url, *filter(None, [ledger.password]))",
        "(ledger.url,)",
        (f"{SECRETS}::test_ledger",),
    ),
    Mutant(
        "shows the password of a server that is printed",
        "sidecar/ledger/postgres_url.py",
        "    password: str = field(repr=False)\n",
        "    password: str\n",
        (f"{URL}::test_nothing_is_shown",),
    ),
    Mutant(
        "shows half a password as the host",
        "sidecar/ledger/postgres_url.py",
        "    if any(_HOST.fullmatch(host) is None for host in hosts):\n",
        "    if not all(hosts):\n",
        (f"{URL}::test_mistakes",),
    ),
    Mutant(
        "repeats the URL that cannot be read",
        "sidecar/ledger/postgres_url.py",
        'raise ConfigError(f"not a URL that Postgres can read; {_ESCAPED}") from None',
        'raise ConfigError(f"not a URL that Postgres can read: {url}; {_ESCAPED}") from None',
        (f"{URL}::test_mistakes",),
    ),
    Mutant(
        "takes a standby for the primary",
        "sidecar/ledger/postgres_url.py",
        '    if len(hosts) > 1 and parts.get("target_session_attrs") not in _WRITABLE:\n',
        "    if False:\n",
        (f"{URL}::test_mistakes",),
    ),
    Mutant(
        "calls a readable way to another machine private",
        "sidecar/ledger/postgres_url.py",
        "        is_local or mode in _SEALED,\n",
        "        True,\n",
        (f"{URL}::test_place",),
    ),
)
