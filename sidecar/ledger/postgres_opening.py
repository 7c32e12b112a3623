"""A schema of a server: made, brought up to date, recognised; and is it fit to pay from?"""

from __future__ import annotations

from sidecar.errors import LedgerError
from sidecar.ledger import postgres_audit
from sidecar.ledger import postgres_lookups as lookups
from sidecar.ledger.discrepancies import require_none
from sidecar.ledger.postgres_schema import MIGRATIONS, VERSION
from sidecar.ledger.postgres_transactions import Record, Transaction, Transactions

SERVER_MIN = 130_000
_SETTINGS = """
SELECT current_setting('server_version_num')::int AS version,
  current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
  current_setting('synchronous_commit') AS synchronous_commit
"""
# The only tables of the schema that tell how far it has come.
_SCHEMA = """
SELECT current_schema() IS NOT NULL AS made, to_regclass('migrations') IS NOT NULL AS known,
  EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema()) AS has_tables
"""
_MIGRATIONS = """
CREATE TABLE migrations (
  version integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_VERSION = "SELECT coalesce(max(version), 0) AS version FROM migrations"
_APPLIED = "INSERT INTO migrations (version) VALUES (%s)"
_LOCK = "SELECT pg_advisory_xact_lock(%s)"


async def require_durable(transactions: Transactions) -> None:
    """LedgerError unless what the server has committed survives a power cut."""
    ((row,),) = await transactions.read((_SETTINGS, ()))
    if row["version"] < SERVER_MIN:
        raise LedgerError(f"ledger {transactions.place}: needs PostgreSQL 13 or newer")
    weak = [
        f"{name}={row[name]}"
        for name, bad in (
            ("fsync", {"off"}),
            ("full_page_writes", {"off"}),
            ("synchronous_commit", {"off", "local"}),
        )
        if row[name] in bad
    ]
    if weak:
        raise LedgerError(
            f"ledger {transactions.place}: {' and '.join(weak)} would lose payments that were "
            "committed; set it to on"
        )


async def migrate(transactions: Transactions) -> tuple[int, int]:
    """Bring the schema up to date, one process at a time; the version before, and now."""

    async def move(tx: Transaction) -> tuple[int, int]:
        tx.later(_LOCK, transactions.lock("migrate"))
        (schema,) = await tx.find(_SCHEMA)
        if not schema["made"]:
            tx.later(f'CREATE SCHEMA "{transactions.schema}"')
        before = await _version(transactions, tx)
        if before is None:
            tx.later(_MIGRATIONS)
        for version in range((before or 0) + 1, VERSION + 1):
            for statement in MIGRATIONS[version - 1]:
                tx.later(statement)
            tx.later(_APPLIED, version)
        return before or 0, VERSION

    return await transactions.do(move)


async def require_version(transactions: Transactions) -> None:
    """LedgerError unless the tables are of this version."""

    async def look(tx: Transaction) -> int | None:
        return await _version(transactions, tx)

    found = await transactions.do(look)
    if found != VERSION:
        raise LedgerError(
            f"ledger {transactions.place}: "
            + ("it has no tables yet" if found is None else f"its tables are of version {found}")
            + f", and this sidecar needs version {VERSION}; run `sidecar migrate`"
        )


async def _version(transactions: Transactions, tx: Transaction) -> int | None:
    """How far it has come; None: there is nothing. LedgerError: it is not ours, or ahead of us."""
    rows: list[Record] = await tx.find(_SCHEMA)
    if not rows[0]["known"]:
        if rows[0]["has_tables"]:
            raise LedgerError(
                f"ledger {transactions.place}: schema {transactions.schema} holds tables of "
                "something else; name another database"
            )
        return None
    (row,) = await tx.find(_VERSION)
    if row["version"] > VERSION:
        raise LedgerError(
            f"ledger {transactions.place}: its tables are of version {row['version']}, and this "
            f"sidecar knows {VERSION}; upgrade the sidecar"
        )
    return int(row["version"])


async def audit(transactions: Transactions) -> None:
    """The first to come looks whether the books and their events agree; LedgerError."""

    async def look(tx: Transaction) -> list[str]:
        others = await tx.find(lookups.LIVING)
        return [] if others else await postgres_audit.differences(tx)

    require_none(transactions.place, await transactions.do(look))
