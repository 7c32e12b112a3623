"""``sidecar migrate``: the tables of the ledger, brought up to date.

Whoever starts a sidecar need not be the user who owns the tables: this may be run by another.
"""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import read_config
from sidecar.cli.desk import postgres_desk
from sidecar.config.model import PostgresUrl, SqliteFile
from sidecar.ledger.desk import SqliteDesk


def migrate(args: argparse.Namespace) -> int:
    """0, also when there was nothing to do; LedgerError where it cannot be done."""
    match read_config(args).ledger:
        case SqliteFile(path):
            said = _about_file(SqliteDesk(path))
            print(f"ledger {path}: {said}")
        case PostgresUrl() as told:
            desk = postgres_desk(told, os.environ)
            before, now = desk.migrate()
            done = "up to date, version" if before == now else f"version {before} ->"
            print(f"ledger {desk.place}: {done} {now}")
    return 0


def _about_file(desk: SqliteDesk) -> str:
    if not desk.exists():
        return "there is none yet; the first run makes it"
    # One of another version is told of by who reads it.
    desk.frozen_since()
    return "up to date; a file needs no migration"
