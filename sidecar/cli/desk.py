"""The ledger of a config, as a command comes to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sidecar.config.ledger import LEASED_NAME
from sidecar.config.model import Config, PostgresUrl, SqliteFile
from sidecar.config.secrets import open_server
from sidecar.errors import LedgerError
from sidecar.ledger.desk import Desk, SqliteDesk

if TYPE_CHECKING:
    from sidecar.ledger.postgres_desk import PostgresDesk


def open_desk(config: Config, environ: Mapping[str, str]) -> Desk:
    """The desk of the ledger that the config names. ConfigError where its URL cannot be had."""
    match config.ledger:
        case SqliteFile(path):
            return SqliteDesk(path)
        case PostgresUrl() as told:
            desk, file = postgres_desk(told, environ), config.state_dir / LEASED_NAME
            if config.mode == "shadow" or not file.exists():
                return desk
            from sidecar.ledger.leased_desk import LeasedDesk  # noqa: PLC0415 - for few

            return LeasedDesk(desk, file)


def postgres_desk(told: PostgresUrl, environ: Mapping[str, str]) -> PostgresDesk:
    """The same of a ledger in Postgres."""
    server = open_server(told, environ)
    # It brings the driver.
    from sidecar.ledger.postgres_desk import PostgresDesk  # noqa: PLC0415 - see above

    return PostgresDesk(server.url, told.schema)


def require_ledger(desk: Desk, then: str = "; the first run makes it") -> None:
    """LedgerError where there is no ledger yet; ``then``: what follows from that."""
    if not desk.exists():
        raise LedgerError(f"ledger {desk.place}: there is none yet{then}")
