"""The switch that stops all signing, for every process that uses the ledger file."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sidecar.ledger import denials
from sidecar.ledger.rows import milliseconds, moment
from sidecar.refusal import Denied

# Frozen twice is frozen since the first time.
_FREEZE = "INSERT INTO freeze (id, since) VALUES (1, ?) ON CONFLICT (id) DO NOTHING"
_UNFREEZE = "DELETE FROM freeze"
_SINCE = "SELECT since FROM freeze"


def freeze(connection: sqlite3.Connection, at: datetime) -> datetime:
    """Since when nothing may be signed."""
    connection.execute(_FREEZE, (milliseconds(at),))
    since = frozen_since(connection)
    assert since is not None
    return since


def unfreeze(connection: sqlite3.Connection) -> datetime | None:
    """Since when nothing could be signed; None where it could."""
    since = frozen_since(connection)
    connection.execute(_UNFREEZE)
    return since


def frozen_since(connection: sqlite3.Connection) -> datetime | None:
    row = connection.execute(_SINCE).fetchone()
    return None if row is None else moment(row[0])


def refusal(connection: sqlite3.Connection) -> Denied | None:
    """Why nothing may be signed now; None where it may."""
    return denials.frozen(frozen_since(connection))


def refusal_since(since_ms: int | None) -> Denied | None:
    """The same, for who has looked already: since when, in milliseconds; None: it is not."""
    return None if since_ms is None else denials.frozen(moment(since_ms))
