"""``sidecar ledger copy``: the books of one machine, moved to where many share them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sidecar.cli.screen import plain, write_json
from sidecar.config.ledger import SCHEMA
from sidecar.config.model import PostgresUrl, SecretKind, SecretRef
from sidecar.config.secrets import open_server
from sidecar.errors import ConfigError

_PLACES = {"env": SecretKind.ENV, "file": SecretKind.FILE}


def ledger(args: argparse.Namespace) -> int:
    """0 when every row was copied; LedgerError when none was."""
    source = Path(args.source).absolute()
    server = open_server(PostgresUrl(_place(args.target)), os.environ)
    # It brings the driver.
    from sidecar.ledger.postgres_copy import copy  # noqa: PLC0415 - see above

    copied = copy(source, server.url, SCHEMA)
    if args.json:
        write_json(
            {
                "from": str(source),
                "to": server.place,
                "rows": dict(copied.rows),
                "amounts_atomic": {state: each.atomic for state, each in copied.amounts.items()},
            }
        )
        return 0
    rows = ", ".join(f"{count} {table}" for table, count in copied.rows.items())
    print(f"copied from {plain(source)} to {server.place}: {rows}")
    for state, amount in copied.amounts.items():
        print(f"{state:10}  {amount}")
    print("every row and sum was compared; point every sidecar at it before one is started")
    return 0


def _place(text: str) -> SecretRef:
    """Where the URL is kept. What is written is not repeated: it may be the URL itself."""
    kind, colon, where = text.partition(":")
    if not colon or not where or kind not in _PLACES:
        raise ConfigError(
            "TO: not a place that keeps a URL; write env:NAME or file:PATH, for what is typed can "
            "be read by everybody on this machine"
        )
    where = where if kind == "env" else str(Path(where).absolute())
    return SecretRef(_PLACES[kind], where, None, "TO")
