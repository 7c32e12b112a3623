"""``sidecar unfreeze``: payments are signed again."""

from __future__ import annotations

import argparse

from sidecar.cli.config_file import read_config
from sidecar.errors import LedgerError
from sidecar.ledger import sqlite_desk


def unfreeze(args: argparse.Namespace) -> int:
    """0, also when it was not frozen."""
    path = read_config(args).ledger_path
    if not path.exists():
        raise LedgerError(f"ledger {path}: there is none yet, so nothing is frozen")
    since = sqlite_desk.unfreeze(path)
    if since is None:
        print("it was not frozen")
    else:
        print(f"payments are signed again; it was frozen since {since:%Y-%m-%d %H:%M:%S} UTC")
    return 0
