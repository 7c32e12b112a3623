"""Which store the ledger is in: the one place where a running sidecar chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sidecar.clock import SystemClock
from sidecar.config.ledger import LEASED_NAME
from sidecar.config.model import Config, PostgresUrl, SqliteFile
from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import ZERO
from sidecar.service.secrets import Opened

if TYPE_CHECKING:
    from sidecar.ledger.postgres import PostgresLedger

# As long as a lease lives by which no more is taken.
NO_MORE_S = 60


async def open_ledger(
    config: Config, opened: Opened, instance: str, on_write_failure: Callable[[str], None]
) -> Ledger:
    """The ledger that the config names, open as this instance. LedgerError when it cannot be."""
    match config.ledger:
        case SqliteFile(path):
            return await SqliteLedger.open(path, instance, on_write_failure)
        case PostgresUrl() as told:
            assert opened.ledger is not None
            # It brings the driver, which only those have who asked for it.
            from sidecar.ledger.postgres import PostgresLedger  # noqa: PLC0415 - see above

            books = await PostgresLedger.open(
                opened.ledger.url,
                instance,
                on_write_failure,
                schema=told.schema,
                migrate=told.migrate,
                lease_s=told.lease_s,
                connections_max=told.connections_max,
            )
            return await _leased(config, told, books, instance, on_write_failure)


def are_shared(config: Config) -> bool:
    """Whether an app's retry may come to another process than its first request did."""
    return config.workers > 1 or isinstance(config.ledger, PostgresUrl)


async def _leased(
    config: Config,
    told: PostgresUrl,
    books: PostgresLedger,
    instance: str,
    on_write_failure: Callable[[str], None],
) -> Ledger:
    """These books, or those that spend slices of their budgets on this machine."""
    file = config.state_dir / LEASED_NAME
    # Switched off, what is in the file is brought to its end all the same. A rehearsal has no need.
    if config.mode == "shadow" or not (told.leases or file.exists()):
        return books
    from sidecar.ledger.leased import LeasedLedger  # noqa: PLC0415 - see above
    from sidecar.ledger.slices import LeaseTerms  # noqa: PLC0415 - see above

    try:
        ledger = await LeasedLedger.open(
            books,
            books.slices,
            file,
            instance,
            told.leases or LeaseTerms(ZERO, NO_MORE_S),
            SystemClock(),
            on_write_failure,
        )
    except LedgerError:
        await books.close()
        raise
    ledger.begin_keeping(books.switched)
    return ledger
